#include "layers/core.h"

#include <algorithm>

#include "core/check.h"
#include "layers/detail/activation_impl.h"
#include "layers/detail/registry.h"
#include "layers/detail/rules.h"
#include "ops/autograd/grad_mode.h"
#include "ops/copy.h"
#include "ops/detail/scope.h"
#include "ops/linear.h"
#include "ops/random.h"

namespace heddle {
namespace {

struct DenseImpl final : LayerImpl {
    std::int64_t units;
    DenseOptions options;
    Tensor weight, bias;

    DenseImpl(std::int64_t count, const DenseOptions& o) : LayerImpl(o.name), units(count), options(o) {
        check(units >= 1, "Dense: expected at least one unit, got {}", units);
    }
    const char* class_name() const override { return "Dense"; }
    bool supports_masking() const override { return true; }

    void build(const Shape& input) override {
        ops::require(input.rank() >= 1, "Dense", "expected inputs [batch, ..., features], got scalars");
        const std::int64_t in = input.back();
        weight = add_parameter("weight", options.kernel_initializer(Shape{units, in}, in, units),
                               {options.kernel_regularizer, options.kernel_constraint});
        if (options.use_bias)
            bias = add_parameter("bias", options.bias_initializer(Shape{units}, in, units),
                                 {options.bias_regularizer, {}});
    }
    Tensor forward(const Tensor& x, bool) override { return with(x, options.activation); }
    Tensor with(const Tensor& x, Activation::Kind activation) {
        return activate_unfused(activation,
                                ops::linear(x, in_type_of(x, weight), in_type_of(x, bias), fused(activation)));
    }
    Tensor forward_fused(const Tensor& x, LayerImpl& next, bool) override {
        return options.activation == Activation::linear && is_relu(next) ? with(x, Activation::relu) : Tensor();
    }
    Shape output_shape(const Shape& input) const override { return input.with(-1, units); }
    Config config() const override { return detail::with_kernel_options(Config().set("units", units), options); }
};

struct FlattenImpl final : LayerImpl {
    using LayerImpl::LayerImpl;
    const char* class_name() const override { return "Flatten"; }
    Tensor forward(const Tensor& x, bool) override {
        return x.reshape(Shape{x.size(0), x.shape().elements(1, x.rank())});
    }
    Shape output_shape(const Shape& input) const override { return Shape{input.elements()}; }
    Config config() const override { return Config(); }
};

struct ReshapeImpl final : LayerImpl {
    Shape shape;
    ReshapeImpl(const Shape& s, const std::string& name) : LayerImpl(name), shape(s) {
        check(std::count(s.begin(), s.end(), -1) <= 1, "Reshape: more than one extent of {} is open", s);
    }
    const char* class_name() const override { return "Reshape"; }
    Tensor forward(const Tensor& x, bool) override {
        Shape full{x.size(0)};
        for (const std::int64_t extent : output_shape(x.shape().range(1, x.rank()))) full.push_back(extent);
        return x.reshape(full);
    }
    Shape output_shape(const Shape& input) const override {
        std::int64_t known = 1;
        for (const std::int64_t extent : shape) known *= extent < 0 ? 1 : extent;
        Shape result;
        for (const std::int64_t extent : shape)
            result.push_back(extent < 0 && known > 0 ? input.elements() / known : extent);
        ops::require(result.elements() == input.elements(), "Reshape", "{} does not fit {}", shape, input);
        return result;
    }
    Config config() const override {
        return Config().set("target_shape", std::vector<std::int64_t>(shape.begin(), shape.end()));
    }
};

struct DropoutImpl final : LayerImpl {
    float rate;
    DropoutImpl(float r, const std::string& name) : LayerImpl(name), rate(r) {
        check(rate >= 0 && rate < 1, "Dropout: rate {} is outside 0 .. 1", rate);
    }
    const char* class_name() const override { return "Dropout"; }
    bool supports_masking() const override { return true; }
    Tensor forward(const Tensor& x, bool training) override { return ops::dropout(x, rate, training); }
    Config config() const override { return Config().set("rate", rate); }
};

struct GaussianNoiseImpl final : LayerImpl {
    float stddev;
    GaussianNoiseImpl(float s, const std::string& name) : LayerImpl(name), stddev(s) {
        check(stddev >= 0, "GaussianNoise: the deviation must not be negative, got {}", stddev);
    }
    const char* class_name() const override { return "GaussianNoise"; }
    bool supports_masking() const override { return true; }
    Tensor forward(const Tensor& x, bool training) override {
        return training && stddev > 0 ? x + ops::random_normal(x.shape(), 0, stddev, x.options()) : x;
    }
    Config config() const override { return Config().set("stddev", stddev); }
};

struct PermuteImpl final : LayerImpl {
    std::vector<int> dims;
    PermuteImpl(const std::vector<int>& d, const std::string& name) : LayerImpl(name), dims(d) {
        std::vector<int> sorted = d;
        std::sort(sorted.begin(), sorted.end());
        for (std::size_t i = 0; i < sorted.size(); ++i)
            check(sorted[i] == static_cast<int>(i) + 1, "Permute: expected each of 1 .. {} once, got {}", d.size(),
                  fmt::join(d, ", "));
    }
    const char* class_name() const override { return "Permute"; }
    Tensor forward(const Tensor& x, bool) override {
        std::vector<int> axes{0};
        axes.insert(axes.end(), dims.begin(), dims.end());
        return ops::permute(x, axes);
    }
    Shape output_shape(const Shape& input) const override {
        ops::require(input.rank() == static_cast<int>(dims.size()), "Permute", "expected {} dimensions, got {}",
                     dims.size(), input);
        Shape result;
        for (const int dim : dims) result.push_back(input[dim - 1]);
        return result;
    }
    Config config() const override { return Config().set("dims", std::vector<std::int64_t>(dims.begin(), dims.end())); }
};

struct RepeatVectorImpl final : LayerImpl {
    std::int64_t times;
    RepeatVectorImpl(std::int64_t n, const std::string& name) : LayerImpl(name), times(n) {
        check(times >= 1, "RepeatVector: expected at least 1, got {}", times);
    }
    const char* class_name() const override { return "RepeatVector"; }
    Tensor forward(const Tensor& x, bool) override {
        ops::require(x.rank() == 2, "RepeatVector", "expected vectors [batch, features], got {}", x);
        return ops::broadcast_to(x.reshape(Shape{x.size(0), 1, x.size(1)}), Shape{x.size(0), times, x.size(1)});
    }
    Shape output_shape(const Shape& input) const override {
        ops::require(input.rank() == 1, "RepeatVector", "expected vectors [features], got {}", input);
        return Shape{times, input[0]};
    }
    Config config() const override { return Config().set("n", times); }
};

struct RescalingImpl final : LayerImpl {
    double scale, offset;
    RescalingImpl(double s, double o, const std::string& name) : LayerImpl(name), scale(s), offset(o) {}
    const char* class_name() const override { return "Rescaling"; }
    bool supports_masking() const override { return true; }
    Tensor forward(const Tensor& x, bool) override {
        const Tensor y = (is_floating(x.dtype()) ? x : x.to(DType::f32)) * scale;
        return offset == 0 ? y : y + offset;
    }
    Config config() const override { return Config().set("scale", scale).set("offset", offset); }
};

struct InputImpl final : LayerImpl {
    Shape shape;
    InputImpl(const Shape& s, const std::string& name) : LayerImpl(name), shape(s) {}
    const char* class_name() const override { return "InputLayer"; }
    Tensor forward(const Tensor& x, bool) override {
        ops::require(x.shape().range(1, x.rank()) == shape, "InputLayer",
                     "expected samples of shape {}, got {} (input shape {})", shape, x.shape().range(1, x.rank()),
                     x.shape());
        return x;
    }
    Shape output_shape(const Shape&) const override { return shape; }
    Config config() const override {
        return Config().set("shape", std::vector<std::int64_t>(shape.begin(), shape.end()));
    }
};

struct LambdaImpl final : LayerImpl {
    std::function<Tensor(const Tensor&)> function;
    std::function<Shape(const Shape&)> shape;
    LambdaImpl(std::function<Tensor(const Tensor&)> f, std::function<Shape(const Shape&)> s, const std::string& name)
        : LayerImpl(name), function(std::move(f)), shape(std::move(s)) {}
    const char* class_name() const override { return "Lambda"; }
    Tensor forward(const Tensor& x, bool) override { return function(x); }
    Shape output_shape(const Shape& input) const override {
        if (shape) return shape(input);
        Shape sample{1};
        for (const std::int64_t extent : input) sample.push_back(extent);
        const NoGrad no_grad;
        const Generator before = default_generator();
        try {
            const Tensor y = function(Tensor::zeros(sample));
            default_generator() = before;
            return y.shape().range(1, y.rank());
        } catch (const Error& error) {
            default_generator() = before;
            ops::require(false, "Lambda", "give it an output_shape: the function fails on zeros {}: {}", sample,
                         error.what());
        }
        return input;
    }
};

Shape shape_of(const Config& config, const char* key) {
    const std::vector<std::int64_t> extents = config.at(key).integers();
    return Shape(std::span<const std::int64_t>(extents));
}

}  // namespace

Dense::Dense(std::int64_t units, const DenseOptions& options) : Layer(std::make_shared<DenseImpl>(units, options)) {}
Flatten::Flatten(const std::string& name) : Layer(std::make_shared<FlattenImpl>(name)) {}
Reshape::Reshape(const Shape& shape, const std::string& name) : Layer(std::make_shared<ReshapeImpl>(shape, name)) {}
Dropout::Dropout(float rate, const std::string& name) : Layer(std::make_shared<DropoutImpl>(rate, name)) {}
GaussianNoise::GaussianNoise(float stddev, const std::string& name)
    : Layer(std::make_shared<GaussianNoiseImpl>(stddev, name)) {}
Permute::Permute(const std::vector<int>& dims, const std::string& name)
    : Layer(std::make_shared<PermuteImpl>(dims, name)) {}
RepeatVector::RepeatVector(std::int64_t n, const std::string& name)
    : Layer(std::make_shared<RepeatVectorImpl>(n, name)) {}
Rescaling::Rescaling(double scale, double offset, const std::string& name)
    : Layer(std::make_shared<RescalingImpl>(scale, offset, name)) {}
InputLayer::InputLayer(const Shape& shape, const std::string& name) : Layer(std::make_shared<InputImpl>(shape, name)) {}
Lambda::Lambda(std::function<Tensor(const Tensor&)> function, std::function<Shape(const Shape&)> output_shape,
               const std::string& name)
    : Layer(std::make_shared<LambdaImpl>(std::move(function), std::move(output_shape), name)) {}

void add_core_layers(LayerMakers& makers) {
    makers["Dense"] = [](const Config& c) {
        return Dense(c.at("units").integer(), detail::kernel_options_of<DenseOptions>(c));
    };
    makers["Flatten"] = [](const Config&) { return Flatten(); };
    makers["Reshape"] = [](const Config& c) { return Reshape(shape_of(c, "target_shape")); };
    makers["Dropout"] = [](const Config& c) { return Dropout(static_cast<float>(c.at("rate").number())); };
    makers["GaussianNoise"] = [](const Config& c) {
        return GaussianNoise(static_cast<float>(c.at("stddev").number()));
    };
    makers["Permute"] = [](const Config& c) {
        const std::vector<std::int64_t> dims = c.at("dims").integers();
        return Permute(std::vector<int>(dims.begin(), dims.end()));
    };
    makers["RepeatVector"] = [](const Config& c) { return RepeatVector(c.at("n").integer()); };
    makers["Rescaling"] = [](const Config& c) { return Rescaling(c.at("scale").number(), c.at("offset").number()); };
    makers["InputLayer"] = [](const Config& c) { return InputLayer(shape_of(c, "shape")); };
}

}  // namespace heddle
