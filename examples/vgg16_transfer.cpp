// Transfer learning: torchvision's VGG-16 (with its names and layouts on disk), trained on one task, is frozen and
// given a new last layer for another task with few examples; then the whole network is tuned at a low rate. The base
// can be ImageNet weights (--weights FILE, safetensors with torchvision's names); otherwise it first learns five of
// CIFAR-10's classes, and is then transferred to the other five, of which it sees 100 pictures each. The traps: a
// frozen base whose batch norms still follow the new data (frozen layers use their running statistics here), an
// optimizer that decays frozen weights, and tuning a base while its new last layer is still random, whose gradients
// undo what the base had learnt.
#include "examples/common/example.h"

#include <cstdio>

using namespace heddle;

namespace {

// The pictures of classes first .. first + 4, at most `each` of a class. Labels stay: the other five outputs never win.
Dataset five_classes(const Dataset& data, std::int64_t first, std::int64_t each) {
    const Tensor target = data.without_augmentation().batch(0, data.size()).target;
    const std::vector<std::int64_t> labels = target.to_vector<std::int64_t>();
    std::vector<std::int64_t> chosen, found(10);
    for (std::size_t i = 0; i < labels.size(); ++i)
        if (labels[i] >= first && labels[i] < first + 5 && found[static_cast<std::size_t>(labels[i])]++ < each)
            chosen.push_back(static_cast<std::int64_t>(i));
    return data.select(chosen);
}

Model vgg(const examples::Arguments& args) {
    return Model(VGG({.depth = args.whole("depth"), .batch_norm = true, .classes = 10}));
}

// Adam over all that is not frozen, with a rate that falls to 0; the accuracy on `test`.
double train(const Model& model, const Dataset& data, const Dataset& test, std::int64_t epochs, double rate,
             const examples::Arguments& args) {
    const std::int64_t steps = epochs * ((data.size() + 49) / 50);
    model.compile(
        {.optimizer = Adam({.learning_rate = CosineDecay(
                                {.initial_learning_rate = rate, .decay_steps = steps, .warmup_steps = steps / 10})}),
         .loss = SparseCategoricalCrossentropy({.from_logits = true}),
         .metrics = {"accuracy"}});
    model.fit(data.with_augmentation({.pad = 4, .flip = true}),
              {.epochs = epochs, .batch_size = 50, .verbose = 2, .seed = args.seed});
    return model.evaluate(test).at("accuracy");
}

void program(const examples::Arguments& args) {
    const DataSource data = examples::open_pictures(args);
    const std::string weights = args.more.at("weights"), base_file = args.file("base.safetensors");
    const std::int64_t each = args.examples > 0 ? args.examples : 5000;
    const std::int64_t shots = args.whole("shots"), target_epochs = args.whole("target-epochs");
    const Dataset target = five_classes(data.train, 5, shots), target_test = five_classes(data.test, 5, 1000);

    if (weights.empty()) {
        std::printf("the base learns airplane, automobile, bird, cat, deer:\n");
        const Model base = vgg(args);
        base.build(data.train.input_shape());
        base.to(args.device);
        const double reached =
            train(base, five_classes(data.train, 0, each), five_classes(data.test, 0, 1000), args.epochs, 1e-3, args);
        std::printf("test accuracy on its own five classes %.4f\n", reached);
        base.save_weights(base_file);
    }

    // A new network of the same form takes the file's convolutions; its last layer is new.
    std::printf("dog, frog, horse, ship, truck, %lld pictures each, frozen base:\n", static_cast<long long>(shots));
    const Model pretrained = vgg(args);
    pretrained.build(data.train.input_shape());
    pretrained.load_weights(weights.empty() ? base_file : weights, {.strict = false});
    const Layer features = pretrained->children().front().second;
    features.set_trainable(false);
    const Sequential transferred{features, Flatten(), Dense(10)};
    transferred.to(args.device);
    const double frozen = train(transferred, target, target_test, target_epochs / 2, 3e-3, args);
    transferred.save(args.file("frozen.safetensors"));
    std::printf("test accuracy with the frozen base %.4f; now the base is tuned too:\n", frozen);
    features.set_trainable(true);
    const double with_base = train(transferred, target, target_test, target_epochs, 3e-4, args);

    std::printf("the same pictures, from scratch:\n");
    set_seed(args.seed);
    const Model scratch = vgg(args);
    scratch.build(data.train.input_shape());
    scratch.to(args.device);
    const double from_scratch = train(scratch, target, target_test, target_epochs * 3 / 2, 1e-3, args);
    examples::print_result("test accuracy, transferred", with_base, "from scratch", from_scratch);
    transferred.save(args.file("transferred.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "VGG-16 carried over to a task with few examples",
                          .data = "cifar10",
                          .how_to_get = "CIFAR-10, binary version: https://www.cs.toronto.edu/~kriz/cifar.html",
                          .epochs = 3,
                          .more = {{"weights", "", "A safetensors file with torchvision's names, to begin with"},
                                   {"depth", "16", "Of the VGG: 11, 13, 16 or 19"},
                                   {"shots", "100", "Pictures of each class of the other task"},
                                   {"target-epochs", "20", "On them; half as many before, with the base frozen"}}},
                         program);
}
