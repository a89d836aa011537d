#include "train/text_generation.h"

#include "layers/core.h"
#include "layers/embedding.h"
#include "layers/recurrent.h"
#include "tests/data/files.h"

namespace {

using namespace heddle;

Tokenizer letters(const std::string& text) {
    return Tokenizer(std::span(&text, 1), {.unit = TokenizerOptions::Unit::character, .lower = false});
}

/// The character behind the last one in the alphabet, almost surely.
NextToken successor(const Tokenizer& tokenizer, double sureness) {
    return [&tokenizer, sureness](std::span<const std::int64_t> text) {
        std::vector<float> logits(static_cast<std::size_t>(tokenizer.size()));
        const std::string last = tokenizer.decode(text.last(1));
        logits[static_cast<std::size_t>(tokenizer.number(last == "d" ? "a" : std::string(1, char(last[0] + 1))))] =
            static_cast<float>(sureness);
        return Tensor::from(logits, Shape{tokenizer.size()});
    };
}

TEST(GenerateText, FollowsTheLogits) {
    const Tokenizer tokenizer = letters("abcd");
    EXPECT_EQ(generate_text(tokenizer, "ca", successor(tokenizer, 50), {.length = 6}), "cabcdabc");
    EXPECT_EQ(generate_text(tokenizer, "ca", successor(tokenizer, 50), {.length = 0}), "ca");
}

TEST(GenerateText, DrawsByProbabilityTemperatureAndSeed) {
    const Tokenizer tokenizer = letters("ab");
    const NextToken next = [](std::span<const std::int64_t>) {
        return Tensor::from(std::vector<float>{3, 2, 0, 1}, Shape{4});  // padding, unknown; a, b with probability 0.731
    };
    const auto share_of_b = [&](double temperature) {
        const std::string text = generate_text(tokenizer, "a", next, {.length = 4000, .temperature = temperature});
        return static_cast<double>(std::count(text.begin(), text.end(), 'b')) / 4000;
    };
    EXPECT_NEAR(share_of_b(1), 0.731, 0.03);
    EXPECT_NEAR(share_of_b(0.5), 0.881, 0.03);
    EXPECT_NEAR(share_of_b(1000), 0.5, 0.03);
    const auto written = [&](std::uint64_t seed) {
        return generate_text(tokenizer, "a", next, {.length = 40, .seed = seed});
    };
    EXPECT_EQ(written(1), written(1));
    EXPECT_NE(written(1), written(2));
}

TEST(GenerateText, AModelSeesTheLastTokensAlone) {
    set_seed(4);
    const Tokenizer tokenizer = letters("abcdef");
    const Sequential model{Embedding(tokenizer.size(), 8), LSTM(16, {.return_sequences = true}),
                           Dense(tokenizer.size(), {.kernel_initializer = {Initializer::random_normal, 2}})};
    model.build(Shape{5});
    EXPECT_FALSE(is_language_model(model));
    EXPECT_ERROR(generate_text(model, "abc"), "text_vectorization");
    model.set_text_vectorization(TextVectorization{.tokenizer = tokenizer, .output_sequence_length = 5});
    ASSERT_TRUE(is_language_model(model));

    // The same from the model itself, given no more than there is.
    const NextToken next = [&](std::span<const std::int64_t> text) {
        const std::size_t seen = std::min<std::size_t>(text.size(), 5);
        const Tensor x = Tensor::from(text.last(seen), Shape{1, static_cast<std::int64_t>(seen)});
        return model(x)[0][static_cast<std::int64_t>(seen) - 1].detach();
    };
    const TextGenerationOptions options{.length = 30, .seed = 3};
    const std::string text = generate_text(model, "fa", options);
    EXPECT_EQ(text, generate_text(tokenizer, "fa", next, options));
    EXPECT_GT(std::set<char>(text.begin(), text.end()).size(), 2u) << text;

    // It survives a file.
    const testing_files::TempFolder folder;
    model.save(folder / "model.safetensors");
    EXPECT_EQ(generate_text(Model::load(folder / "model.safetensors"), "fa", options), text);
}

TEST(GenerateText, RefusesWhatDoesNotFit) {
    const Tokenizer tokenizer = letters("ab");
    const NextToken next = [](std::span<const std::int64_t>) { return Tensor::zeros(Shape{3}); };
    EXPECT_ERROR(generate_text(tokenizer, "a", next), "expected logits [4]");
    EXPECT_ERROR(generate_text(tokenizer, "", next), "empty");
    EXPECT_ERROR(generate_text(tokenizer, "a", next, {.temperature = 0}), "temperature");
}

}  // namespace
