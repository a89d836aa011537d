#include "models/preact_resnet.h"

#include "core/check.h"
#include "layers/pool.h"
#include "models/detail/blocks.h"
#include "models/detail/registry.h"

namespace heddle {
namespace {

using detail::resnet_convolution;
using detail::torch_batch_norm;

/// h = relu(bn1(x)); conv2(relu(bn2(conv1(h)))) + (the shape changes ? shortcut(h) : x).
struct PreActBlock final : LayerImpl {
    std::int64_t channels, stride;
    BatchNormalization bn1, bn2;
    Conv2D conv1, conv2;
    Dropout dropout;
    bool drops;
    Layer shortcut;

    PreActBlock(std::int64_t width, std::int64_t step, float rate)
        : channels(width),
          stride(step),
          bn1(torch_batch_norm()),
          bn2(torch_batch_norm()),
          conv1(resnet_convolution(width, 3, step)),
          conv2(resnet_convolution(width, 3, 1)),
          dropout(rate),
          drops(rate > 0) {
        add_child("bn1", bn1);
        add_child("conv1", conv1);
        add_child("bn2", bn2);
        add_child("conv2", conv2);
    }
    const char* class_name() const override { return "PreActBlock"; }

    void build(const Shape& input) override {
        const Shape output = output_shape(input);
        bn1.build({input});
        conv1.build({input});
        bn2.build({output});
        conv2.build({output});
        if (output == input) return;
        shortcut = add_child("shortcut", resnet_convolution(channels, 1, stride));
        shortcut.build({input});
    }
    Tensor forward(const Tensor& x, bool training) override {
        Tensor h = bn1(x, training, {.relu = true});
        const Tensor kept = shortcut ? shortcut(h, training) : x;
        h = bn2.after(conv1, h, training, {.relu = true});
        if (drops) h = dropout(h, training);
        return conv2(h, training, {.residual = kept});
    }
    Shape output_shape(const Shape& input) const override { return conv1->output_shape(input); }
};

struct PreActResNetImpl final : LayerImpl {
    PreActResNetOptions options;
    Conv2D conv1;
    std::vector<Layer> stages;
    BatchNormalization bn;
    GlobalAveragePooling2D pool;
    Dense fc;

    explicit PreActResNetImpl(const PreActResNetOptions& o)
        : LayerImpl(o.name),
          options(o),
          conv1(resnet_convolution(o.stem_width, 3, 1)),
          bn(torch_batch_norm()),
          fc(detail::torch_linear(o.classes)) {
        add_child("conv1", conv1);
        stages = detail::make_stages("PreActResNet", options.blocks, options.widths,
                                     [&](std::int64_t width, std::int64_t stride) {
                                         return Layer(std::make_shared<PreActBlock>(width, stride, options.dropout));
                                     });
        for (std::size_t i = 0; i < stages.size(); ++i) add_child("layer" + std::to_string(i + 1), stages[i]);
        add_child("bn", bn);
        add_child("fc", fc);
    }
    const char* class_name() const override { return "PreActResNet"; }

    void build(const Shape& input) override {
        Shape shape = detail::build_in_turn({conv1}, input);
        shape = detail::build_in_turn(stages, shape);
        bn.build({shape});
        fc.build({Shape{shape.back()}});
    }
    Tensor forward(const Tensor& x, bool training) override {
        Tensor h = conv1(x, training);
        for (const Layer& stage : stages) h = stage(h, training);
        return fc(pool(bn(h, training, {.relu = true}), training), training);
    }
    Shape output_shape(const Shape&) const override { return Shape{options.classes}; }

    Config config() const override {
        return Config()
            .set("blocks", options.blocks)
            .set("widths", options.widths)
            .set("stem_width", options.stem_width)
            .set("classes", options.classes)
            .set("dropout", static_cast<double>(options.dropout));
    }
};

}  // namespace

PreActResNet::PreActResNet(const PreActResNetOptions& options) : Layer(std::make_shared<PreActResNetImpl>(options)) {}

PreActResNet make_preact_resnet18(std::int64_t classes) { return PreActResNet({.classes = classes}); }

PreActResNet make_wide_resnet(std::int64_t depth, std::int64_t widen, std::int64_t classes) {
    check(depth >= 10 && depth % 6 == 4, "Wide ResNet: depth must be 6 n + 4, got {}", depth);
    check(widen >= 1, "Wide ResNet: widen must be positive, got {}", widen);
    const std::int64_t n = (depth - 4) / 6;
    return PreActResNet(
        {.blocks = {n, n, n}, .widths = {16 * widen, 32 * widen, 64 * widen}, .stem_width = 16, .classes = classes});
}

void add_preact_resnet(LayerMakers& makers) {
    makers["PreActResNet"] = [](const Config& c) {
        return PreActResNet({.blocks = c.at("blocks").integers(),
                             .widths = c.at("widths").integers(),
                             .stem_width = c.at("stem_width").integer(),
                             .classes = c.at("classes").integer(),
                             .dropout = static_cast<float>(c.at("dropout").number())});
    };
}

}  // namespace heddle
