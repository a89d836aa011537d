// Activation functions compared: a deep, narrow network, the same first weights, sigmoid, tanh, ReLU and leaky ReLU.
// Five hidden layers are enough for the sigmoid's small slopes (at most 1/4) to slow the first layers down.
#include "examples/common/example.h"

#include <cstdio>

using namespace heddle;

namespace {

void program(const examples::Arguments& args) {
    const DataSource data = examples::open_pictures(args);
    PlotOptions plot{.title = "Activation functions, five hidden layers of 64",
                     .panels = {{.title = "training loss"}, {.title = "validation accuracy"}}};
    std::printf("%-12s %12s %12s %12s\n", "", "first epoch", "last epoch", "train loss");
    double best = 0;
    for (const Activation::Kind kind :
         {Activation::sigmoid, Activation::tanh, Activation::relu, Activation::leaky_relu}) {
        set_seed(args.seed);
        std::vector<Layer> layers{Flatten()};
        for (int i = 0; i < 5; ++i) layers.push_back(Dense(64, {.activation = kind}));
        layers.push_back(Dense(10));
        const Sequential model(layers);
        model.to(args.device);
        model.compile({.optimizer = SGD({.learning_rate = 0.05, .momentum = 0.9}),
                       .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                       .metrics = {"accuracy"}});
        const History history = model.fit(
            args.limited(data.train),
            {.epochs = args.epochs, .batch_size = 128, .validation_data = data.test, .verbose = 0, .seed = args.seed});
        const std::string name(Activation::name_of(kind));
        const std::vector<double>& accuracy = history.at("val_accuracy");
        std::printf("%-12s %12.4f %12.4f %12.4f\n", name.c_str(), accuracy.front(), accuracy.back(),
                    history.at("loss").back());
        std::fflush(stdout);
        plot.panels[0].lines.push_back({.label = name, .y = history.at("loss")});
        plot.panels[1].lines.push_back({.label = name, .y = accuracy});
        best = std::max(best, accuracy.back());
    }
    plot_lines(args.file("activations.png"), plot);
    examples::print_result("best test accuracy", best, "always one class", 0.1);
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "Sigmoid, tanh, ReLU and leaky ReLU compared in a deep network",
                          .data = "fashion-mnist",
                          .how_to_get = "Debian: apt install dataset-fashion-mnist",
                          .epochs = 10},
                         program);
}
