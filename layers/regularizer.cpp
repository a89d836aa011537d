#include "layers/regularizer.h"

#include <string_view>

#include "core/check.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace heddle {

Regularizer::Regularizer(double l1, double l2) : l1_(l1), l2_(l2) {
    check(l1 >= 0 && l2 >= 0, "Regularizer: l1 and l2 must not be negative, got {} and {}", l1, l2);
}

Regularizer::Regularizer(const char* name) {
    const std::string_view wanted = name;
    check(wanted == "l1" || wanted == "l2", "unknown regularizer \"{}\": expected l1 or l2", wanted);
    *this = wanted == "l1" ? Regularizer(L1()) : Regularizer(L2());
}

Tensor Regularizer::operator()(const Tensor& weight) const {
    Tensor total;
    if (l1_ > 0) total = ops::sum(ops::abs(weight)) * l1_;
    if (l2_ > 0) {
        const Tensor squares = ops::sum(ops::square(weight)) * l2_;
        total = total.defined() ? total + squares : squares;
    }
    return total;
}

Config Regularizer::to_config() const { return Config().set("l1", l1_).set("l2", l2_); }

Regularizer Regularizer::from_config(const Config& config) {
    return Regularizer(config.at("l1").number(), config.at("l2").number());
}

}  // namespace heddle
