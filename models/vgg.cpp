#include "models/vgg.h"

#include <map>

#include "core/check.h"
#include "layers/containers.h"
#include "layers/pool.h"
#include "models/detail/blocks.h"
#include "models/detail/registry.h"

namespace heddle {
namespace {

/// Convolutions of each width, 64 to 512.
const std::vector<std::int64_t>& convolutions_of(std::int64_t depth) {
    static const std::map<std::int64_t, std::vector<std::int64_t>> known = {
        {11, {1, 1, 2, 2, 2}}, {13, {2, 2, 2, 2, 2}}, {16, {2, 2, 3, 3, 3}}, {19, {2, 2, 4, 4, 4}}};
    const auto found = known.find(depth);
    check(found != known.end(), "VGG: depth must be 11, 13, 16 or 19, got {}", depth);
    return found->second;
}

Layer features(const VGGOptions& options) {
    std::vector<Layer> layers;
    std::int64_t width = 64;
    for (const std::int64_t count : convolutions_of(options.depth)) {
        for (std::int64_t i = 0; i < count; ++i) {
            layers.push_back(Conv2D(width, 3,
                                    {.padding = Padding::same,
                                     .kernel_initializer = Initializer::he_normal_fan_out,
                                     .bias_initializer = Initializer::zeros}));
            if (options.batch_norm) layers.push_back(detail::torch_batch_norm());
            layers.push_back(ReLU());
        }
        layers.push_back(MaxPooling2D(2));
        width = std::min<std::int64_t>(2 * width, 512);
    }
    return make_chain(layers);
}

/// ReLU is a layer of its own, so that positions are those of torchvision.
Layer classifier(const VGGOptions& options) {
    std::vector<Layer> layers;
    for (const std::int64_t units : options.hidden) {
        layers.push_back(detail::torch_linear(units));
        layers.push_back(ReLU());
        layers.push_back(Dropout(options.dropout));
    }
    layers.push_back(detail::torch_linear(options.classes));
    return make_chain(layers);
}

struct VGGImpl final : LayerImpl {
    VGGOptions options;
    std::vector<Layer> parts;

    explicit VGGImpl(const VGGOptions& o) : LayerImpl(o.name), options(o) {
        parts = {add_child("features", features(options)), add_child("flatten", Flatten()),
                 add_child("classifier", classifier(options))};
    }
    const char* class_name() const override { return "VGG"; }

    void build(const Shape& input) override { detail::build_in_turn(parts, input); }
    Tensor forward(const Tensor& x, bool training) override {
        Tensor h = x;
        for (const Layer& part : parts) h = part(h, training);
        return h;
    }
    Shape output_shape(const Shape&) const override { return Shape{options.classes}; }

    Config config() const override {
        return Config()
            .set("depth", options.depth)
            .set("batch_norm", options.batch_norm)
            .set("classes", options.classes)
            .set("hidden", options.hidden)
            .set("dropout", static_cast<double>(options.dropout));
    }
};

}  // namespace

VGG::VGG(const VGGOptions& options) : Layer(std::make_shared<VGGImpl>(options)) {}

void add_vgg(LayerMakers& makers) {
    makers["VGG"] = [](const Config& c) {
        return VGG({.depth = c.at("depth").integer(),
                    .batch_norm = c.at("batch_norm").boolean(),
                    .classes = c.at("classes").integer(),
                    .hidden = c.at("hidden").integers(),
                    .dropout = static_cast<float>(c.at("dropout").number())});
    };
}

}  // namespace heddle
