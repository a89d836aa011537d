#pragma once

#include "kernels/activation.h"
#include "layers/activation.h"

// Private to layers/: layers that fuse look for this behind them.
namespace heddle {

struct ActivationImpl final : LayerImpl {
    Activation::Kind kind;
    ActivationImpl(Activation::Kind k, const std::string& name) : LayerImpl(name), kind(k) {}
    const char* class_name() const override;
    Tensor forward(const Tensor& x, bool training) override;
    Config config() const override;
};

/// Whether `layer` is a plain ReLU.
inline bool is_relu(const LayerImpl& layer) {
    const auto* activation = dynamic_cast<const ActivationImpl*>(&layer);
    return activation && activation->kind == Activation::relu;
}

/// What kernels fuse; the rest of an activation is applied afterwards.
inline kernels::FusedActivation fused(Activation::Kind kind) {
    return kind == Activation::relu ? kernels::FusedActivation::relu : kernels::FusedActivation::none;
}
inline Tensor activate_unfused(Activation::Kind kind, const Tensor& x) {
    return kind == Activation::relu ? x : activate(kind, x);
}

}  // namespace heddle
