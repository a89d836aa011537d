#include "layers/constraint.h"

#include <array>
#include <string>

#include "core/check.h"
#include "ops/autograd/grad_mode.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace heddle {
namespace {

constexpr std::array<std::string_view, 4> names = {"none", "max_norm", "non_neg", "unit_norm"};

/// Keras' epsilon: a row of zeros stays one.
constexpr double smallest = 1e-7;

/// Of each row of [rows, ...]: [rows, 1].
Tensor row_norms(const Tensor& rows) { return ops::sqrt(ops::sum(ops::square(rows), {-1}, true)); }

}  // namespace

Constraint::Constraint(Kind kind, double max_value) : kind_(kind), max_value_(max_value) {
    check(max_value >= 0, "MaxNorm: max_value must not be negative, got {}", max_value);
}

Constraint::Constraint(const char* name) : kind_(parse(name)) {}

Constraint::Kind Constraint::parse(std::string_view name) {
    for (std::size_t i = 1; i < names.size(); ++i)
        if (names[i] == name) return static_cast<Kind>(i);
    fail(fmt::format("unknown constraint \"{}\": expected max_norm, non_neg or unit_norm", name));
}

void Constraint::apply(const Tensor& weight) const {
    const NoGrad no_grad;
    if (kind_ == none || weight.elements() == 0) return;
    if (kind_ == non_neg) return weight.copy_(ops::relu(weight));
    check(weight.rank() >= 1, "{}: expected a weight with rows, got a scalar", names[kind_]);
    const Tensor rows = weight.detach().reshape(Shape{weight.size(0), -1});
    const Tensor norms = row_norms(rows);
    const Tensor wanted = kind_ == max_norm ? ops::binary(ops::BinaryOp::minimum, norms, max_value_) : Tensor();
    const Tensor factor = wanted.defined() ? wanted / (norms + smallest) : 1.0 / (norms + smallest);
    weight.copy_((rows * factor).reshape(weight.shape()));
}

Config Constraint::to_config() const {
    Config config;
    config.set("kind", std::string(names[kind_]));
    if (kind_ == max_norm) config.set("max_value", max_value_);
    return config;
}

Constraint Constraint::from_config(const Config& config) {
    const Kind kind = parse(config.at("kind").string());
    return Constraint(kind, kind == max_norm ? config.at("max_value").number() : 2);
}

}  // namespace heddle
