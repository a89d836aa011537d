#pragma once

#include <string>
#include <string_view>

#include "layers/layer.h"

namespace heddle {

/// Applies an activation function; also the type of other layers' `.activation`: `Activation::relu` is both an argument
/// and, called as `Activation(Activation::relu)`, a layer.
class HEDDLE_API Activation : public Layer {
  public:
    enum Kind {
        linear,
        relu,
        leaky_relu,
        elu,
        selu,
        sigmoid,
        tanh,
        gelu,
        silu,
        softplus,
        softsign,
        softmax,
        log_softmax,
        exponential
    };

    Activation(Kind kind, const std::string& name = {});
    Activation(const char* kind);

    Kind kind() const;
    static std::string_view name_of(Kind kind);
    /// Throws `Error` that lists the names there are.
    static Kind parse(std::string_view name);
};

/// An activation function as a setting of a layer: `Activation::relu`, or its name as in Keras, `"relu"`.
class HEDDLE_API ActivationKind {
  public:
    ActivationKind(Activation::Kind kind = Activation::linear) : kind_(kind) {}
    /// Throws `Error` that lists the names there are.
    ActivationKind(const char* name) : kind_(Activation::parse(name)) {}
    ActivationKind(const std::string& name) : kind_(Activation::parse(name)) {}

    operator Activation::Kind() const { return kind_; }

  private:
    Activation::Kind kind_;
};

/// The function itself. leaky_relu has Keras's slope 0.2; `LeakyReLU` takes any.
HEDDLE_API Tensor activate(Activation::Kind kind, const Tensor& x);

/// max(x, 0).
class HEDDLE_API ReLU : public Activation {
  public:
    explicit ReLU(const std::string& name = {}) : Activation(Activation::relu, name) {}
};

/// Softmax over the last axis. Inputs {x}, or {x, mask} of the same shape, whose elements say which ones count (not 0,
/// any dtype): the others get the weight 0, as long as one of the row counts.
class HEDDLE_API Softmax : public Activation {
  public:
    explicit Softmax(const std::string& name = {}) : Activation(Activation::softmax, name) {}
};

/// x > 0 ? x : slope x.
class HEDDLE_API LeakyReLU : public Layer {
  public:
    explicit LeakyReLU(float negative_slope = 0.3f, const std::string& name = {});
};

/// x > 0 ? x : alpha (exp(x) - 1).
class HEDDLE_API ELU : public Layer {
  public:
    explicit ELU(float alpha = 1, const std::string& name = {});
};

}  // namespace heddle
