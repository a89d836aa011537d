#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/config.h"
#include "core/tensor.h"
#include "data/tokenizer.h"

namespace heddle {

/// Pieces of words, so that a word never seen has numbers too (fastText: Bojanowski et al. 2017): every `shortest` to
/// `longest` characters in a row of the word, its ends marked by "<" and ">".
struct Subwords {
    std::int64_t buckets = 0;  ///< how many numbers the pieces share, by their hash; 0: there are no pieces
    std::int64_t shortest = 3, longest = 5;
};

/// How texts become a model's input, as in Keras' layer of this name. A saved model carries it, vocabulary and all, so
/// that prediction needs nothing but the model file.
struct HEDDLE_API TextVectorization {
    enum class OutputMode {
        integers,  ///< i64 [texts, output_sequence_length]: the tokens' numbers, cut or padded with 0 at the end
        multi_hot  ///< f32 [texts, vocabulary]: 1 where the text has the token; padding and unknown ones do not count
    };

    Tokenizer tokenizer;
    OutputMode output_mode = OutputMode::integers;
    std::int64_t output_sequence_length = 0;  ///< of integers; 0: the longest of the texts
    /// Of integers: behind each token's number, which is left out where it is unknown, those of its pieces, from
    /// `tokenizer.size()` on.
    Subwords subwords = {};

    /// How many numbers there are: what `Embedding` takes as its `input_dim`.
    std::int64_t size() const { return tokenizer.size() + subwords.buckets; }
    Tensor apply(std::span<const std::string> texts) const;
    Tensor apply(const std::string& text) const { return apply(std::span<const std::string>(&text, 1)); }

    Config to_config() const;
    /// Throws `Error` where something is missing or of another kind.
    static TextVectorization from_config(const Config& config);
};

}  // namespace heddle
