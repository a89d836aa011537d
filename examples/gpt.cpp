// A small decoder-only transformer (Radford et al. 2018; norms in front, as in GPT-2) on the same text as `char_lm`.
// The traps: attention that sees the next character (the mask is causal), positions that nobody told the model, and a
// residual stream that a norm interrupts.
#include "examples/common/example.h"
#include "examples/common/writing.h"

#include <cstdio>

using namespace heddle;

namespace {

constexpr std::int64_t window = 128, width = 128, heads = 4, blocks = 4;
constexpr float dropout = 0.1f;

Symbol block(const Symbol& x) {
    const Symbol attended = MultiHeadAttention(heads, width / heads, {.causal = true})(LayerNormalization()(x));
    const Symbol h = Add()({x, Dropout(dropout)(attended)});
    const Symbol mixed = Dense(width)(Dense(4 * width, {.activation = Activation::gelu})(LayerNormalization()(h)));
    return Add()({h, Dropout(dropout)(mixed)});
}

Model gpt(std::int64_t characters) {
    const Symbol in = Input(Shape{window});
    Symbol h = Dropout(dropout)(TokenAndPositionEmbedding(characters, window, width)(in));
    for (int i = 0; i < blocks; ++i) h = block(h);
    return Model(in, Dense(characters)(LayerNormalization()(h)));
}

void program(const examples::Arguments& args) {
    const examples::CharacterText text = examples::CharacterText::read(args.data, args.examples, window);
    const Model model = gpt(text.characters.size());
    model.to(args.device);
    const std::int64_t steps = args.epochs * ((text.train.size() + 31) / 32);
    model.compile(
        {.optimizer = AdamW(
             {.learning_rate = CosineDecay(
                  {.initial_learning_rate = 2e-3, .decay_steps = steps, .alpha = 0.05, .warmup_steps = steps / 20}),
              .weight_decay = 0.1,
              .beta_2 = 0.99,
              .global_clip_norm = 1,
              .decay_vectors = false}),
         .loss = SparseCategoricalCrossentropy({.from_logits = true})});
    const History history = model.fit(
        text.train, {.epochs = args.epochs, .batch_size = 32, .validation_data = text.validation, .seed = args.seed});
    examples::print_speed(history, "characters", window);
    examples::print_result("validation loss, nats a character", model.evaluate(text.validation).at("loss"),
                           "how often each character is", text.entropy);
    examples::plot_history(args.file("curves.png"), history, "A small transformer");
    model.set_text_vectorization(text.vectorization(window));
    model.save(args.file("gpt.safetensors"));
    const std::string written = generate_text(model, "ROMEO:", {.length = 400, .temperature = 0.8, .seed = args.seed});
    std::printf("\n%s\n", written.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "A small causal transformer writes characters",
                          .data = "input.txt?",
                          .how_to_get = examples::shakespeare_hint,
                          .epochs = 4},
                         program);
}
