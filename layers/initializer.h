#pragma once

#include <string>
#include <string_view>

#include "core/config.h"
#include "core/tensor.h"

namespace heddle {

/// How initial weights are drawn; names and formulas as in Keras, plus PyTorch's default.
class HEDDLE_API Initializer {
  public:
    enum Kind {
        zeros,
        ones,
        constant,           ///< `value`
        glorot_uniform,     ///< uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010); Keras's default
        glorot_normal,      ///< truncated normal of deviation sqrt(2 / (fan_in + fan_out))
        he_uniform,         ///< uniform within sqrt(6 / fan_in) (He et al. 2015)
        he_normal,          ///< truncated normal of deviation sqrt(2 / fan_in)
        he_normal_fan_out,  ///< normal of deviation sqrt(2 / fan_out): torchvision's for ResNet
        lecun_uniform,      ///< uniform within sqrt(3 / fan_in)
        lecun_normal,       ///< truncated normal of deviation sqrt(1 / fan_in)
        fan_in_uniform,     ///< uniform within sqrt(1 / fan_in): PyTorch's default for weights and biases
        random_normal,      ///< normal of deviation `value`
        random_uniform,     ///< uniform within `value`
        orthogonal          ///< rows (or columns, where those are fewer) orthonormal (Saxe et al. 2014)
    };

    Initializer(Kind kind, double value = 0.05) : kind_(kind), value_(value) {}
    Initializer(const char* name);

    Kind kind() const { return kind_; }
    double value() const { return value_; }
    std::string name() const;
    static Initializer parse(std::string_view name);

    /// The name; for the kinds that use `value`, name and value.
    Config to_config() const;
    static Initializer from_config(const Config& config);

    /// A new CPU tensor, drawn from the thread's default generator.
    Tensor operator()(const Shape& shape, std::int64_t fan_in, std::int64_t fan_out) const;

  private:
    Kind kind_;
    double value_;
};

}  // namespace heddle
