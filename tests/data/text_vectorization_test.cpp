#include "data/text_vectorization.h"

#include "tests/data/files.h"

namespace {

using namespace heddle;

const std::vector<std::string> texts{"the cat sat", "the dog", "the cat"};  // the, cat, dog, sat

TEST(TextVectorization, IntegersAreCutOrPaddedAtTheEnd) {
    TextVectorization numbers{.tokenizer = Tokenizer(texts), .output_sequence_length = 2};
    const std::vector<std::string> read{"the cat sat", "bird", ""};
    const Tensor x = numbers.apply(read);
    EXPECT_EQ(x.shape(), (Shape{3, 2}));
    EXPECT_EQ(x.to_vector<std::int64_t>(), (std::vector<std::int64_t>{2, 3, 1, 0, 0, 0}));
    numbers.output_sequence_length = 0;
    EXPECT_EQ(numbers.apply(read).to_vector<std::int64_t>(), (std::vector<std::int64_t>{2, 3, 5, 1, 0, 0, 0, 0, 0}));
}

TEST(TextVectorization, MultiHotSaysWhichWordsAreThere) {
    const TextVectorization bags{.tokenizer = Tokenizer(texts),
                                 .output_mode = TextVectorization::OutputMode::multi_hot};
    const Tensor x = bags.apply("Cat, bird, cat");
    EXPECT_EQ(x.shape(), (Shape{1, 6}));
    EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{0, 0, 0, 1, 0, 0}));  // the unknown bird does not count
}

TEST(TextVectorization, ComesBackFromItsConfig) {
    const std::string letters = "aab\n\"\\é";
    const TextVectorization written{
        .tokenizer = Tokenizer(std::span(&letters, 1),
                               {.unit = TokenizerOptions::Unit::character, .lower = false, .padding = "<0>"}),
        .output_sequence_length = 7};
    const TextVectorization read = TextVectorization::from_config(Config::parse(written.to_config().to_json()));
    EXPECT_EQ(read.to_config(), written.to_config());
    EXPECT_EQ(read.tokenizer.tokens(), written.tokenizer.tokens());
    EXPECT_EQ(read.apply("ba\nÉ").to_vector<std::int64_t>(), written.apply("ba\nÉ").to_vector<std::int64_t>());
    EXPECT_EQ(read.output_sequence_length, 7);

    const TextVectorization words{.tokenizer = Tokenizer(texts, {.filters = "t"}),
                                  .output_mode = TextVectorization::OutputMode::multi_hot};
    const TextVectorization again = TextVectorization::from_config(words.to_config());
    EXPECT_EQ(again.tokenizer.options().filters, "t");
    EXPECT_EQ(again.apply(texts).to_vector<float>(), words.apply(texts).to_vector<float>());
}

TEST(TextVectorization, RefusesDamagedConfigs) {
    const Config good = TextVectorization{.tokenizer = Tokenizer(texts)}.to_config();
    const auto with = [&](const char* key, const Config& value) {
        Config bad = good;
        return TextVectorization::from_config(bad.set(key, value));
    };
    EXPECT_ERROR(with("output_mode", "tf_idf"), "unknown output_mode \"tf_idf\"");
    EXPECT_ERROR(with("unit", 3), "expected a string");
    EXPECT_ERROR(with("output_sequence_length", -1), "output_sequence_length");
    EXPECT_ERROR(with("vocabulary", Config::Array{"[PAD]", "[UNK]", "a", "a"}), "\"a\" is there twice");
    EXPECT_ERROR(with("vocabulary", Config::Array{"[UNK]", "[PAD]"}), "first two");
    EXPECT_ERROR(with("vocabulary", Config::Array{"[PAD]", "[UNK]", ""}), "token 2 is empty");
    EXPECT_ERROR(TextVectorization::from_config(Config()), "there is no \"unit\"");
}

}  // namespace
