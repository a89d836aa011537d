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

TEST(TextVectorization, SubwordsGiveNumbersToWordsNeverSeen) {
    const TextVectorization pieces{.tokenizer = Tokenizer(texts), .subwords = {.buckets = 1000, .longest = 4}};
    EXPECT_EQ(pieces.size(), 1006);
    const auto of = [&](const std::string& text) { return pieces.apply(text).to_vector<std::int64_t>(); };
    // The word; then <ca cat at> and <cat cat>.
    const std::vector<std::int64_t> cat = of("cat"), cats = of("Cats"), two = of("cat the");
    ASSERT_EQ(cat.size(), 6u);
    EXPECT_EQ(cat[0], 3);
    for (std::size_t i = 1; i < cat.size(); ++i) EXPECT_TRUE(cat[i] >= 6 && cat[i] < 1006) << cat[i];
    // "cats" is unknown: <ca cat ats ts> and <cat cats ats>. It shares the first two pieces, and <cat, with "cat".
    ASSERT_EQ(cats.size(), 7u);
    EXPECT_EQ(cats[0], cat[1]);
    EXPECT_EQ(cats[1], cat[2]);
    EXPECT_EQ(cats[4], cat[4]);
    EXPECT_EQ(cats[2] == cat[3], false);
    ASSERT_EQ(two.size(), 12u);
    EXPECT_EQ(std::vector<std::int64_t>(two.begin(), two.begin() + 6), cat);
    EXPECT_EQ(two[6], 2);
    // Characters, not bytes: <é é> are too short for 3, <é> is one piece.
    EXPECT_EQ(of("é").size(), 1u);
    const std::vector<std::string> both{"cat", "the cat"};
    EXPECT_EQ(pieces.apply(both).shape(), (Shape{2, 12}));

    const TextVectorization read = TextVectorization::from_config(Config::parse(pieces.to_config().to_json()));
    EXPECT_EQ(read.to_config(), pieces.to_config());
    EXPECT_EQ(read.apply("cats").to_vector<std::int64_t>(), cats);
    TextVectorization bad = pieces;
    bad.subwords.longest = 2;
    EXPECT_ERROR(bad.apply("cat"), "subwords");
    bad = pieces;
    bad.output_mode = TextVectorization::OutputMode::multi_hot;
    EXPECT_ERROR(bad.apply("cat"), "multi_hot");
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
