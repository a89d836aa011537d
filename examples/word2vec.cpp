// word2vec: vectors of words from the words around them. Judged by pairs of related words, chosen before training: how
// often is the partner among the nearest 5 % of all words? In a random order that would be 5 times in
// 100.
#include "examples/common/example.h"
#include "examples/common/reviews.h"
#include "examples/common/skip_gram.h"

#include <algorithm>
#include <array>
#include <cstdio>

using namespace heddle;

namespace {

constexpr std::array<std::array<const char*, 2>, 30> related{{
    {"man", "woman"},          {"boy", "girl"},        {"actor", "actress"},   {"film", "movie"},
    {"director", "filmmaker"}, {"actors", "cast"},     {"funny", "comedy"},    {"jokes", "laughs"},
    {"love", "romance"},       {"horror", "scary"},    {"action", "thriller"}, {"music", "songs"},
    {"plot", "story"},         {"script", "dialogue"}, {"good", "bad"},        {"great", "terrific"},
    {"dull", "boring"},        {"smart", "clever"},    {"sweet", "charming"},  {"sad", "melancholy"},
    {"war", "soldiers"},       {"family", "children"}, {"mother", "daughter"}, {"book", "novel"},
    {"special", "effects"},    {"animated", "disney"}, {"camera", "images"},   {"drama", "tragedy"},
    {"years", "decades"},      {"french", "american"},
}};

void program(const examples::Arguments& args) {
    const examples::Reviews reviews = examples::load_reviews(args.data, args.examples);
    const Tokenizer words(reviews.train, {.filters = "", .min_count = 4});
    constexpr std::int64_t size = 96;
    Tensor vectors = ops::random_uniform(Shape{words.size(), size}, -0.5 / size, 0.5 / size);
    vectors.set_requires_grad();
    examples::train_skip_gram(reviews.train, words, size, {{"vectors", vectors}},
                              [&](const Tensor& chosen) { return ops::gather(vectors, chosen); },
                              {.epochs = args.epochs, .seed = args.seed});

    const Tensor unit = examples::unit_rows(vectors.detach());
    int listed = 0, near = 0;
    for (const auto& [word, partner] : related) {
        const std::int64_t from = words.number(word), to = words.number(partner);
        if (from == 1 || to == 1) {
            std::printf("%-10s %-11s (not in the vocabulary)\n", word, partner);
            continue;
        }
        const std::vector<std::int64_t> order = examples::nearest(unit, unit[from], from);
        const double place = static_cast<double>(std::find(order.begin(), order.end(), to) - order.begin()) /
                             static_cast<double>(order.size());
        std::printf("%-10s %-11s nearest %5.1f %%:", word, partner, 100 * place);
        for (std::size_t i = 0; i < 5; ++i)
            std::printf(" %s", words.tokens()[static_cast<std::size_t>(order[i])].c_str());
        std::printf("\n");
        ++listed;
        near += place <= 0.05;
    }
    std::printf("%d of %d pairs\n", near, listed);
    examples::print_result("pairs within the nearest 5 percent", static_cast<double>(near) / related.size(),
                           "in a random order", 0.05);

    // As a model of texts: the mean of their words' vectors. What stands for unknown words has none.
    const Sequential model{Embedding(words.size(), size, {.mask_zero = true}), GlobalAveragePooling1D()};
    model.build(Shape{1});
    const Tensor table = model.parameters()[0].second;
    table.copy_(vectors.detach());
    table.slice(0, Tokenizer::unknown + 1).fill_(0);
    model.set_text_vectorization(TextVectorization{.tokenizer = words});
    model.save(args.file("word2vec.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "Vectors of words by skip-gram with negative sampling",
                          .data = "FOLDER?",
                          .how_to_get = examples::reviews_hint,
                          .epochs = 15},
                         program);
}
