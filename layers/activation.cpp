#include "layers/activation.h"

#include <array>

#include "core/check.h"
#include "layers/detail/activation_impl.h"
#include "layers/detail/registry.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"
#include "ops/softmax.h"

namespace heddle {
namespace {

constexpr std::array<std::string_view, 14> names = {"linear",   "relu",    "leaky_relu",  "elu",        "selu",
                                                    "sigmoid",  "tanh",    "gelu",        "silu",       "softplus",
                                                    "softsign", "softmax", "log_softmax", "exponential"};

struct LeakyReLUImpl final : LayerImpl {
    float slope;
    LeakyReLUImpl(float s, const std::string& name) : LayerImpl(name), slope(s) {}
    const char* class_name() const override { return "LeakyReLU"; }
    bool supports_masking() const override { return true; }
    Tensor forward(const Tensor& x, bool) override { return ops::leaky_relu(x, slope); }
    Config config() const override { return Config().set("negative_slope", slope); }
};

struct ELUImpl final : LayerImpl {
    float alpha;
    ELUImpl(float a, const std::string& name) : LayerImpl(name), alpha(a) {}
    const char* class_name() const override { return "ELU"; }
    bool supports_masking() const override { return true; }
    Tensor forward(const Tensor& x, bool) override { return ops::elu(x, alpha); }
    Config config() const override { return Config().set("alpha", alpha); }
};

}  // namespace

std::string_view Activation::name_of(Kind kind) { return names[static_cast<std::size_t>(kind)]; }

Activation::Kind Activation::parse(std::string_view name) {
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] == name) return static_cast<Kind>(i);
    fail(fmt::format("unknown activation \"{}\": expected one of {}", name, fmt::join(names, ", ")));
}

Activation::Activation(Kind kind, const std::string& name) : Layer(std::make_shared<ActivationImpl>(kind, name)) {}
Activation::Activation(const char* kind) : Activation(parse(kind)) {}

Activation::Kind Activation::kind() const { return static_cast<const ActivationImpl&>(impl()).kind; }

Tensor activate(Activation::Kind kind, const Tensor& x) {
    using ops::UnaryOp;
    switch (kind) {
        case Activation::linear:
            return x;
        case Activation::relu:
            return ops::unary(UnaryOp::relu, x);
        case Activation::leaky_relu:
            return ops::unary(UnaryOp::leaky_relu, x, 0.2f);
        case Activation::elu:
            return ops::unary(UnaryOp::elu, x, 1.0f);
        case Activation::selu:
            return ops::unary(UnaryOp::selu, x);
        case Activation::sigmoid:
            return ops::unary(UnaryOp::sigmoid, x);
        case Activation::tanh:
            return ops::unary(UnaryOp::tanh, x);
        case Activation::gelu:
            return ops::unary(UnaryOp::gelu, x);
        case Activation::silu:
            return ops::unary(UnaryOp::silu, x);
        case Activation::softplus:
            return ops::unary(UnaryOp::softplus, x);
        case Activation::softsign:
            return ops::unary(UnaryOp::softsign, x);
        case Activation::softmax:
            return ops::softmax(x);
        case Activation::log_softmax:
            return ops::log_softmax(x);
        case Activation::exponential:
            return ops::unary(UnaryOp::exp, x);
    }
    return x;
}

LeakyReLU::LeakyReLU(float negative_slope, const std::string& name)
    : Layer(std::make_shared<LeakyReLUImpl>(negative_slope, name)) {}
ELU::ELU(float alpha, const std::string& name) : Layer(std::make_shared<ELUImpl>(alpha, name)) {}

const char* ActivationImpl::class_name() const { return "Activation"; }
Tensor ActivationImpl::forward(const Tensor& x, bool) { return activate(kind, x); }

void ActivationImpl::check_inputs(const std::vector<Shape>& inputs) const {
    ops::require(inputs.size() == 1 || (inputs.size() == 2 && kind == Activation::softmax), class_name(),
                 "{} takes one input{}, got {}", Activation::name_of(kind),
                 kind == Activation::softmax ? ", and a mask" : "", inputs.size());
    ops::require(inputs.size() == 1 || inputs[0] == inputs[1], class_name(), "expected a mask {} as the input, got {}",
                 inputs[0], inputs.back());
}

std::vector<Tensor> ActivationImpl::forward(const std::vector<Tensor>& inputs, bool) {
    std::vector<Shape> shapes;
    for (const Tensor& input : inputs) shapes.push_back(input.shape());
    check_inputs(shapes);
    const Tensor& x = inputs[0];
    if (inputs.size() == 1) return {activate(kind, x)};
    const Tensor zero = Tensor::scalar(0, {inputs[1].dtype(), inputs[1].device()});
    const Tensor left_out = ops::equal(inputs[1], zero).to(x.dtype());
    // Keras' numbers: as good as minus infinity, without its NaN where nothing counts.
    return {ops::softmax(x + left_out * (x.dtype() == DType::f16 ? -3e4 : -1e9))};
}

std::vector<Shape> ActivationImpl::output_shapes(const std::vector<Shape>& inputs) const {
    check_inputs(inputs);
    return {inputs[0]};
}

Config ActivationImpl::config() const { return Config().set("activation", std::string(Activation::name_of(kind))); }

void add_activation_layers(LayerMakers& makers) {
    makers["Activation"] = [](const Config& c) { return Activation(Activation::parse(c.at("activation").string())); };
    makers["LeakyReLU"] = [](const Config& c) {
        return LeakyReLU(static_cast<float>(c.at("negative_slope").number()));
    };
    makers["ELU"] = [](const Config& c) { return ELU(static_cast<float>(c.at("alpha").number())); };
}

}  // namespace heddle
