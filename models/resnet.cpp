#include "models/resnet.h"

#include "core/check.h"
#include "layers/containers.h"
#include "layers/conv.h"
#include "layers/core.h"
#include "layers/detail/registry.h"
#include "layers/norm.h"
#include "layers/pool.h"
#include "ops/copy.h"

namespace heddle {
namespace {

Conv2D convolution(std::int64_t filters, std::int64_t kernel, std::int64_t stride) {
    return Conv2D(filters, kernel,
                  {.strides = stride,
                   // Symmetric, as in PyTorch; Keras' "same" would pad a stride of 2 at the bottom and right only.
                   .padding = Padding::pixels(kernel / 2),
                   .use_bias = false,
                   .kernel_initializer = Initializer::he_normal_fan_out});
}

BatchNormalization normalization() {
    return BatchNormalization({.momentum = 0.9f, .epsilon = 1e-5f, .unbiased_running_variance = true});
}

/// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)), each batch norm fused with what follows it. The shortcut must
/// not be dropped where the shape changes: that is the usual mistake.
struct BasicBlock final : LayerImpl {
    std::int64_t channels, stride;
    bool projection;
    Conv2D conv1, conv2;
    BatchNormalization bn1, bn2;
    Layer downsample;

    BasicBlock(std::int64_t width, std::int64_t step, bool project)
        : channels(width),
          stride(step),
          projection(project),
          conv1(convolution(width, 3, step)),
          conv2(convolution(width, 3, 1)),
          bn1(normalization()),
          bn2(normalization()) {
        add_child("conv1", conv1);
        add_child("bn1", bn1);
        add_child("conv2", conv2);
        add_child("bn2", bn2);
    }
    const char* class_name() const override { return "BasicBlock"; }

    void build(const Shape& input) override {
        const Shape output = output_shape(input);
        conv1.build({input});
        bn1.build({output});
        conv2.build({output});
        bn2.build({output});
        if (projection && output != input) {
            downsample = add_child("downsample", make_chain({convolution(channels, 1, stride), normalization()}));
            downsample.build({input});
        }
    }
    Tensor forward(const Tensor& x, bool training) override {
        const Tensor residual = shortcut(x, training);
        Tensor h = bn1(conv1(x, training), training, {.relu = true});
        h = conv2(h, training);
        return bn2(h, training, {.residual = residual, .relu = true});
    }
    Shape output_shape(const Shape& input) const override { return conv1->output_shape(input); }

  private:
    Tensor shortcut(const Tensor& x, bool training) const {
        if (downsample) return downsample(x, training);
        if (x.size(3) == channels && stride == 1) return x;
        // Option A: every stride-th pixel, and zeros around the old channels.
        const Tensor sampled = stride == 1 ? x : ops::slice(x, {{}, {.step = stride}, {.step = stride}});
        const std::int64_t before = (channels - x.size(3)) / 2;
        const std::array<std::int64_t, 2> widths[] = {{0, 0}, {0, 0}, {0, 0}, {before, channels - x.size(3) - before}};
        return ops::pad(sampled, widths);
    }
};

struct ResNetImpl final : LayerImpl {
    ResNetOptions options;
    Conv2D conv1;
    BatchNormalization bn1;
    std::vector<Layer> stages;
    GlobalAveragePooling2D pool;
    Dense fc;

    explicit ResNetImpl(const ResNetOptions& o)
        : LayerImpl(o.name),
          options(o),
          conv1(convolution(o.widths.empty() ? 1 : o.widths[0], 3, 1)),
          bn1(normalization()),
          fc(o.classes,
             {.kernel_initializer = Initializer::fan_in_uniform, .bias_initializer = Initializer::fan_in_uniform}) {
        check(!options.blocks.empty() && options.blocks.size() == options.widths.size(),
              "ResNet: {} numbers of blocks for {} widths", options.blocks.size(), options.widths.size());
        add_child("conv1", conv1);
        add_child("bn1", bn1);
        for (std::size_t stage = 0; stage < options.blocks.size(); ++stage) {
            check(options.blocks[stage] >= 1, "ResNet: stage {} has no blocks", stage);
            std::vector<Layer> blocks;
            for (std::int64_t block = 0; block < options.blocks[stage]; ++block)
                blocks.emplace_back(std::make_shared<BasicBlock>(options.widths[stage], stage > 0 && block == 0 ? 2 : 1,
                                                                 options.projection));
            stages.push_back(add_child("layer" + std::to_string(stage + 1), make_chain(blocks)));
        }
        add_child("fc", fc);
    }
    const char* class_name() const override { return "ResNet"; }

    void build(const Shape& input) override {
        Shape shape = input;
        const auto step = [&](const Layer& layer) {
            layer.build({shape});
            shape = layer->output_shape(shape);
        };
        step(conv1);
        step(bn1);
        for (const Layer& stage : stages) step(stage);
        fc.build({Shape{shape.back()}});
    }
    Tensor forward(const Tensor& x, bool training) override {
        Tensor h = bn1(conv1(x, training), training, {.relu = true});
        for (const Layer& stage : stages) h = stage(h, training);
        return fc(pool(h, training), training);
    }
    Shape output_shape(const Shape&) const override { return Shape{options.classes}; }

    Config config() const override {
        return Config()
            .set("blocks", options.blocks)
            .set("widths", options.widths)
            .set("classes", options.classes)
            .set("projection", options.projection);
    }
};

}  // namespace

ResNet::ResNet(const ResNetOptions& options) : Layer(std::make_shared<ResNetImpl>(options)) {}

ResNet make_cifar_resnet(std::int64_t depth, std::int64_t classes) {
    check(depth >= 8 && depth % 6 == 2, "ResNet for CIFAR: depth must be 6 n + 2, got {}", depth);
    const std::int64_t n = (depth - 2) / 6;
    return ResNet({.blocks = {n, n, n}, .classes = classes});
}

ResNet make_resnet18(std::int64_t classes) {
    return ResNet({.blocks = {2, 2, 2, 2}, .widths = {64, 128, 256, 512}, .classes = classes, .projection = true});
}

void add_model_layers(LayerMakers& makers) {
    makers["ResNet"] = [](const Config& c) {
        return ResNet({.blocks = c.at("blocks").integers(),
                       .widths = c.at("widths").integers(),
                       .classes = c.at("classes").integer(),
                       .projection = c.at("projection").boolean()});
    };
}

}  // namespace heddle
