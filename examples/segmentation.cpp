// Segmentation: which pixels belong to the figure. A small U-Net (Ronneberger et al. 2015): the resolution is halved
// three times on the way down and doubled on the way up, and at each size the features of both are concatenated.
#include "examples/common/example.h"
#include "examples/common/scenes.h"

#include <algorithm>

using namespace heddle;
using examples::Scenes;

namespace {

Symbol block(const Symbol& x, std::int64_t width) {
    Symbol h = x;
    for (int i = 0; i < 2; ++i) {
        h = Conv2D(width, 3, {.padding = Padding::same, .use_bias = false})(h);
        h = ReLU()(BatchNormalization({.momentum = 0.9f})(h));
    }
    return h;
}

Model unet() {
    const Symbol in = Input(Shape{Scenes::side, Scenes::side, 3});
    const Symbol full = block(in, 8), half = block(MaxPooling2D(2)(full), 16),
                 quarter = block(MaxPooling2D(2)(half), 32);
    Symbol h = block(MaxPooling2D(2)(quarter), 64);
    h = block(Concatenate()({quarter, UpSampling2D(2)(h)}), 32);
    h = block(Concatenate()({half, UpSampling2D(2)(h)}), 16);
    h = block(Concatenate()({full, UpSampling2D(2)(h)}), 8);
    return Model(in, Conv2D(1, 1)(h));
}

// Of the pixels in either mask, the fraction in both; the mean over pictures.
double mean_overlap(const Tensor& mask, const Tensor& target) {
    const Tensor both = ops::sum(mask * target, {1, 2, 3}), either = ops::sum(ops::maximum(mask, target), {1, 2, 3});
    return ops::mean(both / either).item();
}

void program(const examples::Arguments& args) {
    const DataSource figures = examples::open_pictures(args), backgrounds = open_dataset(args.more.at("backgrounds"));
    const Scenes train(figures.train, backgrounds.train, args.examples > 0 ? args.examples : 5000,
                       examples::SceneTarget::mask, 1);
    const Scenes test(figures.test, backgrounds.test, 500, examples::SceneTarget::mask, 2);

    const Model model = unet();
    model.to(args.device);
    model.compile({.optimizer = Adam({.learning_rate = 2e-3}),
                   .loss = BinaryCrossentropy({.from_logits = true}),
                   .metrics = {BinaryAccuracy(0)}});
    const History history =
        model.fit(train, {.epochs = args.epochs, .batch_size = 32, .validation_data = test, .seed = args.seed});

    const Batch all = test.batch(0, test.size());
    const Tensor logits = model.predict(all.inputs[0].to(args.device)).to(Device::cpu());
    const Tensor mask = ops::greater(logits, 0).to(DType::f32);
    examples::print_result("mean IoU", mean_overlap(mask, all.target), "everything is figure",
                           mean_overlap(Tensor::ones(all.target.shape()), all.target));
    examples::plot_history(args.file("curves.png"), history, "U-Net");

    // Pictures, true masks, found masks.
    std::vector<Picture> grid = to_pictures(all.inputs[0].slice(0, 8));
    for (const Tensor& masks : {all.target, mask}) {
        const std::vector<Picture> row = to_pictures(masks.slice(0, 8));
        std::transform(row.begin(), row.end(), std::back_inserter(grid),
                       [](const Picture& p) { return convert_channels(p, 3); });
    }
    save_picture_grid(args.file("masks.png"), grid,
                      {.title = "pictures, true masks, found masks", .columns = 8, .cell = 128});
    model.save(args.file("segmentation.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "A small U-Net finds the pixels of a figure",
                          .data = "fashion-mnist",
                          .how_to_get = "Debian: apt install dataset-fashion-mnist",
                          .epochs = 8,
                          .more = {{"backgrounds", "cifar10", "Pictures behind the figures"}}},
                         program);
}
