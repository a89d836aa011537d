#include "data/text_vectorization.h"

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

}  // namespace

Tensor TextVectorization::apply(std::span<const std::string> texts) const {
    const std::vector<std::vector<std::int64_t>> numbers = tokenizer.encode(texts);
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
    return Config()
        .set("output_mode", mode_names[static_cast<std::size_t>(output_mode)])
        .set("output_sequence_length", output_sequence_length)
        .set("unit", unit_names[static_cast<std::size_t>(options.unit)])
        .set("lower", options.lower)
        .set("filters", options.filters)
        .set("padding", options.padding)
        .set("unknown", options.unknown)
        .set("vocabulary", Config::Array(tokens.begin(), tokens.end()));
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
    return {Tokenizer::from_vocabulary(tokens, options), named<OutputMode>(config, "output_mode", mode_names), length};
}

}  // namespace heddle
