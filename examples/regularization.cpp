// How to keep a network from memorising a small training set: the same CNN on 2,000 pictures, plain, with L1, L2 or
// dropout, and with augmented pictures. One table and one plot; look at the gap between the two accuracies.
#include "examples/common/example.h"

#include <cstdio>

using namespace heddle;

namespace {

struct Variant {
    const char* name;
    double l1 = 0, l2 = 0;
    float dropout = 0;
    bool augment = false;
};

Sequential network(float dropout) {
    return Sequential{Conv2D(32, 3, {.activation = Activation::relu}),
                      MaxPooling2D(2),
                      Conv2D(64, 3, {.activation = Activation::relu}),
                      MaxPooling2D(2),
                      Flatten(),
                      Dropout(dropout),
                      Dense(128, {.activation = Activation::relu}),
                      Dropout(dropout),
                      Dense(10)};
}

void program(const examples::Arguments& args) {
    const DataSource data = examples::open_pictures(args);
    const Dataset few = data.train.slice(0, args.examples > 0 ? args.examples : 2000);
    PlotOptions plot{.title = "Regularisation, " + std::to_string(few.size()) + " pictures",
                     .panels = {{.title = "validation loss"}, {.title = "validation accuracy"}}};
    std::printf("%-14s %10s %10s %10s %10s\n", "", "train acc", "test acc", "gap", "test loss");
    double plain = 0, best = 0;
    for (const Variant& variant : {Variant{"none"}, Variant{"L1", 1e-5}, Variant{"L2", 0, 1e-3},
                                   Variant{"dropout", 0, 0, 0.5f}, Variant{"augmentation", 0, 0, 0, true}}) {
        set_seed(args.seed);  // the same first weights for all
        const Sequential model = network(variant.dropout);
        model.to(args.device);
        model.compile({.optimizer = Adam({.learning_rate = 1e-3}),
                       .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                       .metrics = {"accuracy"},
                       .l1 = variant.l1,
                       .l2 = variant.l2});
        const History history = model.fit(
            variant.augment ? few.with_augmentation({.pad = 2}) : few,
            {.epochs = args.epochs, .batch_size = 64, .validation_data = data.test, .verbose = 0, .seed = args.seed});
        const double train = model.evaluate(few).at("accuracy"), test = history.at("val_accuracy").back();
        std::printf("%-14s %10.4f %10.4f %10.4f %10.4f\n", variant.name, train, test, train - test,
                    history.at("val_loss").back());
        std::fflush(stdout);
        plot.panels[0].lines.push_back({.label = variant.name, .y = history.at("val_loss")});
        plot.panels[1].lines.push_back({.label = variant.name, .y = history.at("val_accuracy")});
        if (variant.name == std::string("none")) plain = test;
        best = std::max(best, test);
    }
    plot_lines(args.file("regularization.png"), plot);
    examples::print_result("best test accuracy", best, "no regularisation", plain);
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "None, L1, L2, dropout and augmentation compared on few pictures",
                          .data = "fashion-mnist",
                          .how_to_get = "Debian: apt install dataset-fashion-mnist",
                          .epochs = 30},
                         program);
}
