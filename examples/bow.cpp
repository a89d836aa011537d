// Bag of words: the words of a sentence, without their order, usually suffice to tell praise from blame. One Dense
// layer on top is logistic regression, and its weights show what each word stands for.
#include "examples/common/example.h"
#include "examples/common/reviews.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

using namespace heddle;

namespace {

Tensor column(const std::vector<std::int64_t>& labels) {
    return Tensor::from(labels, Shape{static_cast<std::int64_t>(labels.size()), 1}).to(DType::f32);
}

void program(const examples::Arguments& args) {
    const examples::Reviews reviews = examples::load_reviews(args.data, args.examples);
    // The sentences are in lower case already, with blanks around punctuation.
    const Tokenizer words(reviews.train, {.filters = "", .min_count = 2});
    // Rows with 1 where the sentence has the word.
    const TextVectorization bags{.tokenizer = words, .output_mode = TextVectorization::OutputMode::multi_hot};
    const Tensor x = bags.apply(reviews.train), y = column(reviews.train_labels);
    const Tensor test_x = bags.apply(reviews.test), test_y = column(reviews.test_labels);

    const Sequential model{Dense(1, {.kernel_initializer = Initializer::zeros})};
    model.to(args.device);
    model.compile({.optimizer = Adam({.learning_rate = 3e-3}),
                   .loss = BinaryCrossentropy({.from_logits = true}),
                   .metrics = {BinaryAccuracy(0, "accuracy")},
                   .l2 = 1e-4});
    const History history = model.fit(
        x, y, {.epochs = args.epochs, .batch_size = 64, .validation_data = {test_x, test_y}, .seed = args.seed});
    const double praise = test_y.mean().item();
    examples::print_result("test accuracy", model.evaluate(test_x, test_y).at("accuracy"), "always one class",
                           std::max(praise, 1 - praise));

    const std::vector<float> weights = model.parameters()[0].second.to_vector<float>();
    std::vector<std::int64_t> order(weights.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return weights[static_cast<std::size_t>(a)] < weights[static_cast<std::size_t>(b)];
    });
    for (const auto& [what, end] : {std::pair{"blame:", order.begin()}, std::pair{"praise:", order.end() - 12}}) {
        std::printf("%-8s", what);
        std::for_each(end, end + 12, [&](std::int64_t number) {
            std::printf(" %s", words.tokens()[static_cast<std::size_t>(number)].c_str());
        });
        std::printf("\n");
    }
    examples::plot_history(args.file("curves.png"), history, "Bag of words", "accuracy");
    model.set_text_vectorization(bags);
    model.set_class_names({"blame", "praise"});
    model.save(args.file("bow.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "Praise or blame, from a bag of words",
                          .data = "FOLDER?",
                          .how_to_get = examples::reviews_hint,
                          .epochs = 15},
                         program);
}
