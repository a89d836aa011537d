#include "layers/sequence.h"

#include "core/check.h"
#include "layers/detail/activation_impl.h"
#include "layers/detail/registry.h"
#include "layers/detail/rules.h"
#include "ops/conv.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"
#include "ops/mask.h"
#include "ops/pool.h"
#include "ops/reduce.h"

namespace heddle {
namespace {

void check_sample(const char* layer, const Shape& input) {
    ops::require(input.rank() == 2, layer, "expected sequences [time, features], got {}", input);
}

/// Sequences as pictures of height 1.
Tensor as_pictures(const char* layer, const Tensor& x) {
    ops::require(x.rank() == 3, layer, "expected sequences [batch, time, features], got {}", x);
    return x.reshape(Shape{x.size(0), 1, x.size(1), x.size(2)});
}
Tensor as_sequences(const Tensor& y) { return y.reshape(Shape{y.size(0), y.size(2), y.size(3)}); }

struct Conv1DImpl final : LayerImpl {
    std::int64_t filters, kernel;
    Conv1DOptions options;
    Tensor weight, bias;

    Conv1DImpl(std::int64_t f, std::int64_t k, const Conv1DOptions& o)
        : LayerImpl(o.name), filters(f), kernel(k), options(o) {
        check(filters >= 1 && kernel >= 1, "Conv1D: filters and kernel size must be at least 1");
        check(options.groups >= 1 && filters % options.groups == 0, "Conv1D: {} filters do not divide into {} groups",
              filters, options.groups);
    }
    const char* class_name() const override { return "Conv1D"; }
    bool convolves() const override { return true; }

    void build(const Shape& input) override {
        check_sample("Conv1D", input);
        ops::require(input[1] % options.groups == 0, "Conv1D", "{} input features do not divide into {} groups",
                     input[1], options.groups);
        const std::int64_t depth = input[1] / options.groups;
        const std::int64_t fan_in = kernel * depth, fan_out = kernel * filters / options.groups;
        weight = add_parameter("weight", options.kernel_initializer(Shape{filters, kernel, depth}, fan_in, fan_out),
                               {options.kernel_regularizer, options.kernel_constraint});
        if (options.use_bias)
            bias = add_parameter("bias", options.bias_initializer(Shape{filters}, fan_in, fan_out),
                                 {options.bias_regularizer, {}});
    }

    ops::Conv2dParams params(std::int64_t time) const {
        return {
            .stride = {1, options.strides},
            .dilation = {1, options.dilation_rate},
            .padding = options.padding.resolve(1, time, {1, kernel}, {1, options.strides}, {1, options.dilation_rate}),
            .groups = options.groups};
    }
    Tensor with(const Tensor& x, Activation::Kind activation) {
        const Tensor pictures = as_pictures("Conv1D", x);
        const Tensor w = in_type_of(x, weight).reshape(Shape{filters, 1, kernel, weight.size(2)});
        return as_sequences(activate_unfused(
            activation, ops::conv2d(pictures, w, in_type_of(x, bias), params(x.size(1)), fused(activation))));
    }
    Tensor forward(const Tensor& x, bool) override { return with(x, options.activation); }
    Tensor forward_fused(const Tensor& x, LayerImpl& next, bool) override {
        return options.activation == Activation::linear && is_relu(next) ? with(x, Activation::relu) : Tensor();
    }

    Shape output_shape(const Shape& input) const override {
        check_sample("Conv1D", input);
        const Shape x{1, 1, input[0], input[1]}, w{filters, 1, kernel, input[1] / options.groups};
        return params(input[0]).output_shape(x, w).range(2, 4);
    }
    Config config() const override {
        return detail::with_kernel_options(Config()
                                               .set("filters", filters)
                                               .set("kernel_size", kernel)
                                               .set("strides", options.strides)
                                               .set("padding", options.padding.to_config())
                                               .set("dilation_rate", options.dilation_rate)
                                               .set("groups", options.groups),
                                           options);
    }
};

struct Pooling1DImpl final : LayerImpl {
    bool max;
    std::int64_t pool, strides;
    Padding padding;

    Pooling1DImpl(bool maximum, std::int64_t size, const Pooling1DOptions& options)
        : LayerImpl(options.name),
          max(maximum),
          pool(size),
          strides(options.strides.value_or(size)),
          padding(options.padding) {
        check(pool >= 1 && strides >= 1, "{}: pool size and strides must be at least 1", class_name());
    }
    const char* class_name() const override { return max ? "MaxPooling1D" : "AveragePooling1D"; }

    ops::Pool2dParams params(std::int64_t time) const {
        return {.kernel = {1, pool},
                .stride = {1, strides},
                .padding = padding.resolve(1, time, {1, pool}, {1, strides}, 1)};
    }
    Tensor forward(const Tensor& x, bool) override {
        const Tensor pictures = as_pictures(class_name(), x);
        const ops::Pool2dParams window = params(x.size(1));
        return as_sequences(max ? ops::max_pool2d(pictures, window) : ops::avg_pool2d(pictures, window));
    }
    Shape output_shape(const Shape& input) const override {
        check_sample(class_name(), input);
        return params(input[0]).output_shape(Shape{1, 1, input[0], input[1]}).range(2, 4);
    }
    Config config() const override {
        return Config().set("pool_size", pool).set("strides", strides).set("padding", padding.to_config());
    }
};

struct GlobalPooling1DImpl final : LayerImpl {
    bool max;
    GlobalPooling1DImpl(bool maximum, const std::string& name) : LayerImpl(name), max(maximum) {}
    const char* class_name() const override { return max ? "GlobalMaxPooling1D" : "GlobalAveragePooling1D"; }
    Tensor forward(const Tensor& x, bool) override {
        const Tensor pictures = as_pictures(class_name(), x);
        if (const Tensor mask = ops::mask_of(x); mask.defined()) return over_counted(x, mask);
        return max ? ops::global_max_pool2d(pictures) : ops::global_average_pool2d(pictures);
    }
    /// Pools over the steps that count by the mask [batch, time].
    Tensor over_counted(const Tensor& x, const Tensor& mask) const {
        const Tensor counts = mask.reshape(Shape{x.size(0), x.size(1), 1});
        const Tensor steps = ops::sum(counts.to(DType::f32), {1}), zero = Tensor::scalar(0, x.options());
        if (!max) {
            const Tensor sum = ops::sum(ops::where(counts, x, zero).to(wide(x.dtype())), {1});
            return (sum / ops::binary(ops::BinaryOp::maximum, steps, 1.0)).to(x.dtype());
        }
        const double lowest = x.dtype() == DType::f16 ? -65504 : -3e38;
        const Tensor kept = ops::where(counts, x, Tensor::scalar(lowest, x.options()));
        return ops::where(ops::binary(ops::BinaryOp::greater, steps, 0.0),
                          ops::global_max_pool2d(as_pictures(class_name(), kept)), zero);
    }
    Shape output_shape(const Shape& input) const override {
        check_sample(class_name(), input);
        return Shape{input[1]};
    }
    Config config() const override { return Config(); }
};

template <class Pooling>
Layer pooling_from(const Config& c) {
    return Pooling(c.at("pool_size").integer(),
                   {.strides = c.at("strides").integer(), .padding = Padding::from_config(c.at("padding"))});
}

}  // namespace

Conv1D::Conv1D(std::int64_t filters, std::int64_t kernel_size, const Conv1DOptions& options)
    : Layer(std::make_shared<Conv1DImpl>(filters, kernel_size, options)) {}
MaxPooling1D::MaxPooling1D(std::int64_t pool_size, const Pooling1DOptions& options)
    : Layer(std::make_shared<Pooling1DImpl>(true, pool_size, options)) {}
AveragePooling1D::AveragePooling1D(std::int64_t pool_size, const Pooling1DOptions& options)
    : Layer(std::make_shared<Pooling1DImpl>(false, pool_size, options)) {}
GlobalAveragePooling1D::GlobalAveragePooling1D(const std::string& name)
    : Layer(std::make_shared<GlobalPooling1DImpl>(false, name)) {}
GlobalMaxPooling1D::GlobalMaxPooling1D(const std::string& name)
    : Layer(std::make_shared<GlobalPooling1DImpl>(true, name)) {}

void add_sequence_layers(LayerMakers& makers) {
    makers["Conv1D"] = [](const Config& c) {
        const Conv1DOptions options{.strides = c.at("strides").integer(),
                                    .padding = Padding::from_config(c.at("padding")),
                                    .dilation_rate = c.at("dilation_rate").integer(),
                                    .groups = c.at("groups").integer()};
        return Conv1D(c.at("filters").integer(), c.at("kernel_size").integer(), detail::kernel_options_of(c, options));
    };
    makers["MaxPooling1D"] = pooling_from<MaxPooling1D>;
    makers["AveragePooling1D"] = pooling_from<AveragePooling1D>;
    makers["GlobalAveragePooling1D"] = [](const Config&) { return GlobalAveragePooling1D(); };
    makers["GlobalMaxPooling1D"] = [](const Config&) { return GlobalMaxPooling1D(); };
}

}  // namespace heddle
