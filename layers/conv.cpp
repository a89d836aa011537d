#include "layers/conv.h"

#include <algorithm>

#include "layers/detail/conv_impl.h"
#include "layers/detail/registry.h"
#include "layers/detail/rules.h"
#include "ops/conv.h"
#include "ops/detail/scope.h"

namespace heddle {
namespace {

struct Conv2DTransposeImpl final : LayerImpl {
    std::int64_t filters;
    Size2 kernel;
    Conv2DTransposeOptions options;
    Tensor weight, bias;

    Conv2DTransposeImpl(std::int64_t f, Size2 k, const Conv2DTransposeOptions& o)
        : LayerImpl(o.name), filters(f), kernel(k), options(o) {
        check(filters >= 1 && kernel.height >= 1 && kernel.width >= 1,
              "Conv2DTranspose: filters and kernel size must be at least 1");
        check(options.padding.kind() != Padding::causal, "Conv2DTranspose: there is no causal padding");
    }
    const char* class_name() const override { return "Conv2DTranspose"; }
    bool convolves() const override { return true; }

    void build(const Shape& input) override {
        ops::require(input.rank() == 3, class_name(), "expected pictures [height, width, channels], got {}", input);
        const std::int64_t area = kernel.height * kernel.width, fan_in = area * filters, fan_out = area * input[2];
        weight = add_parameter(
            "weight",
            options.kernel_initializer(Shape{input[2], kernel.height, kernel.width, filters}, fan_in, fan_out),
            {options.kernel_regularizer, {}});
        if (options.use_bias)
            bias = add_parameter("bias", options.bias_initializer(Shape{filters}, fan_in, fan_out),
                                 {options.bias_regularizer, {}});
    }

    /// Height or width of the result for an input of this extent; `cut`: how much `Padding::pixels` takes off.
    std::int64_t extent(std::int64_t input, std::int64_t size, std::int64_t stride, std::int64_t dilation,
                        std::optional<std::int64_t> output_padding, std::int64_t cut) const {
        const std::int64_t reach = (size - 1) * dilation + 1, whole = (input - 1) * stride + reach;
        switch (options.padding.kind()) {
            case Padding::same:
                return output_padding ? whole - reach / 2 * 2 + *output_padding : input * stride;
            case Padding::given:
                return whole - cut + output_padding.value_or(0);
            default:
                return output_padding ? whole + *output_padding
                                      : input * stride + std::max<std::int64_t>(reach - stride, 0);
        }
    }
    /// The window of the convolution that this transposes, and the output padding that gives the result its extents.
    struct Window {
        ops::Conv2dParams params;
        std::array<std::int64_t, 2> output_padding;
        Size2 output;
    };
    Window window(std::int64_t height, std::int64_t width) const {
        const Size2 &strides = options.strides, &dilation = options.dilation_rate;
        const auto& more = options.output_padding;
        const auto given = options.padding.resolve(1, 1, 1, 1, 1);  // zeros for `valid` and `same`
        const Size2 output{extent(height, kernel.height, strides.height, dilation.height,
                                  more ? std::optional(more->height) : std::nullopt, given[0] + given[1]),
                           extent(width, kernel.width, strides.width, dilation.width,
                                  more ? std::optional(more->width) : std::nullopt, given[2] + given[3])};
        Window result{{.stride = {strides.height, strides.width},
                       .dilation = {dilation.height, dilation.width},
                       .padding = options.padding.resolve(output.height, output.width, kernel, strides, dilation)},
                      {},
                      output};
        const auto& cut = result.params.padding;
        result.output_padding = {
            output.height + cut[0] + cut[1] - (height - 1) * strides.height - (kernel.height - 1) * dilation.height - 1,
            output.width + cut[2] + cut[3] - (width - 1) * strides.width - (kernel.width - 1) * dilation.width - 1};
        ops::require(result.output_padding[0] >= 0 && result.output_padding[1] >= 0, class_name(),
                     "output_padding {} x {} is too small for padding \"same\" and a kernel of {} x {}",
                     more ? more->height : 0, more ? more->width : 0, kernel.height, kernel.width);
        return result;
    }

    Tensor forward(const Tensor& x, bool) override {
        ops::require(x.rank() == 4, class_name(), "expected pictures [batch, height, width, channels], got {}", x);
        const Window w = window(x.size(1), x.size(2));
        return activate(options.activation, ops::conv2d_transpose(x, in_type_of(x, weight), in_type_of(x, bias),
                                                                  w.params, w.output_padding));
    }
    Shape output_shape(const Shape& input) const override {
        ops::require(input.rank() == 3, class_name(), "expected pictures [height, width, channels], got {}", input);
        const Size2 output = window(input[0], input[1]).output;
        return Shape{output.height, output.width, filters};
    }

    Config config() const override {
        Config config;
        config.set("filters", filters)
            .set("kernel_size", to_config(kernel))
            .set("strides", to_config(options.strides))
            .set("padding", options.padding.to_config());
        if (options.output_padding) config.set("output_padding", to_config(*options.output_padding));
        config.set("dilation_rate", to_config(options.dilation_rate));
        return detail::with_kernel_options(config, options);
    }
};

}  // namespace

Conv2D::Conv2D(std::int64_t filters, Size2 kernel_size, const Conv2DOptions& options)
    : Layer(std::make_shared<Conv2DImpl>(filters, kernel_size, options)) {}

Tensor Conv2D::operator()(const Tensor& x, bool, const FusedConv2DOptions& fused) const {
    auto& own = static_cast<Conv2DImpl&>(impl());
    if (!own.built()) build({x.shape().range(1, x.rank())});
    const ops::LayerScope scope(own.class_name(), own.name());
    return own.with(x, own.options.activation, fused.residual);
}

Conv2DTranspose::Conv2DTranspose(std::int64_t filters, Size2 kernel_size, const Conv2DTransposeOptions& options)
    : Layer(std::make_shared<Conv2DTransposeImpl>(filters, kernel_size, options)) {}

void add_conv_layers(LayerMakers& makers) {
    makers["Conv2D"] = [](const Config& c) {
        const Conv2DOptions options{.strides = size_from_config(c.at("strides")),
                                    .padding = Padding::from_config(c.at("padding")),
                                    .dilation_rate = size_from_config(c.at("dilation_rate")),
                                    .groups = c.at("groups").integer()};
        return Conv2D(c.at("filters").integer(), size_from_config(c.at("kernel_size")),
                      detail::kernel_options_of(c, options));
    };
    makers["Conv2DTranspose"] = [](const Config& c) {
        Conv2DTransposeOptions options{.strides = size_from_config(c.at("strides")),
                                       .padding = Padding::from_config(c.at("padding")),
                                       .dilation_rate = size_from_config(c.at("dilation_rate"))};
        if (c.has("output_padding")) options.output_padding = size_from_config(c.at("output_padding"));
        return Conv2DTranspose(c.at("filters").integer(), size_from_config(c.at("kernel_size")),
                               detail::kernel_options_of(c, options));
    };
}

}  // namespace heddle
