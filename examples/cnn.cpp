// A convolutional network: two convolutions with pooling, then two dense layers.
#include "examples/common/example.h"

using namespace heddle;

namespace {

void program(const examples::Arguments& args) {
    const DataSource data = examples::open_pictures(args);
    Sequential model{Conv2D(32, 3, {.activation = Activation::relu}),
                     MaxPooling2D(2),
                     Conv2D(64, 3, {.activation = Activation::relu}),
                     MaxPooling2D(2),
                     Flatten(),
                     Dense(128, {.activation = Activation::relu}),
                     Dropout(0.3f),
                     Dense(10)};
    model.to(args.device);
    const Dataset train = args.limited(data.train);
    const std::int64_t steps = args.epochs * ((train.size() + 63) / 64);
    model.compile(
        {.optimizer = Adam({.learning_rate = CosineDecay({.initial_learning_rate = 2e-3, .decay_steps = steps})}),
         .loss = SparseCategoricalCrossentropy({.from_logits = true}),
         .metrics = {"accuracy"}});
    const History history =
        model.fit(train, {.epochs = args.epochs, .batch_size = 64, .validation_data = data.test, .seed = args.seed});
    ClassificationLog log;  // for evaluation alone: it keeps every answer
    model.compile({.optimizer = model.optimizer(), .loss = model.loss(), .metrics = {"accuracy", log}});
    examples::print_result("test accuracy", model.evaluate(data.test).at("accuracy"), "always one class", 0.1);
    examples::plot_history(args.file("curves.png"), history, "CNN on " + data.name, "accuracy");
    save_png(args.file("confusion.png"), draw_confusion_matrix(log.confusion(), {.class_names = data.class_names}));
    model.save(args.file("cnn.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "A small convolutional network",
                          .data = "fashion-mnist",
                          .how_to_get = "Debian: apt install dataset-fashion-mnist",
                          .epochs = 5},
                         program);
}
