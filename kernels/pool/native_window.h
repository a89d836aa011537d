#pragma once

#include <limits>

#include "kernels/pool/pool.h"
#include "kernels/simt/divide.h"
#include "kernels/simt/native.h"

// What the native poolings share. A thread has `width` neighbouring channels of a pixel.
HEDDLE_KERNELS_BEGIN

constexpr int pool_threads = 256;
constexpr int pool_parts = 8;  // threads that share a window where windows are large and few

/// One axis: window o covers the coordinates o * stride - padding ... + kernel - 1 that exist.
struct PoolAxis {
    int extent, outputs, kernel, stride, padding;
    Divisor by_stride;

    struct Span {
        int first, last;  // first <= i < last
    };
    /// The coordinates within window `output`.
    __device__ Span window(int output) const {
        const int start = output * stride - padding, end = start + kernel;
        return {start > 0 ? start : 0, end < extent ? end : extent};
    }
    /// The windows that hold coordinate i.
    __device__ Span cover(int i) const {
        const int place = i + padding, end = by_stride.divide(place) + 1;
        return {place < kernel ? 0 : by_stride.divide(place - kernel) + 1, end < outputs ? end : outputs};
    }
};

struct PoolExtents {
    PoolAxis vertical, horizontal;
    int pictures, vectors;  ///< channels / width
    Divisor by_vectors;

    PoolExtents(const Shape& x, const Shape& y, const Pool2dParams& params, int width)
        : vertical(axis(params, 0, x[1], y[1])),
          horizontal(axis(params, 1, x[2], y[2])),
          pictures(static_cast<int>(x[0])),
          vectors(static_cast<int>(x[3] / width)),
          by_vectors(vectors > 1 ? vectors : 1) {}

    std::int64_t outputs() const {
        return static_cast<std::int64_t>(pictures) * vertical.outputs * horizontal.outputs * vectors;
    }
    std::int64_t inputs() const {
        return static_cast<std::int64_t>(pictures) * vertical.extent * horizontal.extent * vectors;
    }

  private:
    static PoolAxis axis(const Pool2dParams& params, std::size_t a, std::int64_t extent, std::int64_t outputs) {
        return {static_cast<int>(extent),
                static_cast<int>(outputs),
                static_cast<int>(params.kernel[a]),
                static_cast<int>(params.stride[a]),
                static_cast<int>(params.padding[2 * a]),
                Divisor(static_cast<int>(params.stride[a]))};
    }
};

/// Where vector `i` of a tensor of pictures of height x width pixels lies.
struct PoolPlace {
    int picture, h, w, vector;

    __device__ PoolPlace(int i, const PoolExtents& e, const Divisor& by_height, const Divisor& by_width) {
        const int row = by_width.divide(e.by_vectors.divide(i, vector), w);
        picture = by_height.divide(row, h);
    }
};

/// Walks over the elements of a window that belong to thread `part` of `parts`: `body(h, w)`, in their order.
template <class Body>
__device__ inline void for_each_of_window(PoolAxis::Span rows, PoolAxis::Span columns, int part, int parts,
                                          const Body& body) {
    const int width = columns.last - columns.first;
    int h = rows.first, w = columns.first + part;
    while (true) {
        while (w >= columns.last && h < rows.last) {
            w -= width;
            ++h;
        }
        if (h >= rows.last) return;
        body(h, w);
        w += parts;
    }
}

/// How many threads share a window.
inline int parts_for(const PoolExtents& e) {
    const bool large = static_cast<std::int64_t>(e.vertical.kernel) * e.horizontal.kernel >= 4 * pool_parts;
    return large && e.outputs() < 132 * 1024 ? pool_parts : 1;
}

/// Elements a thread handles: 16 bytes where addresses and the number of channels allow it.
template <class T>
int pool_width(std::int64_t channels, const void* a, const void* b, const void* c = nullptr) {
    return channels % vector_width<T> == 0 && is_aligned(a) && is_aligned(b) && is_aligned(c) ? vector_width<T> : 1;
}

/// A thread per element at worst, counted in 32 bits.
inline Support supports_pool(const View& x, const View& y) {
    if (const Support support = floating(x.dtype); !support) return support;
    constexpr std::int64_t limit = std::numeric_limits<int>::max() - 1024;
    if (x.elements() > limit || y.elements() > limit) return Support::no("2^31 elements or more");
    return Support::yes();
}

HEDDLE_KERNELS_END
