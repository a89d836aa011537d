#include "data/tokenizer.h"

#include <algorithm>

#include "core/atomic_file.h"
#include "core/check.h"
#include "data/files/detail/bytes.h"

namespace heddle {
namespace {

constexpr char32_t replacement = 0xFFFD;

/// The character at the beginning of `text`, and its length in bytes; a byte that begins none is the replacement
/// character. (Unicode 15, table 3-7: no overlong forms, no surrogates.)
std::pair<char32_t, std::size_t> first_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return {first, 1};
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (first < 0xC2 || first > 0xF4 || text.size() < length) return {replacement, 1};
    char32_t character = first & (0x7Fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0u) != 0x80) return {replacement, 1};
        character = character << 6 | (byte(i) & 0x3Fu);
    }
    const bool surrogate = character >= 0xD800 && character < 0xE000;
    if (character < smallest[length] || character > 0x10FFFF || surrogate) return {replacement, 1};
    return {character, length};
}

void append(std::string& text, char32_t c) {
    const auto byte = [&](char32_t value) { text += static_cast<char>(static_cast<unsigned char>(value)); };
    if (c < 0x80) return byte(c);
    if (c < 0x800) {
        byte(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            byte(0xE0 | c >> 12);
        } else {
            byte(0xF0 | c >> 18);
            byte(0x80 | (c >> 12 & 0x3F));
        }
        byte(0x80 | (c >> 6 & 0x3F));
    }
    byte(0x80 | (c & 0x3F));
}

char32_t lower_case(char32_t c) {
    const auto within = [c](char32_t first, char32_t last) { return c >= first && c <= last; };
    if (within('A', 'Z') || (within(0xC0, 0xDE) && c != 0xD7)) return c + 0x20;  // ASCII, Latin-1 (but for the times)
    if ((within(0x391, 0x3AB) && c != 0x3A2) || within(0x410, 0x42F)) return c + 0x20;  // Greek, Cyrillic
    if (within(0x400, 0x40F)) return c + 0x50;
    return c;
}

bool is_space(char32_t c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || c == 0x3000; }

std::string escaped(const std::string& token) {
    std::string line;
    for (const char letter : token) {
        if (letter == '\\')
            line += "\\\\";
        else if (letter == '\n')
            line += "\\n";
        else if (letter == '\r')
            line += "\\r";
        else
            line += letter;
    }
    return line;
}

std::string unescaped(std::string_view line, const std::string& place) {
    std::string token;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] != '\\') {
            token += line[i];
            continue;
        }
        const char letter = ++i < line.size() ? line[i] : ' ';
        check(letter == '\\' || letter == 'n' || letter == 'r', "{}: expected \\\\, \\n or \\r", place);
        token += letter == 'n' ? '\n' : letter == 'r' ? '\r' : '\\';
    }
    return token;
}

}  // namespace

Tokenizer::Tokenizer(const TokenizerOptions& options) : options_(options) {
    check(options.max_tokens == 0 || options.max_tokens >= 3,
          "Tokenizer: max_tokens counts padding and unknown, so it must be at least 3, got {}", options.max_tokens);
    check(options.min_count >= 1, "Tokenizer: min_count must be at least 1, got {}", options.min_count);
    check(options.padding != options.unknown, "Tokenizer: padding and unknown are both \"{}\"", options.padding);
    for (const char letter : options.filters)
        check(static_cast<unsigned char>(letter) < 0x80, "Tokenizer: filters must be characters of ASCII");
}

Tokenizer::Tokenizer(std::span<const std::string> texts, const TokenizerOptions& options) : Tokenizer(options) {
    std::map<std::string, std::int64_t> counts;
    for (const std::string& text : texts)
        for (std::string& token : split(text)) ++counts[std::move(token)];
    counts.erase(options.padding);
    counts.erase(options.unknown);
    std::vector<std::pair<std::string, std::int64_t>> ordered;
    for (const auto& [token, count] : counts)
        if (count >= options.min_count) ordered.emplace_back(token, count);
    std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    add(options.padding);
    add(options.unknown);
    for (auto& [token, count] : ordered) {
        if (options.max_tokens > 0 && size() >= options.max_tokens) break;
        add(std::move(token));
    }
}

void Tokenizer::add(std::string token) {
    numbers_.emplace(token, size());
    tokens_.push_back(std::move(token));
}

Tokenizer Tokenizer::from_vocabulary(const std::vector<std::string>& tokens, const TokenizerOptions& options) {
    Tokenizer tokenizer(options);
    for (const std::string& token : tokens) {
        check(!token.empty(), "Tokenizer: token {} is empty", tokenizer.size());
        check(!tokenizer.numbers_.contains(token), "Tokenizer: token \"{}\" is there twice", escaped(token));
        tokenizer.add(token);
    }
    check(tokens.size() >= 2 && tokens[padding] == options.padding && tokens[unknown] == options.unknown,
          "Tokenizer: the first two tokens must be \"{}\" and \"{}\"", options.padding, options.unknown);
    return tokenizer;
}

Tokenizer Tokenizer::load(const std::string& path, const TokenizerOptions& options) {
    Tokenizer tokenizer(options);
    const std::string text = read_text(path);
    for (std::size_t first = 0; first < text.size();) {
        const std::size_t end = std::min(text.find('\n', first), text.size());
        std::string_view line = std::string_view(text).substr(first, end - first);
        if (line.ends_with('\r')) line.remove_suffix(1);
        const std::string place = fmt::format("{}, line {}", path, tokenizer.size() + 1);
        std::string token = unescaped(line, place);
        check(!token.empty(), "{}: expected a token, got an empty line", place);
        check(!tokenizer.numbers_.contains(token), "{}: token \"{}\" is there twice", place, line);
        tokenizer.add(std::move(token));
        first = end + 1;
    }
    check(tokenizer.size() >= 2 && tokenizer.tokens_[padding] == options.padding &&
              tokenizer.tokens_[unknown] == options.unknown,
          "{}: the first two lines must be \"{}\" and \"{}\"", path, options.padding, options.unknown);
    return tokenizer;
}

void Tokenizer::save(const std::string& path) const {
    std::string text;
    for (const std::string& token : tokens_) text += escaped(token) + "\n";
    write_file_atomically(path, text);
}

std::vector<std::string> Tokenizer::split(std::string_view text) const {
    const bool words = options_.unit == TokenizerOptions::Unit::word;
    std::vector<std::string> tokens;
    std::string word;
    while (!text.empty()) {
        auto [character, length] = first_character(text);
        text.remove_prefix(length);
        if (options_.lower) character = lower_case(character);
        const bool separates =
            words && (is_space(character) ||
                      (character < 0x80 && options_.filters.find(static_cast<char>(character)) != std::string::npos));
        if (!separates) append(word, character);
        if ((separates || !words || text.empty()) && !word.empty()) {
            tokens.push_back(std::move(word));
            word.clear();
        }
    }
    return tokens;
}

std::int64_t Tokenizer::number(const std::string& token) const {
    const auto found = numbers_.find(token);
    return found == numbers_.end() ? unknown : found->second;
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view text) const {
    std::vector<std::int64_t> result;
    for (const std::string& token : split(text)) result.push_back(number(token));
    return result;
}

std::vector<std::vector<std::int64_t>> Tokenizer::encode(std::span<const std::string> texts) const {
    std::vector<std::vector<std::int64_t>> result;
    for (const std::string& text : texts) result.push_back(encode(text));
    return result;
}

std::string Tokenizer::decode(std::span<const std::int64_t> numbers) const {
    std::string text;
    for (const std::int64_t token : numbers) {
        check(token >= 0 && token < size(), "Tokenizer: token {} is outside 0 .. {}", token, size() - 1);
        if (token == padding) continue;
        if (options_.unit == TokenizerOptions::Unit::word && !text.empty()) text += ' ';
        text += tokens_[static_cast<std::size_t>(token)];
    }
    return text;
}

std::string read_text(const std::string& path) {
    const std::vector<std::uint8_t> bytes = read_maybe_gzip(path);
    return std::string(bytes.begin(), bytes.end());
}

}  // namespace heddle
