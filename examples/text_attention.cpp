// Praise or blame, and why: words become vectors, a bidirectional LSTM reads them, attention weighs its outputs, and
// the weighted sum decides. The traps: attention to the padding after a short sentence (its scores are
// set to minus infinity before the softmax), and a softmax over the batch instead of over the words.
#include "examples/common/example.h"
#include "examples/common/reviews.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

using namespace heddle;

namespace {

constexpr std::int64_t longest = 40;

Tensor column(const std::vector<std::int64_t>& labels) {
    return Tensor::from(labels, Shape{static_cast<std::int64_t>(labels.size()), 1}).to(DType::f32);
}

// A sentence, and the words that weighed most.
void print_attended(const std::string& sentence, const Tokenizer& words, const std::vector<float>& weights,
                    double probability) {
    const std::vector<std::string> shown = words.split(sentence);
    std::vector<std::size_t> order(std::min<std::size_t>(shown.size(), longest));
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
    std::printf("%4.0f %% praise: %s\n   ", 100 * probability, sentence.c_str());
    for (std::size_t i = 0; i < std::min<std::size_t>(4, order.size()); ++i)
        std::printf(" %s %.2f", shown[order[i]].c_str(), static_cast<double>(weights[order[i]]));
    std::printf("\n");
}

void program(const examples::Arguments& args) {
    const examples::Reviews reviews = examples::load_reviews(args.data, args.examples);
    const Tokenizer words(reviews.train, {.filters = "", .min_count = 2});
    const Symbol in = Input(Shape{longest});
    const Symbol embedded = Dropout(0.5f)(Embedding(words.size(), 64, {.padding_index = Tokenizer::padding})(in));
    const Symbol read = Dropout(0.5f)(Bidirectional(LSTM(64, {.return_sequences = true}))(embedded));
    // A weight for each word (Bahdanau et al. 2015, without a query). The words' numbers are the mask: padding is 0.
    const Symbol hidden = Dense(64, {.activation = Activation::tanh})(read);
    const Symbol scores = Reshape(Shape{longest})(Dense(1, {.use_bias = false})(hidden));
    const Symbol weights = Softmax()({scores, in});
    const Model model({in}, {Dense(1)(Dropout(0.5f)(Dot(1)({weights, read}))), weights});
    model.to(args.device);
    model.compile({.optimizer = Adam({.learning_rate = 2e-3, .global_clip_norm = 1}),
                   .loss = BinaryCrossentropy({.from_logits = true}),
                   .metrics = {BinaryAccuracy(0, "accuracy")}});
    const TextVectorization numbers{.tokenizer = words, .output_sequence_length = longest};
    const Tensor x = numbers.apply(reviews.train), test_x = numbers.apply(reviews.test),
                 test_y = column(reviews.test_labels);
    const History history =
        model.fit(x, column(reviews.train_labels),
                  {.epochs = args.epochs, .batch_size = 64, .validation_data = {test_x, test_y}, .seed = args.seed});
    const double praise = test_y.mean().item();
    examples::print_result("test accuracy", model.evaluate(test_x, test_y).at("accuracy"), "always one class",
                           std::max(praise, 1 - praise));

    const NoGrad no_grad;
    const std::vector<Tensor> outputs = model(std::vector<Tensor>{test_x.slice(0, 8).to(args.device)}, false);
    const std::vector<float> probabilities = ops::sigmoid(outputs[0]).to_vector<float>();
    for (std::int64_t i = 0; i < 8; ++i)
        print_attended(reviews.test[static_cast<std::size_t>(i)], words, outputs[1][i].to_vector<float>(),
                       static_cast<double>(probabilities[static_cast<std::size_t>(i)]));
    examples::plot_history(args.file("curves.png"), history, "LSTM with attention", "accuracy");
    model.set_text_vectorization(numbers);
    model.set_class_names({"blame", "praise"});
    model.save(args.file("text_attention.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "An LSTM with attention tells praise from blame and shows the words it went by",
                          .data = "FOLDER?",
                          .how_to_get = examples::reviews_hint,
                          .epochs = 5},
                         program);
}
