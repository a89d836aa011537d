#include "models/models.h"

#include <array>

#include "core/check.h"
#include "layers/conv.h"
#include "layers/core.h"
#include "layers/pool.h"
#include "models/resnet.h"

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

struct Maker {
    ModelEntry entry;
    bool pictures;  // needs [height, width, channels]
    Model (*make)(std::int64_t classes);
};

constexpr std::array<Maker, 6> makers = {{
    {{"linear", "logistic regression: one Dense layer"}, false, linear},
    {{"mlp", "two hidden Dense layers of 512 with ReLU"}, false, mlp},
    {{"cnn", "the image CNN: Conv 32, pool, Conv 64, pool, Dense 64"}, true, cnn},
    {{"resnet20", "ResNet-20 for CIFAR (He et al. 2015): 0.27 M parameters"},
     true,
     [](std::int64_t classes) { return Model(make_cifar_resnet(20, classes)); }},
    {{"resnet56", "ResNet-56 for CIFAR (He et al. 2015): 0.85 M parameters"},
     true,
     [](std::int64_t classes) { return Model(make_cifar_resnet(56, classes)); }},
    {{"resnet18", "ResNet-18 with a CIFAR stem: 11.2 M parameters"},
     true,
     [](std::int64_t classes) { return Model(make_resnet18(classes)); }},
}};

constexpr auto entries = [] {
    std::array<ModelEntry, makers.size()> list;
    for (std::size_t i = 0; i < makers.size(); ++i) list[i] = makers[i].entry;
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
        check(!maker.pictures || input.rank() == 3, "model {} takes pictures [height, width, channels], not {}", name,
              input);
        Model model = maker.make(classes);
        model.build({input});
        return model;
    }
    fail(fmt::format("unknown model \"{}\": expected one of {}", name, names));
}

}  // namespace heddle
