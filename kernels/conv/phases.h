#pragma once

#include "kernels/conv/gather.h"

// The gradient of a strided convolution's input. Pixels whose coordinates have the same remainder modulo the stride
// form a *phase*: the same taps reach all of them, and their gradient is an unstrided convolution of dy. So no
// product with an inserted zero is computed.
HEDDLE_KERNELS_BEGIN

/// One axis of the forward pass.
struct ConvAxis {
    int extent, out_extent, taps, stride, dilation, padding;
};

/// The taps of a phase are first_tap + t * tap_step; `gather` is how its pixels, counted within the phase, see dy.
struct PhaseAxis {
    int first_tap, tap_step;
    GatherAxis gather;
};

__host__ __device__ inline PhaseAxis phase_axis(const ConvAxis& axis, int phase) {
    int divisor = axis.stride, rest = axis.dilation % axis.stride;  // gcd(stride, dilation)
    while (rest != 0) {
        const int next = divisor % rest;
        divisor = rest;
        rest = next;
    }
    // Tap i reaches pixel `phase + q * stride` from output (that + padding - i * dilation) / stride, if that is whole:
    // for one i in every `step`, or for none.
    const int step = axis.stride / divisor;
    int first = 0;
    while (first < step && (phase + axis.padding - first * axis.dilation) % axis.stride != 0) ++first;
    PhaseAxis result{};
    result.first_tap = first;
    result.tap_step = step;
    result.gather.extent = axis.out_extent;
    result.gather.positions = (axis.extent - phase + axis.stride - 1) / axis.stride;
    result.gather.taps = first < step && first < axis.taps ? (axis.taps - 1 - first) / step + 1 : 0;
    result.gather.stride = 1;
    result.gather.dilation = -axis.dilation / divisor;
    result.gather.start = (phase + axis.padding - first * axis.dilation) / axis.stride;
    return result;
}

/// The filters of a phase as the matrix [taps * outputs of the group, channels of the group].
template <class T>
struct FilterSource {
    const T* data;
    int rows, columns;
    bool vectors;
    int kernel_width;
    std::int64_t filter;  ///< elements of a filter
    int first_tap_h, first_tap_w, tap_step_h, tap_step_w;
    Divisor by_outputs, by_taps;

    using Row = std::int64_t;  // offset, negative outside
    using Column = int;
    __device__ Row row(int r) const {
        if (r >= rows) return -1;
        int output, w;
        const int tap = by_outputs.divide(r, output);
        const int h = by_taps.divide(tap, w);
        const std::int64_t place =
            static_cast<std::int64_t>(first_tap_h + h * tap_step_h) * kernel_width + first_tap_w + w * tap_step_w;
        return output * filter + place * columns;
    }
    __device__ Column column(int c) const { return c < columns ? c : -1; }
    __device__ const T* at(Row row, Column column) const {
        return row >= 0 && column >= 0 ? data + row + column : nullptr;
    }
};

/// Where the pixels of a phase lie in dx.
struct PhaseRows {
    std::int64_t step;  ///< elements from one pixel to the next
    int height, width, stride_h, stride_w, phase_h, phase_w;
    Divisor by_picture, by_width;

    __device__ std::int64_t offset(int row) const {
        int position, w;
        const std::int64_t picture = by_picture.divide(row, position);
        const int h = by_width.divide(position, w);
        return ((picture * height + phase_h + h * stride_h) * width + phase_w + w * stride_w) * step;
    }
};

HEDDLE_KERNELS_END
