#pragma once

#include <heddle/heddle.h>

#include <cstdint>
#include <string>

namespace heddle::examples {

/// Where to get the text, for `About::how_to_get`.
inline constexpr const char* shakespeare_hint =
    "A text file; tiny Shakespeare: "
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt";

/// A text in characters: windows of the first 90 % to train on, which overlap by half, and of the rest.
struct CharacterText {
    Tokenizer characters;
    Dataset train = {}, validation = {};
    double entropy = 0;  ///< the loss of saying how often each character is, in nats

    /// The first `limit` characters of a file; 0: all.
    static CharacterText read(const std::string& path, std::int64_t limit, std::int64_t window);
    /// What a saved model carries, so that it can go on from a text.
    TextVectorization vectorization(std::int64_t window) const;
};

}  // namespace heddle::examples
