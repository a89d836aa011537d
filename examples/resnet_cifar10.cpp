// A residual network on CIFAR-10, written out: ResNet-20 of He et al. 2015. The traps: a block whose shortcut is
// dropped where the shape changes (here a 1x1 convolution carries it over), and a ReLU before the addition instead of
// after it. `heddle train resnet20 --recipe resnet20-he` trains the library's own one by the paper's recipe.
#include "examples/common/example.h"

using namespace heddle;

namespace {

Symbol convolution(const Symbol& x, std::int64_t width, int size, int stride) {
    const Symbol h = Conv2D(
        width, size,
        {.strides = stride, .padding = Padding::same, .use_bias = false, .kernel_initializer = Initializer::he_normal})(
        x);
    return BatchNormalization({.momentum = 0.9f, .epsilon = 1e-5f})(h);
}

Symbol block(const Symbol& x, std::int64_t width, int stride) {
    Symbol h = ReLU()(convolution(x, width, 3, stride));
    h = convolution(h, width, 3, 1);
    const Symbol shortcut = stride == 1 ? x : convolution(x, width, 1, stride);
    return ReLU()(Add()({h, shortcut}));
}

Model resnet20(const Shape& picture) {
    const Symbol in = Input(picture);
    Symbol h = ReLU()(convolution(in, 16, 3, 1));
    for (const std::int64_t width : {16, 32, 64})
        for (int i = 0; i < 3; ++i) h = block(h, width, width > 16 && i == 0 ? 2 : 1);
    return Model(in, Dense(10)(GlobalAveragePooling2D()(h)));
}

void program(const examples::Arguments& args) {
    const DataSource data = examples::open_pictures(args);
    const Dataset train = args.limited(data.train).with_augmentation({.pad = 4, .flip = true});
    const Model model = resnet20(train.input_shape());
    model.to(args.device);
    const std::int64_t steps = args.epochs * ((train.size() + 127) / 128);
    model.compile({.optimizer = SGD({.learning_rate = OneCycle({.max_learning_rate = 0.4, .total_steps = steps}),
                                     .momentum = 0.9,
                                     .nesterov = true,
                                     .weight_decay = 5e-4}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"}});
    const History history =
        model.fit(train, {.epochs = args.epochs, .batch_size = 128, .validation_data = data.test, .seed = args.seed});
    examples::print_result("test accuracy", model.evaluate(data.test).at("accuracy"), "always one class", 0.1);
    examples::plot_history(args.file("curves.png"), history, "ResNet-20 on CIFAR-10", "accuracy");
    model.save(args.file("resnet20.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "A residual network for CIFAR-10",
                          .data = "cifar10",
                          .how_to_get = "CIFAR-10, binary version: https://www.cs.toronto.edu/~kriz/cifar.html",
                          .epochs = 5},
                         program);
}
