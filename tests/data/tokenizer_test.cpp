#include "data/tokenizer.h"

#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;
using Numbers = std::vector<std::int64_t>;
using Tokens = std::vector<std::string>;

const Tokens sentences = {"The cat sat.", "The dog, the cat!", "Don't (stop)"};

TEST(Tokenizer, Words) {
    const Tokenizer words(sentences);
    EXPECT_EQ(words.tokens(), (Tokens{"[PAD]", "[UNK]", "the", "cat", "dog", "don't", "sat", "stop"}));
    EXPECT_EQ(words.size(), 8);
    EXPECT_EQ(words.encode("THE bird sat\t-\n don't"), (Numbers{2, 1, 6, 5}));
    EXPECT_EQ(words.decode(Numbers{0, 0, 2, 1, 6}), "the [UNK] sat");
    EXPECT_EQ(words.encode(sentences)[1], (Numbers{2, 4, 2, 3}));
    EXPECT_EQ(words.encode(""), Numbers{});
    EXPECT_ERROR(words.decode(Numbers{8}), "token 8 is outside 0 .. 7");
}

TEST(Tokenizer, TheVocabularyHasLimits) {
    EXPECT_EQ(Tokenizer(sentences, {.max_tokens = 4}).tokens(), (Tokens{"[PAD]", "[UNK]", "the", "cat"}));
    EXPECT_EQ(Tokenizer(sentences, {.min_count = 2}).tokens(), (Tokens{"[PAD]", "[UNK]", "the", "cat"}));
    EXPECT_EQ(Tokenizer(sentences, {.lower = false, .min_count = 2}).tokens(),
              (Tokens{"[PAD]", "[UNK]", "The", "cat"}));
    // Without filters punctuation stays with its word.
    EXPECT_EQ(Tokenizer(sentences, {.filters = ""}).number("sat."), 8);
    EXPECT_ERROR(Tokenizer(sentences, {.max_tokens = 2}), "must be at least 3, got 2");
    EXPECT_ERROR(Tokenizer(sentences, {.filters = "\xC3\xA9"}), "characters of ASCII");
}

TEST(Tokenizer, Characters) {
    const Tokens texts = {"ab a\n", "\xC3\x89\xE4\xB8\xAD"};  // E with acute accent, the Chinese sign for middle
    const Tokenizer characters(texts, {.unit = TokenizerOptions::Unit::character});
    EXPECT_EQ(characters.tokens(), (Tokens{"[PAD]", "[UNK]", "a", "\n", " ", "b", "\xC3\xA9", "\xE4\xB8\xAD"}));
    const std::string text = "ba\xC3\xA9 \xE4\xB8\xAD\n";
    EXPECT_EQ(characters.decode(characters.encode(text)), text);
    const Tokenizer exact(texts, {.unit = TokenizerOptions::Unit::character, .lower = false});
    EXPECT_EQ(exact.decode(exact.encode(texts[1])), texts[1]);
}

TEST(Tokenizer, LowerCaseOfOtherAlphabets) {
    const Tokenizer words(Tokens{});
    // Zwoelf with umlaut, Greek omega, Cyrillic De and Io; the times sign is no letter.
    EXPECT_EQ(words.split("\xC3\x84\xC3\x96 \xCE\xA9 \xD0\x94\xD0\x81 \xC3\x97"),
              (Tokens{"\xC3\xA4\xC3\xB6", "\xCF\x89", "\xD0\xB4\xD1\x91", "\xC3\x97"}));
    EXPECT_EQ(words.split("a\xC2\xA0"
                          "b\xE3\x80\x80"
                          "c"),
              (Tokens{"a", "b", "c"}))
        << "spaces beyond ASCII";
}

TEST(Tokenizer, BytesThatAreNoText) {
    const Tokenizer characters(Tokens{}, {.unit = TokenizerOptions::Unit::character});
    const std::string replacement = "\xEF\xBF\xBD";
    // A stray continuation, an overlong form, a surrogate, a sequence cut short; what follows is read again.
    EXPECT_EQ(characters.split("a\x80z"), (Tokens{"a", replacement, "z"}));
    EXPECT_EQ(characters.split("\xC0\xAF"), (Tokens{replacement, replacement}));
    EXPECT_EQ(characters.split("\xED\xA0\x80"), (Tokens{replacement, replacement, replacement}));
    EXPECT_EQ(characters.split("\xE4\xB8"), (Tokens{replacement, replacement}));
    EXPECT_EQ(characters.split("\xF0\x9F\x98\x80"), (Tokens{"\xF0\x9F\x98\x80"}));
}

TEST(Tokenizer, Files) {
    const TempFolder folder;
    const Tokens texts = {"a\\b\n\r", "a"};
    const TokenizerOptions options{.unit = TokenizerOptions::Unit::character};
    const Tokenizer characters(texts, options);
    characters.save(folder / "vocabulary.txt");
    EXPECT_EQ(read_bytes(folder / "vocabulary.txt"), "[PAD]\n[UNK]\na\n\\n\n\\r\n\\\\\nb\n");
    const Tokenizer back = Tokenizer::load(folder / "vocabulary.txt", options);
    EXPECT_EQ(back.tokens(), characters.tokens());
    EXPECT_EQ(back.encode("b\na?"), characters.encode("b\na?"));

    const auto load = [&](const std::string& bytes) {
        write_bytes(folder / "v.txt", bytes);
        return Tokenizer::load(folder / "v.txt").size();
    };
    EXPECT_EQ(load("[PAD]\r\n[UNK]\r\na"), 3) << "Windows' line ends, none at the end";
    EXPECT_ERROR(load("[PAD]\n[UNK]\na\na\n"), "v.txt, line 4: token \"a\" is there twice");
    EXPECT_ERROR(load("[PAD]\n[UNK]\n\na\n"), "v.txt, line 3: expected a token, got an empty line");
    EXPECT_ERROR(load("[PAD]\n[UNK]\n\\q\n"), "v.txt, line 3: expected \\\\, \\n or \\r");
    EXPECT_ERROR(load("a\n[UNK]\n"), "the first two lines must be \"[PAD]\" and \"[UNK]\"");
    EXPECT_ERROR(Tokenizer::load(folder / "missing.txt"), "missing.txt");
}

}  // namespace
