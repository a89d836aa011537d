#pragma once

#include <algorithm>
#include <vector>

#include "kernels/pool/pool.h"

namespace heddle::kernels {

/// The outputs whose windows hold one row (or column) of the picture: first <= output < last, perhaps none.
struct Cover {
    std::int64_t first, last;
    bool operator==(const Cover&) const = default;
};

/// For each coordinate of the picture along `axis` (0: rows, 1: columns); `outputs` is y's extent there.
inline std::vector<Cover> covers(const Pool2dParams& params, int axis, std::int64_t extent, std::int64_t outputs) {
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t stride = params.stride[a];
    std::vector<Cover> result;
    for (std::int64_t i = 0; i < extent; ++i) {
        const std::int64_t place = i + params.padding[2 * a];  // in the padded picture
        const std::int64_t before = place - params.kernel[a];  // the last place that a window ends at too early
        result.push_back({before < 0 ? 0 : before / stride + 1, std::min(place / stride + 1, outputs)});
    }
    return result;
}

}  // namespace heddle::kernels
