#include "train/precision.h"

#include "core/check.h"

namespace heddle {

std::string_view to_string(Precision precision) { return to_string(compute_dtype(precision)); }

Precision parse_precision(std::string_view name) {
    for (const Precision precision : {Precision::f32, Precision::bf16, Precision::f16})
        if (name == to_string(precision)) return precision;
    fail(fmt::format("no precision is called \"{}\"; there are: f32, bf16, f16", name));
}

}  // namespace heddle
