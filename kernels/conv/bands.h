#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/conv/extents.h"
#include "kernels/prefetch.h"

namespace heddle::kernels {

/// The input pixels that some rows of a convolution's results depend on. If all of them are inside the picture they are
/// read in place, else from a copy padded with zeros. In both cases the windows of a row start a fixed distance apart,
/// and the pixels under a row of a window, with their channels, are contiguous.
struct Bands {
    std::int64_t height, width, channels;  // of a picture
    std::int64_t top, left;                // padding
    std::int64_t stride_h, kernel_height;  // of the windows
    std::int64_t columns;                  // under a whole row of results

    /// `line`: floats from a row to the next.
    struct Band {
        const float* data;
        std::int64_t line;
    };

    std::int64_t rows_under(std::int64_t results) const { return (results - 1) * stride_h + kernel_height; }
    /// What a copy takes.
    std::int64_t floats(std::int64_t results) const { return rows_under(results) * columns * channels; }

    /// The band under `results` rows of results from `row` on. `copy`: memory for `floats(results)`.
    Band band(const float* picture, std::int64_t row, std::int64_t results, float* copy) const {
        const std::int64_t first = row * stride_h - top, rows = rows_under(results);
        if (first >= 0 && first + rows <= height && left == 0 && columns <= width)
            return {picture + first * width * channels, width * channels};
        copy_rows(picture, first, rows, copy);
        return {copy, columns * channels};
    }

    /// The part of the picture that `band` with the same arguments copies, or that is read in place: windows of
    /// `kernel_width` pixels, `stride_w` apart.
    Prefetch prefetch(const float* picture, std::int64_t row, std::int64_t results, std::int64_t kernel_width,
                      std::int64_t stride_w) const {
        const std::int64_t first = std::max<std::int64_t>(0, row * stride_h - top), line = width * channels;
        const std::int64_t last = std::min(height, row * stride_h - top + rows_under(results));
        if (last <= first) return {};
        if (kernel_width >= stride_w && kernel_height >= stride_h)
            return {picture + first * line, (last - first) * line};
        if (kernel_width >= stride_w)
            return {picture + first * line, line, 1, 0, (last - first - 1) / stride_h + 1, stride_h * line};
        return {picture + first * line,
                kernel_width * channels,
                (columns - kernel_width) / stride_w + 1,
                stride_w * channels,
                results,
                stride_h * line};
    }

  private:
    void copy_rows(const float* picture, std::int64_t first, std::int64_t rows, float* to) const {
        const std::int64_t begin = std::min(left, columns), end = std::clamp(width + left, begin, columns);
        const auto zeros = [&](std::int64_t from, std::int64_t until) {
            if (from == until) return;
            std::memset(to + from * channels, 0, static_cast<std::size_t>((until - from) * channels) * sizeof(float));
        };
        for (std::int64_t row = first; row < first + rows; ++row, to += columns * channels) {
            if (row < 0 || row >= height) {
                zeros(0, columns);
                continue;
            }
            zeros(0, begin);
            std::memcpy(to + begin * channels, picture + row * width * channels,
                        static_cast<std::size_t>((end - begin) * channels) * sizeof(float));
            zeros(end, columns);
        }
    }
};

inline Bands bands_of(const ConvExtents& e, const Conv2dParams& params) {
    return {
        e.height,          e.width,          e.channels,      params.padding[0],
        params.padding[2], params.stride[0], e.kernel_height, (e.out_width - 1) * params.stride[1] + e.kernel_width};
}

}  // namespace heddle::kernels
