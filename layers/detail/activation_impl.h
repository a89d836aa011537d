#pragma once

#include "kernels/activation.h"
#include "layers/activation.h"

// Private to layers/: layers that fuse look for this behind them.
namespace heddle {

struct ActivationImpl final : LayerImpl {
    Activation::Kind kind;
    ActivationImpl(Activation::Kind k, const std::string& name) : LayerImpl(name), kind(k) {}
    const char* class_name() const override;
    bool supports_masking() const override { return true; }
    Tensor forward(const Tensor& x, bool training) override;
    std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool training) override;
    std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override;
    Config config() const override;

  private:
    /// Of one input, or of softmax' input and mask.
    void check_inputs(const std::vector<Shape>& inputs) const;
};

/// Whether `layer` is a plain ReLU.
inline bool is_relu(const LayerImpl& layer) {
    const auto* activation = dynamic_cast<const ActivationImpl*>(&layer);
    return activation && activation->kind == Activation::relu;
}

/// A parameter in the type of the input, where that has 16 bits. (Mixed precision: the parameter itself and its
/// gradient stay f32.)
inline Tensor in_type_of(const Tensor& x, const Tensor& parameter) {
    const bool narrow = is_floating(x.dtype()) && size_of(x.dtype()) == 2;
    return narrow && parameter.defined() && parameter.dtype() == DType::f32 ? parameter.to(x.dtype()) : parameter;
}

/// What kernels fuse; the rest of an activation is applied afterwards.
inline kernels::FusedActivation fused(Activation::Kind kind) {
    return kind == Activation::relu ? kernels::FusedActivation::relu : kernels::FusedActivation::none;
}
inline Tensor activate_unfused(Activation::Kind kind, const Tensor& x) {
    return kind == Activation::relu ? x : activate(kind, x);
}

}  // namespace heddle
