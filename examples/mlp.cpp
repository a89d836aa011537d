// A multilayer perceptron: pictures of clothes as 784 numbers, two hidden layers with dropout.
#include "examples/common/example.h"

using namespace heddle;

namespace {

void program(const examples::Arguments& args) {
    const DataSource data = examples::open_pictures(args);
    Sequential model{Flatten(),     Dense(512, {.activation = Activation::relu}),
                     Dropout(0.2f), Dense(256, {.activation = Activation::relu}),
                     Dropout(0.2f), Dense(10)};
    model.to(args.device);
    model.compile({.optimizer = Adam({.learning_rate = 1e-3}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"}});
    const History history =
        model.fit(args.limited(data.train),
                  {.epochs = args.epochs, .batch_size = 128, .validation_data = data.test, .seed = args.seed});
    examples::print_result("test accuracy", model.evaluate(data.test).at("accuracy"), "always one class", 0.1);
    examples::plot_history(args.file("curves.png"), history, "MLP on " + data.name, "accuracy");
    model.save(args.file("mlp.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "A multilayer perceptron with dropout",
                          .data = "fashion-mnist",
                          .how_to_get = "Debian: apt install dataset-fashion-mnist",
                          .epochs = 10},
                         program);
}
