#include "models/resnet.h"

#include <map>
#include <optional>

#include "core/check.h"
#include "layers/pool.h"
#include "models/detail/blocks.h"
#include "models/detail/registry.h"
#include "ops/copy.h"

namespace heddle {
namespace {

using detail::resnet_convolution;
using detail::torch_batch_norm;

constexpr std::int64_t expansion = 4;  // of a bottleneck

/// relu(residual(x) + shortcut(x)), each batch norm fused with what follows it. The residual is a chain of convolutions
/// with batch norms: two of 3x3, or the three of a bottleneck. The shortcut must not be dropped where the shape
/// changes: that is the usual mistake.
struct ResidualBlock final : LayerImpl {
    std::int64_t channels, stride;
    bool projection;
    std::vector<Conv2D> convolutions;
    std::vector<BatchNormalization> norms;
    Layer downsample;

    ResidualBlock(std::int64_t width, std::int64_t step, const ResNetOptions& options)
        : channels(options.bottleneck ? expansion * width : width), stride(step), projection(options.projection) {
        if (options.bottleneck)
            convolutions = {resnet_convolution(width, 1, 1), resnet_convolution(width, 3, step),
                            resnet_convolution(channels, 1, 1)};
        else
            convolutions = {resnet_convolution(width, 3, step), resnet_convolution(width, 3, 1)};
        for (std::size_t i = 0; i < convolutions.size(); ++i) {
            norms.push_back(torch_batch_norm());
            add_child("conv" + std::to_string(i + 1), convolutions[i]);
            add_child("bn" + std::to_string(i + 1), norms[i]);
        }
    }
    const char* class_name() const override { return "ResidualBlock"; }

    void build(const Shape& input) override {
        Shape shape = input;
        for (std::size_t i = 0; i < convolutions.size(); ++i) {
            convolutions[i].build({shape});
            shape = convolutions[i]->output_shape(shape);
            norms[i].build({shape});
        }
        if (projection && shape != input) {
            downsample =
                add_child("downsample", make_chain({resnet_convolution(channels, 1, stride), torch_batch_norm()}));
            downsample.build({input});
        }
    }
    Tensor forward(const Tensor& x, bool training) override {
        const Tensor residual = shortcut(x, training);
        Tensor h = x;
        for (std::size_t i = 0; i + 1 < convolutions.size(); ++i)
            h = norms[i].after(convolutions[i], h, training, {.relu = true});
        return norms.back().after(convolutions.back(), h, training, {.residual = residual, .relu = true});
    }
    Shape output_shape(const Shape& input) const override {
        Shape shape = input;
        for (const Conv2D& convolution : convolutions) shape = convolution->output_shape(shape);
        return shape;
    }

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

Conv2D stem_convolution(const ResNetOptions& options) {
    const std::int64_t width = options.widths.empty() ? 1 : options.widths[0];
    return options.stem == Stem::cifar ? resnet_convolution(width, 3, 1) : resnet_convolution(width, 7, 2);
}

struct ResNetImpl final : LayerImpl {
    ResNetOptions options;
    Conv2D conv1;
    BatchNormalization bn1;
    std::optional<MaxPooling2D> stem_pool;
    std::vector<Layer> stages;
    GlobalAveragePooling2D pool;
    Dense fc;

    explicit ResNetImpl(const ResNetOptions& o)
        : LayerImpl(o.name),
          options(o),
          conv1(stem_convolution(o)),
          bn1(torch_batch_norm()),
          fc(detail::torch_linear(o.classes)) {
        add_child("conv1", conv1);
        add_child("bn1", bn1);
        if (options.stem == Stem::imagenet)
            stem_pool.emplace(3, Pooling2DOptions{.strides = 2, .padding = Padding::pixels(1)});
        stages =
            detail::make_stages("ResNet", options.blocks, options.widths, [&](std::int64_t width, std::int64_t stride) {
                return Layer(std::make_shared<ResidualBlock>(width, stride, options));
            });
        for (std::size_t i = 0; i < stages.size(); ++i) add_child("layer" + std::to_string(i + 1), stages[i]);
        add_child("fc", fc);
    }
    const char* class_name() const override { return "ResNet"; }

    void build(const Shape& input) override {
        Shape shape = detail::build_in_turn({conv1, bn1}, input);
        if (stem_pool) shape = detail::build_in_turn({*stem_pool}, shape);
        shape = detail::build_in_turn(stages, shape);
        fc.build({Shape{shape.back()}});
    }
    Tensor forward(const Tensor& x, bool training) override {
        Tensor h = bn1.after(conv1, x, training, {.relu = true, .pool = stem_pool ? Layer(*stem_pool) : Layer()});
        for (const Layer& stage : stages) h = stage(h, training);
        return fc(pool(h, training), training);
    }
    Shape output_shape(const Shape&) const override { return Shape{options.classes}; }

    Config config() const override {
        return Config()
            .set("blocks", options.blocks)
            .set("widths", options.widths)
            .set("classes", options.classes)
            .set("projection", options.projection)
            .set("bottleneck", options.bottleneck)
            .set("stem", std::string(options.stem == Stem::cifar ? "cifar" : "imagenet"));
    }
};

}  // namespace

ResNet::ResNet(const ResNetOptions& options) : Layer(std::make_shared<ResNetImpl>(options)) {}

ResNet make_cifar_resnet(std::int64_t depth, std::int64_t classes) {
    check(depth >= 8 && depth % 6 == 2, "ResNet for CIFAR: depth must be 6 n + 2, got {}", depth);
    const std::int64_t n = (depth - 2) / 6;
    return ResNet({.blocks = {n, n, n}, .classes = classes});
}

ResNet make_resnet(std::int64_t depth, std::int64_t classes, Stem stem) {
    const std::map<std::int64_t, std::vector<std::int64_t>> blocks_of = {
        {18, {2, 2, 2, 2}}, {34, {3, 4, 6, 3}}, {50, {3, 4, 6, 3}}, {101, {3, 4, 23, 3}}, {152, {3, 8, 36, 3}}};
    const auto blocks = blocks_of.find(depth);
    check(blocks != blocks_of.end(), "ResNet: depth must be 18, 34, 50, 101 or 152, got {}", depth);
    return ResNet({.blocks = blocks->second,
                   .widths = {64, 128, 256, 512},
                   .classes = classes,
                   .projection = true,
                   .bottleneck = depth >= 50,
                   .stem = stem});
}

void add_resnet(LayerMakers& makers) {
    makers["ResNet"] = [](const Config& c) {
        return ResNet({.blocks = c.at("blocks").integers(),
                       .widths = c.at("widths").integers(),
                       .classes = c.at("classes").integer(),
                       .projection = c.at("projection").boolean(),
                       .bottleneck = c.at("bottleneck").boolean(),
                       .stem = c.at("stem").string() == "cifar" ? Stem::cifar : Stem::imagenet});
    };
}

}  // namespace heddle
