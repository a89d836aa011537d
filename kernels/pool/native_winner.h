#pragma once

#include "kernels/pool/native_window.h"

// Max pooling's two steps, for kernels that do more than pool: which element of a window wins, and what an element
// collects from the windows that it won.
HEDDLE_KERNELS_BEGIN

/// The best element of a window so far, and where it stood.
struct Best {
    static constexpr int none = std::numeric_limits<int>::max();
    float value;
    int position;

    /// Elements come in their order: a later one wins where it is larger or the first NaN.
    __device__ void challenge(float later, int at) {
        if (position == none || (!(later <= value) && value == value)) {
            value = later;
            position = at;
        }
    }
    /// Joins what two threads found.
    __device__ void join(const Best& other) {
        const bool nan = value != value, other_nan = other.value != other.value;
        const bool same = nan ? other_nan : value == other.value;
        if (same ? other.position < position : !nan && (other_nan || other.value > value)) *this = other;
    }
};

/// The order of `best_of_window` where the largest element wins.
struct Ascending {
    __device__ float operator()(int, float value) const { return value; }
};

/// The elements of window i of x that win by `order(channel of the vector, value)`: their values in that order, and
/// their positions. The threads blockDim.y of a window share it; true for the one that has the result. All threads of
/// the block must call it.
template <int width, class T, class Order>
__device__ inline bool best_of_window(const T* x, int i, int outputs, const PoolExtents& e, const Divisor& by_height,
                                      const Divisor& by_width, const Order& order, Best (&best)[width]) {
    HEDDLE_SHARED(float, values, [pool_threads * width]);
    HEDDLE_SHARED(int, positions, [pool_threads * width]);
    const int part = static_cast<int>(threadIdx.y), parts = static_cast<int>(blockDim.y);
    HEDDLE_UNROLL
    for (int c = 0; c < width; ++c) best[c] = {-INFINITY, Best::none};
    if (i < outputs) {
        const PoolPlace place(i, e, by_height, by_width);
        const int top = place.h * e.vertical.stride - e.vertical.padding;
        const int left = place.w * e.horizontal.stride - e.horizontal.padding;
        for_each_of_window(e.vertical.window(place.h), e.horizontal.window(place.w), part, parts, [&](int h, int w) {
            const std::int64_t pixel =
                (static_cast<std::int64_t>(place.picture) * e.vertical.extent + h) * e.horizontal.extent + w;
            const auto value = load_vector<width>(x + (pixel * e.vectors + place.vector) * width);
            HEDDLE_UNROLL
            for (int c = 0; c < width; ++c)
                best[c].challenge(order(c, to_f32(value[c])), (h - top) * e.horizontal.kernel + w - left);
        });
    }
    if (parts > 1) {
        const int lanes = static_cast<int>(blockDim.x), thread = part * lanes + static_cast<int>(threadIdx.x);
        HEDDLE_UNROLL
        for (int c = 0; c < width; ++c) {
            values[thread * width + c] = best[c].value;
            positions[thread * width + c] = best[c].position;
        }
        __syncthreads();
        for (int other = thread + lanes; part == 0 && other < parts * lanes; other += lanes) {
            HEDDLE_UNROLL
            for (int c = 0; c < width; ++c) best[c].join({values[other * width + c], positions[other * width + c]});
        }
    }
    return part == 0 && i < outputs;
}

/// The index of a pooling: absent, of bytes, or of i32.
struct PoolIndex {
    std::uint8_t* narrow;
    std::int32_t* wide;

    explicit PoolIndex(const View& index)
        : narrow(index && index.dtype == DType::u8 ? index.as<std::uint8_t>() : nullptr),
          wide(index && index.dtype != DType::u8 ? index.as<std::int32_t>() : nullptr) {}

    template <int width>
    __device__ void store(std::int64_t to, const Best (&best)[width]) const {
        if (narrow) {
            Vector<std::uint8_t, width> bytes;
            HEDDLE_UNROLL
            for (int c = 0; c < width; ++c) bytes[c] = static_cast<std::uint8_t>(best[c].position);
            store_vector(narrow + to, bytes);
        } else if (wide) {
            HEDDLE_UNROLL
            for (int c = 0; c < width; ++c) wide[to + c] = best[c].position;
        }
    }
};

/// What the elements at `place` collect from the windows that hold them, in their order. y: null without ReLU.
template <int width, class T, class Index>
__device__ inline Vector<float, width> collect(const T* dy, const T* y, const Index* index, const PoolPlace& place,
                                               const PoolExtents& e) {
    const PoolAxis::Span rows = e.vertical.cover(place.h), columns = e.horizontal.cover(place.w);
    Vector<float, width> sums{};
    for (int oh = rows.first; oh < rows.last; ++oh)
        for (int ow = columns.first; ow < columns.last; ++ow) {
            const std::int64_t window =
                (static_cast<std::int64_t>(place.picture) * e.vertical.outputs + oh) * e.horizontal.outputs + ow;
            const std::int64_t from = (window * e.vectors + place.vector) * width;
            const int position = (place.h + e.vertical.padding - oh * e.vertical.stride) * e.horizontal.kernel +
                                 place.w + e.horizontal.padding - ow * e.horizontal.stride;
            const auto gradient = load_vector<width>(dy + from);
            bool mine[width];
            HEDDLE_UNROLL
            for (int c = 0; c < width; ++c) mine[c] = true;
            if (y) {
                const auto result = load_vector<width>(y + from);
                HEDDLE_UNROLL
                for (int c = 0; c < width; ++c) mine[c] = to_f32(result[c]) > 0;
            }
            constexpr int piece = sizeof(Index) == 1 || width < 4 ? width : 4;  // at most 16 bytes
            HEDDLE_UNROLL
            for (int c = 0; c < width; c += piece) {
                const auto named = load_vector<piece>(index + from + c);
                HEDDLE_UNROLL
                for (int p = 0; p < piece; ++p)
                    if (mine[c + p] && named[p] == position) sums[c + p] += to_f32(gradient[c + p]);
            }
        }
    return sums;
}

HEDDLE_KERNELS_END
