#include "models/models.h"

#include <array>

#include "core/check.h"
#include "layers/conv.h"
#include "layers/core.h"
#include "layers/pool.h"
#include "models/detail/registry.h"
#include "models/preact_resnet.h"
#include "models/resnet.h"
#include "models/speednet.h"
#include "models/vgg.h"

namespace heddle {
namespace {

Model linear(std::int64_t classes) { return Sequential{Flatten(), Dense(classes)}; }

Model mlp(std::int64_t classes) {
    return Sequential{Flatten(), Dense(512, {.activation = Activation::relu}),
                      Dense(512, {.activation = Activation::relu}), Dense(classes)};
}

Model cnn(std::int64_t classes) {
    return Sequential{Conv2D(32, 3, {.activation = Activation::relu}),
                      MaxPooling2D(2),
                      Conv2D(64, 3, {.activation = Activation::relu}),
                      MaxPooling2D(2),
                      Flatten(),
                      Dense(64, {.activation = Activation::relu}),
                      Dense(classes)};
}

template <std::int64_t depth>
Model cifar_resnet(std::int64_t classes) {
    return Model(make_cifar_resnet(depth, classes));
}
template <std::int64_t depth, Stem stem>
Model resnet(std::int64_t classes) {
    return Model(make_resnet(depth, classes, stem));
}
template <std::int64_t depth, bool batch_norm>
Model cifar_vgg(std::int64_t classes) {
    return Model(VGG({.depth = depth, .batch_norm = batch_norm, .classes = classes}));
}
template <std::int64_t depth, bool batch_norm>
Model imagenet_vgg(std::int64_t classes) {
    return Model(VGG({.depth = depth, .batch_norm = batch_norm, .classes = classes, .hidden = {4096, 4096}}));
}

/// What a model takes: anything, pictures of any size, or pictures of at least 32 x 32 (it halves them five times).
enum class Takes { anything, pictures, halved_pictures };

struct Maker {
    ModelEntry entry;
    Takes takes;
    Model (*make)(std::int64_t classes);
};

constexpr Maker makers[] = {
    {{"linear", "logistic regression: one Dense layer"}, Takes::anything, linear},
    {{"mlp", "two hidden Dense layers of 512 with ReLU"}, Takes::anything, mlp},
    {{"cnn", "the image CNN: Conv 32, pool, Conv 64, pool, Dense 64"}, Takes::pictures, cnn},
    {{"resnet20", "ResNet-20 for CIFAR (He et al. 2015): 0.27 M parameters"}, Takes::pictures, cifar_resnet<20>},
    {{"resnet32", "ResNet-32 for CIFAR: 0.46 M parameters"}, Takes::pictures, cifar_resnet<32>},
    {{"resnet44", "ResNet-44 for CIFAR: 0.66 M parameters"}, Takes::pictures, cifar_resnet<44>},
    {{"resnet56", "ResNet-56 for CIFAR: 0.85 M parameters"}, Takes::pictures, cifar_resnet<56>},
    {{"resnet110", "ResNet-110 for CIFAR: 1.7 M parameters"}, Takes::pictures, cifar_resnet<110>},
    {{"resnet18", "ResNet-18 with a CIFAR stem: 11.2 M parameters"}, Takes::pictures, resnet<18, Stem::cifar>},
    {{"resnet34", "ResNet-34 with a CIFAR stem: 21.3 M parameters"}, Takes::pictures, resnet<34, Stem::cifar>},
    {{"resnet50", "ResNet-50 with a CIFAR stem: 23.5 M parameters"}, Takes::pictures, resnet<50, Stem::cifar>},
    {{"resnet101", "ResNet-101 with a CIFAR stem: 42.5 M parameters"}, Takes::pictures, resnet<101, Stem::cifar>},
    {{"resnet152", "ResNet-152 with a CIFAR stem: 58.2 M parameters"}, Takes::pictures, resnet<152, Stem::cifar>},
    {{"resnet18-imagenet", "torchvision's ResNet-18"}, Takes::pictures, resnet<18, Stem::imagenet>},
    {{"resnet34-imagenet", "torchvision's ResNet-34"}, Takes::pictures, resnet<34, Stem::imagenet>},
    {{"resnet50-imagenet", "torchvision's ResNet-50"}, Takes::pictures, resnet<50, Stem::imagenet>},
    {{"resnet101-imagenet", "torchvision's ResNet-101"}, Takes::pictures, resnet<101, Stem::imagenet>},
    {{"resnet152-imagenet", "torchvision's ResNet-152"}, Takes::pictures, resnet<152, Stem::imagenet>},
    {{"preact-resnet18", "PreAct ResNet-18 (He et al. 2016): 11.2 M parameters"},
     Takes::pictures,
     [](std::int64_t classes) { return Model(make_preact_resnet18(classes)); }},
    {{"wrn28-10", "Wide ResNet 28-10 (Zagoruyko and Komodakis 2016): 36.5 M parameters"},
     Takes::pictures,
     [](std::int64_t classes) { return Model(make_wide_resnet(28, 10, classes)); }},
    {{"vgg11", "VGG-11 for CIFAR: one Dense layer after the convolutions, 9.2 M parameters"},
     Takes::halved_pictures,
     cifar_vgg<11, false>},
    {{"vgg13", "VGG-13 for CIFAR: 9.4 M parameters"}, Takes::halved_pictures, cifar_vgg<13, false>},
    {{"vgg16", "VGG-16 for CIFAR: 14.7 M parameters"}, Takes::halved_pictures, cifar_vgg<16, false>},
    {{"vgg19", "VGG-19 for CIFAR: 20.0 M parameters"}, Takes::halved_pictures, cifar_vgg<19, false>},
    {{"vgg11-bn", "VGG-11 for CIFAR with batch norm"}, Takes::halved_pictures, cifar_vgg<11, true>},
    {{"vgg13-bn", "VGG-13 for CIFAR with batch norm"}, Takes::halved_pictures, cifar_vgg<13, true>},
    {{"vgg16-bn", "VGG-16 for CIFAR with batch norm"}, Takes::halved_pictures, cifar_vgg<16, true>},
    {{"vgg19-bn", "VGG-19 for CIFAR with batch norm"}, Takes::halved_pictures, cifar_vgg<19, true>},
    {{"vgg16-imagenet", "torchvision's VGG-16: 138 M parameters at 224 x 224"},
     Takes::halved_pictures,
     imagenet_vgg<16, false>},
    {{"speednet94", "the whitened net of the 94 % records on CIFAR-10 (Jordan 2024): 2.0 M parameters"},
     Takes::pictures,
     [](std::int64_t classes) { return Model(SpeedNet({.classes = classes})); }},
};

constexpr auto entries = [] {
    std::array<ModelEntry, std::size(makers)> list;
    for (std::size_t i = 0; i < list.size(); ++i) list[i] = makers[i].entry;
    return list;
}();

}  // namespace

std::span<const ModelEntry> model_list() { return entries; }

Model make_model(std::string_view name, const Shape& input, std::int64_t classes) {
    check(classes >= 1, "make_model: expected at least one class, got {}", classes);
    std::string names;
    for (const Maker& maker : makers) {
        names += (names.empty() ? "" : ", ") + std::string(maker.entry.name);
        if (maker.entry.name != name) continue;
        check(maker.takes == Takes::anything || input.rank() == 3,
              "model {} takes pictures [height, width, channels], not {}", name, input);
        check(maker.takes != Takes::halved_pictures || (input[0] >= 32 && input[1] >= 32),
              "model {} takes pictures of at least 32 x 32 pixels, not {}", name, input);
        Model model = maker.make(classes);
        model.build({input});
        return model;
    }
    fail(fmt::format("unknown model \"{}\": expected one of {}", name, names));
}

void add_model_layers(LayerMakers& makers) {
    add_resnet(makers);
    add_preact_resnet(makers);
    add_vgg(makers);
    add_speednet(makers);
}

}  // namespace heddle
