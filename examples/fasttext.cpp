// fastText (Bojanowski et al. 2017): a word's vector is the mean of the vectors of its pieces (3 to 5 letters with the
// word's ends marked, and the word itself), so that a word nobody has seen has a vector too. To measure that, some
// words are left out of training: forms like "filmmakers" whose other form "filmmaker" stays. The trap: a held-out word
// whose own entry is still in the table would be no unseen word.
#include "examples/common/example.h"
#include "examples/common/reviews.h"
#include "examples/common/skip_gram.h"

#include <algorithm>
#include <cstdio>
#include <set>

using namespace heddle;

namespace {

constexpr std::int64_t size = 96, most_pieces = 32;

void program(const examples::Arguments& args) {
    examples::Reviews reviews = examples::load_reviews(args.data, args.examples);
    // Every third word that is another frequent word with an "s", "ly" or "ed" behind it is taken out of the text.
    const Tokenizer before(reviews.train, {.filters = "", .min_count = 5});
    std::vector<std::pair<std::string, std::string>> held_out;
    int found = 0;
    for (std::int64_t i = 2; i < before.size(); ++i)
        for (const char* ending : {"s", "ly", "ed"})
            if (const std::string& word = before.tokens()[static_cast<std::size_t>(i)];
                word.size() >= 6 && word.ends_with(ending)) {
                const std::string stem = word.substr(0, word.size() - std::string(ending).size());
                if (before.number(stem) > 1 && ++found % 3 == 0) held_out.emplace_back(word, stem);
            }
    std::set<std::string> hidden;
    for (const auto& [word, stem] : held_out) hidden.insert(word);
    for (std::string& sentence : reviews.train) {
        std::string kept;
        for (const std::string& word : before.split(sentence))
            if (!hidden.contains(word)) kept += word + " ";
        sentence = kept;
    }

    const Tokenizer words(reviews.train, {.filters = "", .min_count = 4});
    TextVectorization pieces{
        .tokenizer = words, .output_sequence_length = most_pieces, .subwords = {.buckets = 20'000}};
    const Initializer small{Initializer::random_uniform, 1.0 / size};
    const Sequential vectors{Embedding(pieces.size(), size, {.embeddings_initializer = small, .mask_zero = true}),
                             GlobalAveragePooling1D()};
    vectors.build(Shape{most_pieces});
    const Tensor of_words = pieces.apply(words.tokens());  // [words, most_pieces]
    examples::train_skip_gram(reviews.train, words, size, vectors.parameters(),
                              [&](const Tensor& chosen) { return vectors(ops::gather(of_words, chosen), true); },
                              {.epochs = args.epochs, .seed = args.seed});

    const NoGrad no_grad;
    const Tensor unit = examples::unit_rows(vectors.predict(of_words));
    int listed = 0, near = 0;
    for (const auto& [word, stem] : held_out) {
        if (words.number(stem) == 1 || words.number(word) != 1) continue;
        const std::vector<std::int64_t> order = examples::nearest(unit, vectors.predict(pieces.apply(word)), 1);
        near += std::find(order.begin(), order.begin() + 10, words.number(stem)) != order.begin() + 10;
        if (listed++ < 12) {
            std::printf("%-14s (unseen):", word.c_str());
            for (std::size_t i = 0; i < 6; ++i)
                std::printf(" %s", words.tokens()[static_cast<std::size_t>(order[i])].c_str());
            std::printf("\n");
        }
    }
    std::printf("%d unseen words\n", listed);
    examples::print_result("unseen words with their stem among the nearest 10",
                           static_cast<double>(near) / std::max(listed, 1), "in a random order",
                           10.0 / static_cast<double>(words.size() - 2));
    pieces.output_sequence_length = 0;  // of a text of several words: as many as they have
    vectors.set_text_vectorization(pieces);
    vectors.save(args.file("fasttext.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "Vectors of words from their pieces, also for words never seen",
                          .data = "FOLDER?",
                          .how_to_get = examples::reviews_hint,
                          .epochs = 8},
                         program);
}
