// An autoencoder: a picture through 32 numbers and back.
#include "examples/common/example.h"

using namespace heddle;

namespace {

constexpr std::int64_t code = 32;

// Pixels 0..1 as rows of 784 numbers.
Tensor pixels(const Dataset& pictures) {
    const Dataset plain = pictures.with_normalization({}, {});
    return plain.batch(0, plain.size()).inputs[0].reshape(Shape{plain.size(), -1});
}

void program(const examples::Arguments& args) {
    const DataSource data = examples::open_pictures(args);
    const Tensor train = pixels(args.limited(data.train)), test = pixels(data.test);

    const auto in = Input(Shape{train.size(1)});
    auto h = Dense(512, {.activation = Activation::relu})(in);
    h = Dense(128, {.activation = Activation::relu})(h);
    const auto encoded = Dense(code)(h);
    h = Dense(128, {.activation = Activation::relu})(encoded);
    h = Dense(512, {.activation = Activation::relu})(h);
    const Model model(in, Dense(train.size(1), {.activation = Activation::sigmoid})(h));
    model.to(args.device);
    const std::int64_t steps = args.epochs * ((train.size(0) + 127) / 128);
    model.compile(
        {.optimizer = Adam({.learning_rate = CosineDecay({.initial_learning_rate = 1e-3, .decay_steps = steps})}),
         .loss = MeanSquaredError()});
    const History history = model.fit(
        train, train, {.epochs = args.epochs, .batch_size = 128, .validation_data = {test, test}, .seed = args.seed});

    const double mean_picture = ops::mean(ops::square(test - ops::mean(train, {0}))).item();
    examples::print_result("test MSE", model.evaluate(test, test).at("loss"), "the mean picture", mean_picture);
    examples::plot_history(args.file("curves.png"), history, "Autoencoder, 32 numbers");

    // Ten pictures and what came back, one below the other.
    const Shape picture{10, data.train.input_shape()[0], data.train.input_shape()[1], 1};
    std::vector<Picture> grid = to_pictures(test.slice(0, 10).reshape(picture));
    const std::vector<Picture> back =
        to_pictures(model.predict(test.slice(0, 10).to(args.device)).to(Device::cpu()).reshape(picture));
    grid.insert(grid.end(), back.begin(), back.end());
    save_picture_grid(args.file("reconstructions.png"), grid,
                      {.title = "pictures, and from 32 numbers", .columns = 10});
    model.save(args.file("autoencoder.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "An autoencoder with a code of 32 numbers",
                          .data = "fashion-mnist",
                          .how_to_get = "Debian: apt install dataset-fashion-mnist",
                          .epochs = 20},
                         program);
}
