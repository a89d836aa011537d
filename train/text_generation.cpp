#include "train/text_generation.h"

#include <algorithm>
#include <numeric>

#include "core/check.h"
#include "core/random.h"
#include "ops/softmax.h"

namespace heddle {
namespace {

/// Draws a token by its probability, except padding and unknown.
std::int64_t drawn(const std::vector<float>& probabilities, Generator& generator) {
    constexpr auto first = static_cast<std::size_t>(Tokenizer::unknown) + 1;
    const double sum = std::accumulate(probabilities.begin() + first, probabilities.end(), 0.0);
    double left = static_cast<double>(generator.bits() >> 11) * 0x1p-53 * sum;  // in [0, sum)
    std::size_t next = first;
    while (next + 1 < probabilities.size() && (left -= static_cast<double>(probabilities[next])) > 0) ++next;
    return static_cast<std::int64_t>(next);
}

}  // namespace

std::string generate_text(const Tokenizer& tokenizer, const std::string& begin, const NextToken& next,
                          const TextGenerationOptions& options) {
    check(options.temperature > 0 && options.length >= 0,
          "generate_text: expected a temperature above 0 and a length, got {} and {}", options.temperature,
          options.length);
    std::vector<std::int64_t> text = tokenizer.encode(begin);
    check(tokenizer.size() > Tokenizer::unknown + 1, "generate_text: the vocabulary is empty");
    check(!text.empty(), "generate_text: the text to go on from is empty");
    Generator generator(options.seed);
    for (std::int64_t i = 0; i < options.length; ++i) {
        const Tensor logits = next(text);
        check(logits.shape() == Shape{tokenizer.size()}, "generate_text: expected logits [{}], got {}",
              tokenizer.size(), logits);
        text.push_back(drawn(ops::softmax(logits * (1 / options.temperature)).to_vector<float>(), generator));
    }
    return tokenizer.decode(text);
}

bool is_language_model(const Model& model) {
    if (!model.text_vectorization() || model.input_shapes().size() != 1 || model.input_shapes()[0].rank() != 1)
        return false;
    const Shape output = model->output_shapes(model.input_shapes()).front();
    return model.text_vectorization()->output_mode == TextVectorization::OutputMode::integers &&
           output == Shape{model.input_shapes()[0][0], model.text_vectorization()->tokenizer.size()};
}

std::string generate_text(const Model& model, const std::string& begin, const TextGenerationOptions& options) {
    check(is_language_model(model),
          "generate_text: expected a model with a text_vectorization() that gives logits [time, vocabulary]");
    const std::int64_t window = model.input_shapes()[0][0];
    const auto next = [&](std::span<const std::int64_t> text) {
        // The last tokens come first; what follows them in the window is ignored.
        const std::size_t seen = std::min(text.size(), static_cast<std::size_t>(window));
        std::vector<std::int64_t> last(text.end() - static_cast<std::ptrdiff_t>(seen), text.end());
        last.resize(static_cast<std::size_t>(window), Tokenizer::padding);
        return model.predict(Tensor::from(last, Shape{1, window}))[0][static_cast<std::int64_t>(seen) - 1];
    };
    return generate_text(model.text_vectorization()->tokenizer, begin, next, options);
}

}  // namespace heddle
