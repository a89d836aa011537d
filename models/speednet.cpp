#include "models/speednet.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "layers/activation.h"
#include "layers/containers.h"
#include "layers/pool.h"
#include "models/detail/blocks.h"
#include "models/detail/eigen.h"
#include "models/detail/registry.h"
#include "ops/conv.h"

namespace heddle {
namespace {

/// Its filters are no parameters: `whiten` makes them, only the bias is trained.
struct WhiteningConv2D final : LayerImpl {
    static constexpr std::int64_t kernel = 2;
    Tensor weight, bias;

    const char* class_name() const override { return "WhiteningConv2D"; }
    bool convolves() const override { return true; }

    static std::int64_t filters(const Shape& input) { return 2 * kernel * kernel * input[2]; }

    void build(const Shape& input) override {
        check(input.rank() == 3, "WhiteningConv2D: expected pictures [height, width, channels], got {}", input);
        const std::int64_t fan_in = kernel * kernel * input[2];
        const Initializer uniform = Initializer::fan_in_uniform;
        weight = add_buffer("weight", uniform(Shape{filters(input), kernel, kernel, input[2]}, fan_in, fan_in));
        bias = add_parameter("bias", uniform(Shape{filters(input)}, fan_in, fan_in));
    }
    Tensor forward(const Tensor& x, bool) override {
        return ops::conv2d(x, weight.to(x.dtype()), bias.to(x.dtype()), {});
    }
    Shape output_shape(const Shape& input) const override {
        return {input[0] - kernel + 1, input[1] - kernel + 1, filters(input)};
    }

    /// x: f32 [n, height, width, channels].
    void adapt(const Tensor& x) const {
        const std::int64_t count = x.size(0), height = x.size(1), width = x.size(2), channels = x.size(3);
        const std::int64_t row = kernel * channels, size = kernel * row;
        std::vector<double> covariance(static_cast<std::size_t>(size * size));
        std::vector<double> patch(static_cast<std::size_t>(size));
        const float* pixels = x.data<float>();
        for (std::int64_t n = 0; n < count; ++n)
            for (std::int64_t h = 0; h + kernel <= height; ++h)
                for (std::int64_t w = 0; w + kernel <= width; ++w) {
                    for (std::int64_t k = 0; k < kernel; ++k) {
                        const float* from = pixels + ((n * height + h + k) * width + w) * channels;
                        std::copy_n(from, row, patch.begin() + k * row);
                    }
                    for (std::int64_t i = 0; i < size; ++i)
                        for (std::int64_t j = 0; j <= i; ++j)
                            covariance[static_cast<std::size_t>(i * size + j)] +=
                                patch[static_cast<std::size_t>(i)] * patch[static_cast<std::size_t>(j)];
                }
        const double patches = static_cast<double>(count * (height - kernel + 1) * (width - kernel + 1));
        for (std::int64_t i = 0; i < size; ++i)
            for (std::int64_t j = 0; j <= i; ++j)
                covariance[static_cast<std::size_t>(j * size + i)] =
                    covariance[static_cast<std::size_t>(i * size + j)] /= patches;

        const detail::Eigen eigen = detail::eigen_of_symmetric(std::move(covariance), static_cast<std::size_t>(size));
        std::vector<float> filters;
        for (const double sign : {1.0, -1.0})
            for (std::size_t i = 0; i < eigen.values.size(); ++i)
                for (std::size_t j = 0; j < eigen.values.size(); ++j)
                    filters.push_back(
                        static_cast<float>(sign * eigen.vectors[i][j] / std::sqrt(eigen.values[i] + 5e-4)));
        weight.copy_(Tensor::from(filters, weight.shape()));
    }
};

Conv2D convolution(std::int64_t width) {
    return Conv2D(width, 3,
                  {.padding = Padding::same, .use_bias = false, .kernel_initializer = Initializer::fan_in_uniform});
}

BatchNormalization normalization() {
    return BatchNormalization({.momentum = 0.6f, .epsilon = 1e-12f, .scale = false, .unbiased_running_variance = true});
}

/// Filter i of the first ones passes channel i on as it is.
void begin_as_identity(const Layer& convolution) {
    const Tensor weight = convolution.parameters().front().second;
    const std::int64_t kernel = weight.size(1), channels = weight.size(3);
    std::vector<float> values = weight.to_vector<float>();
    for (std::int64_t filter = 0; filter < std::min(weight.size(0), channels); ++filter)
        for (std::int64_t i = 0; i < kernel * kernel * channels; ++i)
            values[static_cast<std::size_t>(filter * kernel * kernel * channels + i)] =
                i == (kernel / 2 * kernel + kernel / 2) * channels + filter ? 1.0f : 0.0f;
    weight.copy_(Tensor::from(values, weight.shape()));
}

struct SpeedGroup final : LayerImpl {
    Conv2D conv1, conv2;
    BatchNormalization norm1, norm2;
    MaxPooling2D pool;

    explicit SpeedGroup(std::int64_t width)
        : conv1(convolution(width)), conv2(convolution(width)), norm1(normalization()), norm2(normalization()) {
        add_child("conv1", conv1);
        add_child("norm1", norm1);
        add_child("conv2", conv2);
        add_child("norm2", norm2);
    }
    const char* class_name() const override { return "SpeedGroup"; }

    void build(const Shape& input) override {
        const Shape halved = output_shape(input);
        conv1.build({input});
        norm1.build({halved});
        conv2.build({halved});
        norm2.build({halved});
        begin_as_identity(conv1);
        begin_as_identity(conv2);
    }
    Tensor forward(const Tensor& x, bool training) override {
        const Tensor h = activate(Activation::gelu, norm1(pool(conv1(x, training), training), training));
        return activate(Activation::gelu, norm2.after(conv2, h, training));
    }
    Shape output_shape(const Shape& input) const override { return pool->output_shape(conv1->output_shape(input)); }
};

struct SpeedNetImpl final : LayerImpl {
    SpeedNetOptions options;
    Layer whitening{std::make_shared<WhiteningConv2D>()};
    Layer groups;
    MaxPooling2D pool{3};
    Flatten flatten;
    Dense head;

    explicit SpeedNetImpl(const SpeedNetOptions& o)
        : LayerImpl(o.name),
          options(o),
          head(o.classes, {.use_bias = false, .kernel_initializer = Initializer::fan_in_uniform}) {
        std::vector<Layer> parts;
        for (const std::int64_t width : options.widths) parts.emplace_back(std::make_shared<SpeedGroup>(width));
        add_child("whiten", whitening);
        groups = add_child("layers", make_chain(parts));
        add_child("head", head);
    }
    const char* class_name() const override { return "SpeedNet"; }

    void build(const Shape& input) override {
        whitening.build({input});
        const Shape whitened = whitening->output_shape(input);
        groups.build({whitened});
        const Shape last = pool->output_shape(groups->output_shape(whitened));
        check(last.elements() == options.widths.back(), "SpeedNet: takes pictures of 32 x 32 or so, not {}", input);
        head.build({Shape{last.elements()}});
        const Tensor weight = head.parameters().front().second;
        const std::vector<double> values = weight.to_vector<double>();
        double mean = 0, squares = 0;
        for (const double value : values) mean += value / static_cast<double>(values.size());
        for (const double value : values) squares += (value - mean) * (value - mean);
        const double deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
        weight.copy_(weight.detach() * (1 / deviation));
    }
    Tensor forward(const Tensor& x, bool training) override {
        Tensor h = activate(Activation::gelu, whitening(x, training));
        h = flatten(pool(groups(h, training), training), training);
        return head(h, training) * (1.0 / static_cast<double>(h.size(1)));
    }
    Shape output_shape(const Shape&) const override { return Shape{options.classes}; }

    Config config() const override { return Config().set("widths", options.widths).set("classes", options.classes); }
};

const WhiteningConv2D* find_whitening(const Layer& layer) {
    if (const auto* own = dynamic_cast<const WhiteningConv2D*>(&layer.impl())) return own;
    for (const auto& [name, child] : layer->children())
        if (const WhiteningConv2D* inside = find_whitening(child)) return inside;
    return nullptr;
}

}  // namespace

SpeedNet::SpeedNet(const SpeedNetOptions& options) : Layer(std::make_shared<SpeedNetImpl>(options)) {}

void whiten(const Layer& model, const Dataset& pictures, std::int64_t count) {
    const WhiteningConv2D* layer = find_whitening(model);
    check(layer != nullptr, "whiten: the model has no WhiteningConv2D layer");
    check(layer->built(), "whiten: the model is not built yet");
    const Dataset plain = pictures.without_augmentation();
    layer->adapt(plain.batch(0, std::min(count, plain.size())).inputs[0]);
}

void add_speednet(LayerMakers& makers) {
    makers["SpeedNet"] = [](const Config& c) {
        return SpeedNet({.widths = c.at("widths").integers(), .classes = c.at("classes").integer()});
    };
}

}  // namespace heddle
