#include "data/text_vectorization.h"

#include <string_view>

#include "core/check.h"
#include "data/sequences.h"

namespace heddle {
namespace {

constexpr const char* mode_names[] = {"int", "multi_hot"};   // as in Keras
constexpr const char* unit_names[] = {"word", "character"};  // in the order of TokenizerOptions::Unit

template <class Enum, std::size_t count>
Enum named(const Config& config, const char* key, const char* const (&names)[count]) {
    const std::string& name = config.at(key).string();
    for (std::size_t i = 0; i < count; ++i)
        if (name == names[i]) return static_cast<Enum>(i);
    fail(fmt::format("TextVectorization: unknown {} \"{}\"", key, name));
}

std::uint32_t fnv1a(std::string_view bytes) {
    std::uint32_t hash = 2166136261u;
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619u;
    return hash;
}

/// Appends the numbers of a word's pieces, from `first` on.
void append_pieces(const std::string& word, const Subwords& subwords, std::int64_t first,
                   std::vector<std::int64_t>& numbers) {
    const std::string marked = "<" + word + ">";
    std::vector<std::size_t> begins;  // of the characters, in UTF-8, and the end
    for (std::size_t i = 0; i <= marked.size(); ++i)
        if (i == marked.size() || (marked[i] & 0xC0) != 0x80) begins.push_back(i);
    const auto characters = static_cast<std::int64_t>(begins.size()) - 1;
    for (std::int64_t length = subwords.shortest; length <= subwords.longest; ++length)
        for (std::int64_t from = 0; from + length <= characters; ++from) {
            const std::size_t begin = begins[static_cast<std::size_t>(from)],
                              end = begins[static_cast<std::size_t>(from + length)];
            numbers.push_back(first + fnv1a(std::string_view(marked).substr(begin, end - begin)) % subwords.buckets);
        }
}

/// The tokens' numbers, and those of their pieces.
std::vector<std::int64_t> with_pieces(const TextVectorization& vectorization, const std::string& text) {
    const Tokenizer& tokenizer = vectorization.tokenizer;
    std::vector<std::int64_t> numbers;
    for (const std::string& token : tokenizer.split(text)) {
        if (const std::int64_t number = tokenizer.number(token); number > Tokenizer::unknown) numbers.push_back(number);
        append_pieces(token, vectorization.subwords, tokenizer.size(), numbers);
    }
    return numbers;
}

void check_subwords(const Subwords& s) {
    check(s.buckets >= 0 && s.shortest >= 1 && s.longest >= s.shortest,
          "TextVectorization: expected subwords of 1 character or more and buckets for them, got {} to {} characters "
          "and {} buckets",
          s.shortest, s.longest, s.buckets);
}

}  // namespace

Tensor TextVectorization::apply(std::span<const std::string> texts) const {
    check_subwords(subwords);
    std::vector<std::vector<std::int64_t>> numbers;
    if (subwords.buckets > 0) {
        check(output_mode == OutputMode::integers, "TextVectorization: subwords are integers, not multi_hot");
        for (const std::string& text : texts) numbers.push_back(with_pieces(*this, text));
    } else {
        numbers = tokenizer.encode(texts);
    }
    if (output_mode == OutputMode::integers)
        return pad_sequences(numbers, {.maxlen = output_sequence_length,
                                       .padding = PadSequencesOptions::Side::post,
                                       .truncating = PadSequencesOptions::Side::post});
    const auto width = static_cast<std::size_t>(tokenizer.size());
    std::vector<float> rows(texts.size() * width);
    for (std::size_t i = 0; i < texts.size(); ++i)
        for (const std::int64_t number : numbers[i])
            if (number > Tokenizer::unknown) rows[i * width + static_cast<std::size_t>(number)] = 1;
    return Tensor::from(rows, Shape{static_cast<std::int64_t>(texts.size()), tokenizer.size()});
}

Config TextVectorization::to_config() const {
    const TokenizerOptions& options = tokenizer.options();
    const std::vector<std::string>& tokens = tokenizer.tokens();
    Config config;
    config.set("output_mode", mode_names[static_cast<std::size_t>(output_mode)])
        .set("output_sequence_length", output_sequence_length)
        .set("unit", unit_names[static_cast<std::size_t>(options.unit)])
        .set("lower", options.lower)
        .set("filters", options.filters)
        .set("padding", options.padding)
        .set("unknown", options.unknown)
        .set("vocabulary", Config::Array(tokens.begin(), tokens.end()));
    if (subwords.buckets > 0)
        config.set("subwords", Config()
                                   .set("buckets", subwords.buckets)
                                   .set("shortest", subwords.shortest)
                                   .set("longest", subwords.longest));
    return config;
}

TextVectorization TextVectorization::from_config(const Config& config) {
    const TokenizerOptions options{.unit = named<TokenizerOptions::Unit>(config, "unit", unit_names),
                                   .lower = config.at("lower").boolean(),
                                   .filters = config.at("filters").string(),
                                   .padding = config.at("padding").string(),
                                   .unknown = config.at("unknown").string()};
    std::vector<std::string> tokens;
    for (const Config& token : config.at("vocabulary").array()) tokens.push_back(token.string());
    const std::int64_t length = config.at("output_sequence_length").integer();
    check(length >= 0, "TextVectorization: output_sequence_length must not be negative, got {}", length);
    Subwords subwords;
    if (config.has("subwords")) {
        const Config& c = config.at("subwords");
        subwords = {c.at("buckets").integer(), c.at("shortest").integer(), c.at("longest").integer()};
        check_subwords(subwords);
    }
    return {Tokenizer::from_vocabulary(tokens, options), named<OutputMode>(config, "output_mode", mode_names), length,
            subwords};
}

}  // namespace heddle
