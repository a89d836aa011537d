#pragma once

#include <algorithm>

#include "kernels/conv/extents.h"
#include "kernels/matmul/tile_load.h"
#include "kernels/simt/divide.h"

// A convolution as a product of matrices, none of which exists in memory (implicit GEMM): pictures seen as the matrix
// [positions, taps * channels] of what each position's taps read.
HEDDLE_KERNELS_BEGIN

/// One axis: position p and tap t read coordinate p * stride + t * dilation + start, if it is one.
struct GatherAxis {
    int extent, positions, taps, stride, dilation, start;
};

template <class T>
struct GatherSource {
    const T* data;  ///< the first channel of a group
    int rows, columns;
    bool vectors;
    GatherAxis vertical, horizontal;
    std::int64_t step;  ///< elements from one pixel to the next, of all groups
    Divisor by_picture, by_width, by_channels, by_taps;

    struct Row {
        int pixel, h, w;  ///< the pixel's number among all, and its coordinates
    };
    struct Column {
        int pixels, channel, h, w;  ///< steps from a row's
    };
    static constexpr int outside = -(1 << 30);  // two of them added are still outside

    __device__ Row row(int r) const {
        if (r >= rows) return {0, outside, outside};
        int position, w;
        const int picture = by_picture.divide(r, position);
        int h = by_width.divide(position, w);
        h = h * vertical.stride + vertical.start;
        w = w * horizontal.stride + horizontal.start;
        return {(picture * vertical.extent + h) * horizontal.extent + w, h, w};
    }
    __device__ Column column(int c) const {
        if (c >= columns) return {0, 0, outside, outside};
        int channel, w;
        const int tap = by_channels.divide(c, channel);
        int h = by_taps.divide(tap, w);
        h *= vertical.dilation;
        w *= horizontal.dilation;
        return {h * horizontal.extent + w, channel, h, w};
    }
    __device__ const T* at(const Row& row, const Column& column) const {
        const bool inside = static_cast<unsigned>(row.h + column.h) < static_cast<unsigned>(vertical.extent) &&
                            static_cast<unsigned>(row.w + column.w) < static_cast<unsigned>(horizontal.extent);
        return inside ? data + (row.pixel + column.pixels) * step + column.channel : nullptr;
    }

    /// Sets the axes and what follows from them.
    __host__ __device__ void set_axes(const GatherAxis& down, const GatherAxis& across, int pictures, int channels) {
        vertical = down;
        horizontal = across;
        rows = pictures * down.positions * across.positions;
        columns = down.taps * across.taps * channels;
        by_picture = Divisor(at_least_one(down.positions * across.positions));
        by_width = Divisor(at_least_one(across.positions));
        by_channels = Divisor(at_least_one(channels));
        by_taps = Divisor(at_least_one(across.taps));
    }

  private:
    __host__ __device__ static int at_least_one(int extent) { return extent > 1 ? extent : 1; }
};

/// What the forward pass and the weights' gradient read of x: a row for each output pixel, a column for each (tap,
/// channel of the group).
template <class T>
GatherSource<T> gather_windows(const T* x, const ConvExtents& e, const Conv2dParams& params) {
    const auto axis = [&](std::size_t a, std::int64_t extent, std::int64_t positions, std::int64_t taps) {
        return GatherAxis{static_cast<int>(extent),
                          static_cast<int>(positions),
                          static_cast<int>(taps),
                          static_cast<int>(params.stride[a]),
                          static_cast<int>(params.dilation[a]),
                          static_cast<int>(-params.padding[2 * a])};
    };
    GatherSource<T> source{};
    source.data = x;
    source.vectors = e.group_channels % vector_width<T> == 0 && is_aligned(x);
    source.step = e.channels;
    source.set_axes(axis(0, e.height, e.out_height, e.kernel_height), axis(1, e.width, e.out_width, e.kernel_width),
                    static_cast<int>(e.pictures), static_cast<int>(e.group_channels));
    return source;
}

HEDDLE_KERNELS_END
