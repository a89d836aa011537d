// A character language model: two LSTM layers read Shakespeare and say which character comes next. Training cuts the
// text into windows and starts each from an empty state; writing feeds the model its own characters, one by one, drawn
// at a temperature.
#include "examples/common/example.h"
#include "examples/common/writing.h"

#include <cstdio>

using namespace heddle;

namespace {

constexpr std::int64_t window = 100;

void program(const examples::Arguments& args) {
    const examples::CharacterText text = examples::CharacterText::read(args.data, args.examples, window);
    const Sequential model{Embedding(text.characters.size(), 64),
                           LSTM(256, {.return_sequences = true}),
                           Dropout(0.2f),
                           LSTM(256, {.return_sequences = true}),
                           Dropout(0.2f),
                           Dense(text.characters.size())};
    model.to(args.device);
    const std::int64_t steps = args.epochs * ((text.train.size() + 31) / 32);
    model.compile(
        {.optimizer =
             Adam({.learning_rate = CosineDecay({.initial_learning_rate = 3e-3, .decay_steps = steps, .alpha = 0.02}),
                   .global_clip_norm = 1}),
         .loss = SparseCategoricalCrossentropy({.from_logits = true})});
    const History history = model.fit(
        text.train, {.epochs = args.epochs, .batch_size = 32, .validation_data = text.validation, .seed = args.seed});
    examples::print_result("validation loss, nats a character", model.evaluate(text.validation).at("loss"),
                           "how often each character is", text.entropy);
    examples::plot_history(args.file("curves.png"), history, "Character language model");
    model.save(args.file("char_lm.safetensors"));
    text.characters.save(args.file("characters.txt"));
    std::printf("\n%s\n", examples::write(model, text.characters, "ROMEO:", 400, 0.8, window).c_str());
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
