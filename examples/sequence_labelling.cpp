// Sequence labelling: Shakespeare without spaces is read in both directions, and for each letter the model predicts
// whether a space follows. The traps: a model that only reads forwards cannot know that a word has ended before it sees
// the next one begin; and one trained on full windows has never seen the padding of a shorter text, which is masked.
#include "examples/common/example.h"

#include <algorithm>
#include <cstdio>
#include <span>

using namespace heddle;

namespace {

constexpr std::int64_t window = 100;

// Letters without the spaces between them, and whether one followed each.
struct Letters {
    std::string text;
    std::vector<float> space;
};

Letters without_spaces(const std::string& text) {
    Letters letters;
    for (const char c : text) {
        const bool space = c == ' ' || c == '\n', goes_on = (c & 0xC0) == 0x80;  // a letter of several bytes in UTF-8
        if (!space) {
            letters.text += c;
            if (!goes_on) letters.space.push_back(0);
        } else if (!letters.space.empty()) {
            letters.space.back() = 1;
        }
    }
    return letters;
}

TensorDataset windows(const Letters& letters, const Tokenizer& alphabet) {
    std::vector<std::int64_t> x = alphabet.encode(letters.text);
    if (x.size() != letters.space.size()) throw Error("the text is not UTF-8");
    const auto count = static_cast<std::int64_t>(x.size()) / window;
    x.resize(static_cast<std::size_t>(count * window));
    const std::vector<float> y(letters.space.begin(), letters.space.begin() + count * window);
    return TensorDataset(Tensor::from(x, Shape{count, window}), Tensor::from(y, Shape{count, window, 1}));
}

double f1(const std::vector<bool>& said, const std::vector<float>& truth) {
    double right = 0, wrong = 0;  // 2 right / (2 right + wrong), wrong being both kinds of mistakes
    for (std::size_t i = 0; i < said.size(); ++i) {
        right += said[i] && truth[i] > 0;
        wrong += said[i] != (truth[i] > 0);
    }
    return right > 0 ? 2 * right / (2 * right + wrong) : 0;
}

void program(const examples::Arguments& args) {
    std::string text = read_text(args.data);
    if (args.examples > 0 && static_cast<std::size_t>(args.examples) < text.size())
        text.resize(static_cast<std::size_t>(args.examples));
    const std::size_t held_out = text.size() - text.size() / 10;
    const Letters first = without_spaces(text.substr(0, held_out)), last = without_spaces(text.substr(held_out));
    const Tokenizer alphabet(std::span(&first.text, 1), {.unit = TokenizerOptions::Unit::character, .lower = false});
    const TensorDataset train = windows(first, alphabet), test = windows(last, alphabet);

    const Sequential model{Embedding(alphabet.size(), 32, {.mask_zero = true}),
                           Bidirectional(LSTM(128, {.return_sequences = true})),
                           Bidirectional(LSTM(128, {.return_sequences = true})), Dense(1)};
    model.to(args.device);
    const std::int64_t steps = args.epochs * ((train.size() + 31) / 32);
    model.compile(
        {.optimizer = Adam({.learning_rate = CosineDecay({.initial_learning_rate = 3e-3, .decay_steps = steps}),
                            .global_clip_norm = 1}),
         .loss = BinaryCrossentropy({.from_logits = true}),
         .metrics = {BinaryAccuracy(0)}});
    const History history =
        model.fit(train, {.epochs = args.epochs, .batch_size = 32, .validation_data = test, .seed = args.seed});

    const std::vector<float> logits = model.predict(test).to(Device::cpu()).to_vector<float>();
    std::vector<bool> said(logits.size());
    std::transform(logits.begin(), logits.end(), said.begin(), [](float v) { return v > 0; });
    examples::print_result("boundary F1", f1(said, last.space), "a space after every letter",
                           f1(std::vector<bool>(said.size(), true), last.space));
    const std::vector<std::string> read = alphabet.split(last.text);
    std::string shown;
    for (std::size_t i = 0; i < std::min<std::size_t>(300, said.size()); ++i) {
        shown += read[i];
        if (said[i]) shown += ' ';
    }
    std::printf("%s\n", shown.c_str());
    examples::plot_history(args.file("curves.png"), history, "Where the spaces were");
    model.set_text_vectorization(TextVectorization{.tokenizer = alphabet});  // texts are as long as they are
    model.set_class_names({"inside", "end"});  // of a word, that is where each letter stands
    model.save(args.file("sequence_labelling.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(
        argc, argv,
        {.summary = "A bidirectional LSTM puts the spaces back into a text",
         .data = "input.txt?",
         .how_to_get = "A text file; tiny Shakespeare: "
                       "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
         .epochs = 8},
        program);
}
