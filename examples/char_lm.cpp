// A character language model: two LSTM layers read Shakespeare and predict the next character. Training cuts the
// text into windows and starts each from an empty state; generation feeds the model its own characters, one by one,
// drawn at a temperature. So that it need not read its own text again, a second model of the same layers takes one
// character and the layers' last states, and returns their new states.
#include "examples/common/example.h"
#include "examples/common/writing.h"

#include <cstdio>

using namespace heddle;

namespace {

constexpr std::int64_t window = 100, units = 256;

struct Models {
    Model train;  // [window] characters to logits [window, characters]
    Model step;   // one character and four states [units] to logits [1, characters] and the states behind it
};

Models char_lm(std::int64_t characters) {
    const Embedding embedding(characters, 64);
    const LSTM first(units, {.return_sequences = true, .return_state = true}),
        second(units, {.return_sequences = true, .return_state = true});
    const Dropout dropout(0.2f);
    const Dense dense(characters);

    const Symbol text = Input(Shape{window});
    const Model train(text, dense(dropout(second(dropout(first(embedding(text)))))));

    const Symbol character = Input(Shape{1});
    std::vector<Symbol> states;
    for (int i = 0; i < 4; ++i) states.push_back(Input(Shape{units}));
    const std::vector<Symbol> low = first.outputs({embedding(character), states[0], states[1]}),
                              high = second.outputs({dropout(low[0]), states[2], states[3]});
    return {train, Model({character, states[0], states[1], states[2], states[3]},
                         {dense(dropout(high[0])), low[1], low[2], high[1], high[2]})};
}

// Reads the characters that are new since its last call, and predicts the next one. Starts from empty states.
NextToken reader(const Model& step, Device device) {
    std::vector<Tensor> states(4, Tensor::zeros(Shape{1, units}, {.device = device}));
    return [=, read = std::size_t{0}, logits = Tensor()](std::span<const std::int64_t> text) mutable {
        const NoGrad no_grad;
        for (; read < text.size(); ++read) {
            std::vector<Tensor> inputs{Tensor::from(text.subspan(read, 1), Shape{1, 1}).to(device)};
            inputs.insert(inputs.end(), states.begin(), states.end());
            const std::vector<Tensor> outputs = step(inputs);
            logits = outputs[0].reshape(Shape{-1});
            states.assign(outputs.begin() + 1, outputs.end());
        }
        return logits;
    };
}

void program(const examples::Arguments& args) {
    const examples::CharacterText text = examples::CharacterText::read(args.data, args.examples, window);
    const auto [model, step] = char_lm(text.characters.size());
    model.to(args.device);
    const std::int64_t steps = args.epochs * ((text.train.size() + 31) / 32);
    model.compile(
        {.optimizer =
             Adam({.learning_rate = CosineDecay({.initial_learning_rate = 3e-3, .decay_steps = steps, .alpha = 0.02}),
                   .global_clip_norm = 1}),
         .loss = SparseCategoricalCrossentropy({.from_logits = true})});
    const History history = model.fit(
        text.train, {.epochs = args.epochs, .batch_size = 32, .validation_data = text.validation, .seed = args.seed});
    examples::print_speed(history, "characters", window);
    examples::print_result("validation loss, nats a character", model.evaluate(text.validation).at("loss"),
                           "how often each character is", text.entropy);
    examples::plot_history(args.file("curves.png"), history, "Character language model");
    model.set_text_vectorization(text.vectorization(window));
    model.save(args.file("char_lm.safetensors"));
    const std::string written = generate_text(text.characters, "ROMEO:", reader(step, args.device),
                                              {.length = 400, .temperature = 0.8, .seed = args.seed});
    std::printf("\n%s\n", written.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "A character language model of LSTM layers",
                          .data = "input.txt?",
                          .how_to_get = examples::shakespeare_hint,
                          .epochs = 10},
                         program);
}
