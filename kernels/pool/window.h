#pragma once

#include <algorithm>

#include "kernels/pool/pool.h"

namespace heddle::kernels {

/// The part of one output's window that lies in the picture, along one axis.
struct WindowSpan {
    std::int64_t start;        ///< of the window, in picture coordinates; negative within the padding
    std::int64_t first, last;  ///< first <= coordinate < last
};

/// `axis` 0: rows, 1: columns; `out` the output's coordinate; `extent` the picture's.
inline WindowSpan window_span(const Pool2dParams& params, int axis, std::int64_t out, std::int64_t extent) {
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t start = out * params.stride[a] - params.padding[2 * a];
    return {start, std::max<std::int64_t>(start, 0), std::min(start + params.kernel[a], extent)};
}

}  // namespace heddle::kernels
