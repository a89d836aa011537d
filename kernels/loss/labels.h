#pragma once

#include "kernels/view.h"

namespace heddle::kernels {

/// Sparse label `row`, of any integer type.
inline std::int64_t label_at(const View& labels, std::int64_t row) {
    switch (labels.dtype) {
        case DType::i64:
            return labels.as<std::int64_t>()[row];
        case DType::u8:
            return labels.as<std::uint8_t>()[row];
        default:
            return labels.as<std::int32_t>()[row];
    }
}

/// Whether a sparse label is neither a class nor ignored.
inline bool is_outside(std::int64_t label, std::int64_t classes, std::int64_t ignored) {
    return label != ignored && (label < 0 || label >= classes);
}

/// Keras clips probabilities by this much before it takes their logarithm.
inline constexpr float probability_margin = 1e-7f;

}  // namespace heddle::kernels
