#pragma once

#include <string_view>

#include "core/config.h"
#include "core/tensor.h"

namespace heddle {

/// What a weight is brought back to after every optimizer step. Given to a layer as `.kernel_constraint = MaxNorm(2)`;
/// "max_norm", "non_neg" and "unit_norm" give one with Keras' defaults. A norm is that of all weights that lead to one
/// unit or filter: a row [out, ...] of the weight, or a vector of an `Embedding`. (Keras' default axis 0 means the same
/// for Dense; for Conv2D it is what Keras' axis [0, 1, 2] is, for Embedding its axis 1.)
class HEDDLE_API Constraint {
  public:
    enum Kind { none, max_norm, non_neg, unit_norm };

    Constraint() = default;
    explicit Constraint(Kind kind, double max_value = 2);
    /// Throws `Error` for another name.
    Constraint(const char* name);

    Kind kind() const { return kind_; }
    double max_value() const { return max_value_; }  ///< of max_norm
    explicit operator bool() const { return kind_ != none; }

    /// Changes the weight in place; unknown to autograd.
    void apply(const Tensor& weight) const;

    Config to_config() const;
    static Constraint from_config(const Config& config);

  private:
    static Kind parse(std::string_view name);
    Kind kind_ = none;
    double max_value_ = 2;
};

/// Rows with a norm above `max_value` are scaled down to it.
class HEDDLE_API MaxNorm : public Constraint {
  public:
    explicit MaxNorm(double max_value = 2) : Constraint(max_norm, max_value) {}
};
/// Weights below 0 become 0.
class HEDDLE_API NonNeg : public Constraint {
  public:
    NonNeg() : Constraint(non_neg) {}
};
/// Every row is scaled to norm 1.
class HEDDLE_API UnitNorm : public Constraint {
  public:
    UnitNorm() : Constraint(unit_norm) {}
};

}  // namespace heddle
