#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/export.h"

namespace heddle {

struct TokenizerOptions {
    /// word: what stands between separators. character: every character of UTF-8, separators and newlines too.
    enum class Unit { word, character } unit = Unit::word;
    bool lower = true;  ///< letters in lower case: those of ASCII, Latin-1, Greek and Cyrillic
    /// What separates words beside white space, and is left out: characters of ASCII. Keras' default: all punctuation
    /// but the apostrophe.
    std::string filters = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~";
    std::int64_t max_tokens = 0;  ///< > 0: the most frequent ones, the two below included
    std::int64_t min_count = 1;   ///< rarer tokens are unknown
    std::string padding = "[PAD]";
    std::string unknown = "[UNK]";
};

/// Text as numbers. Token 0 is padding, 1 any token that is unknown, the others follow by how often they are in the
/// text they were taken from, most frequent first (equally frequent ones in the order of their bytes). Bytes that are
/// not UTF-8 count as the replacement character U+FFFD, one each.
class HEDDLE_API Tokenizer {
  public:
    /// Takes the vocabulary from texts.
    explicit Tokenizer(std::span<const std::string> texts, const TokenizerOptions& options = {});

    /// From a vocabulary, token 0 first. Throws `Error` for a token that is empty or there twice, and where padding and
    /// unknown are not the first two.
    static Tokenizer from_vocabulary(const std::vector<std::string>& tokens, const TokenizerOptions& options = {});

    /// A vocabulary file has one token a line, in the order of their numbers; backslash, newline and carriage return
    /// are written \\, \n and \r. `load` needs the options by which text is split; it throws `Error` with the line for
    /// a token that is there twice, and where padding and unknown are not the first two.
    static Tokenizer load(const std::string& path, const TokenizerOptions& options = {});
    void save(const std::string& path) const;

    /// Text in tokens, not yet numbered.
    std::vector<std::string> split(std::string_view text) const;
    std::vector<std::int64_t> encode(std::string_view text) const;
    std::vector<std::vector<std::int64_t>> encode(std::span<const std::string> texts) const;
    /// Words with a space in between, characters without; padding is left out. Throws `Error` for a number that no
    /// token has.
    std::string decode(std::span<const std::int64_t> numbers) const;

    /// The size of the vocabulary: what `Embedding` takes as its `input_dim`.
    std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }
    const std::vector<std::string>& tokens() const { return tokens_; }
    /// The number of a token; 1 where it is unknown.
    std::int64_t number(const std::string& token) const;
    const TokenizerOptions& options() const { return options_; }

    static constexpr std::int64_t padding = 0, unknown = 1;

  private:
    explicit Tokenizer(const TokenizerOptions& options);
    void add(std::string token);

    TokenizerOptions options_;
    std::vector<std::string> tokens_;
    std::map<std::string, std::int64_t> numbers_;
};

/// The text in a file, plain or gzipped. Throws `Error` naming the file.
HEDDLE_API std::string read_text(const std::string& path);

}  // namespace heddle
