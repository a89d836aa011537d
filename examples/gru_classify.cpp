// A picture read row by row: 28 steps of 28 pixels through two recurrent layers, of which the second gives its last
// state alone.
#include "examples/common/example.h"

using namespace heddle;

namespace {

Sequential reader(bool gru) {
    const Layer first = gru ? Layer(GRU(96, {.return_sequences = true})) : Layer(LSTM(96, {.return_sequences = true}));
    const Layer second = gru ? Layer(GRU(96)) : Layer(LSTM(96));
    return Sequential{Reshape(Shape{28, 28}), first, second, Dense(10)};
}

void program(const examples::Arguments& args) {
    const DataSource data = examples::open_pictures(args);
    const Dataset train = args.limited(data.train);
    const std::int64_t steps = args.epochs * ((train.size() + 127) / 128);
    PlotOptions plot{.title = "Rows of " + data.name, .panels = {{.title = "loss"}, {.title = "validation accuracy"}}};
    for (const bool gru : {true, false}) {
        const std::string name = gru ? "GRU" : "LSTM";
        set_seed(args.seed);
        const Sequential model = reader(gru);
        model.to(args.device);
        model.compile(
            {.optimizer = Adam({.learning_rate = CosineDecay({.initial_learning_rate = 2e-3, .decay_steps = steps}),
                                .global_clip_norm = 1}),
             .loss = SparseCategoricalCrossentropy({.from_logits = true}),
             .metrics = {"accuracy"}});
        const History history = model.fit(
            train, {.epochs = args.epochs, .batch_size = 128, .validation_data = data.test, .seed = args.seed});
        examples::print_result("test accuracy, " + name, model.evaluate(data.test).at("accuracy"), "always one class",
                               0.1);
        plot.panels[0].lines.push_back({.label = name, .y = history.at("loss"), .markers = true});
        plot.panels[1].lines.push_back({.label = name, .y = history.at("val_accuracy"), .markers = true});
        model.save(args.file((gru ? "gru" : "lstm") + std::string(".safetensors")));
    }
    plot_lines(args.file("curves.png"), plot);
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "Stacked GRU and LSTM layers read pictures row by row",
                          .data = "fashion-mnist",
                          .how_to_get = "Debian: apt install dataset-fashion-mnist",
                          .epochs = 6},
                         program);
}
