#pragma once

#include "core/check.h"
#include "layers/conv.h"
#include "layers/detail/activation_impl.h"
#include "layers/detail/pool_impl.h"
#include "layers/detail/rules.h"
#include "ops/conv.h"
#include "ops/detail/scope.h"

// Private to layers/: layers that a convolution fuses with look into it.
namespace heddle {

struct Conv2DImpl final : LayerImpl {
    std::int64_t filters;
    Size2 kernel;
    Conv2DOptions options;
    Tensor weight, bias;

    Conv2DImpl(std::int64_t f, Size2 k, const Conv2DOptions& o) : LayerImpl(o.name), filters(f), kernel(k), options(o) {
        check(filters >= 1 && kernel.height >= 1 && kernel.width >= 1,
              "Conv2D: filters and kernel size must be at least 1");
        check(options.groups >= 1 && filters % options.groups == 0, "Conv2D: {} filters do not divide into {} groups",
              filters, options.groups);
    }
    const char* class_name() const override { return "Conv2D"; }
    bool convolves() const override { return true; }

    void build(const Shape& input) override {
        ops::require(input.rank() == 3, "Conv2D", "expected pictures [height, width, channels], got {}", input);
        ops::require(input[2] % options.groups == 0, "Conv2D", "{} input channels do not divide into {} groups",
                     input[2], options.groups);
        const std::int64_t depth = input[2] / options.groups, area = kernel.height * kernel.width;
        const std::int64_t fan_in = area * depth, fan_out = area * filters / options.groups;
        weight = add_parameter(
            "weight", options.kernel_initializer(Shape{filters, kernel.height, kernel.width, depth}, fan_in, fan_out),
            {options.kernel_regularizer, options.kernel_constraint});
        if (options.use_bias)
            bias = add_parameter("bias", options.bias_initializer(Shape{filters}, fan_in, fan_out),
                                 {options.bias_regularizer, {}});
    }

    ops::Conv2dParams params(std::int64_t height, std::int64_t width) const {
        return {.stride = {options.strides.height, options.strides.width},
                .dilation = {options.dilation_rate.height, options.dilation_rate.width},
                .padding = options.padding.resolve(height, width, kernel, options.strides, options.dilation_rate),
                .groups = options.groups};
    }

    /// With another activation, and a residual (or an undefined tensor) added before it.
    Tensor with(const Tensor& x, Activation::Kind activation, const Tensor& residual = Tensor()) {
        ops::require(x.rank() == 4, "Conv2D", "expected pictures [batch, height, width, channels], got {}", x);
        return activate_unfused(activation, ops::conv2d(x, in_type_of(x, weight), in_type_of(x, bias),
                                                        params(x.size(1), x.size(2)), fused(activation), residual));
    }
    Tensor forward(const Tensor& x, bool) override { return with(x, options.activation); }

    Tensor forward_fused(const Tensor& x, LayerImpl& next, bool) override {
        if (options.activation == Activation::linear && is_relu(next)) return with(x, Activation::relu);
        // Max pooling and ReLU commute: pooling first leaves ReLU, and its mask on the way back, a quarter of the
        // elements.
        if (auto* pool = dynamic_cast<MaxPooling2DImpl*>(&next); pool && options.activation == Activation::relu)
            return pool->with(with(x, Activation::linear), ops::FusedActivation::relu);
        return Tensor();
    }

    Shape output_shape(const Shape& input) const override {
        ops::require(input.rank() == 3, "Conv2D", "expected pictures [height, width, channels], got {}", input);
        const Shape x{1, input[0], input[1], input[2]},
            w{filters, kernel.height, kernel.width, input[2] / options.groups};
        return params(input[0], input[1]).output_shape(x, w).range(1, 4);
    }

    Config config() const override {
        return detail::with_kernel_options(Config()
                                               .set("filters", filters)
                                               .set("kernel_size", to_config(kernel))
                                               .set("strides", to_config(options.strides))
                                               .set("padding", options.padding.to_config())
                                               .set("dilation_rate", to_config(options.dilation_rate))
                                               .set("groups", options.groups),
                                           options);
    }
};

}  // namespace heddle
