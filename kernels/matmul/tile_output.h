#pragma once

#include "kernels/matmul/tile_shape.h"

HEDDLE_KERNELS_BEGIN

/// The result's rows begin `step` elements apart.
struct DenseRows {
    std::int64_t step;
    __device__ void select(int) {}
    __device__ std::int64_t offset(int row) const { return row * step; }
};

/// Where sums of products go: c = activation(alpha * sum + bias + addend), rounded once. `Rows::offset(row)`: where a
/// row of the result begins, once an item of many is selected.
template <class T, class Rows>
struct TileOutput {
    T* c;
    Rows rows;
    int m, n;
    bool vectors;             ///< whether 16-byte accesses of c, bias and addend are aligned, and rows hold whole ones
    const T* bias = nullptr;  ///< [n] or null
    float alpha = 1;
    const T* addend = nullptr;  ///< laid out as c, or null; c itself: products are added to what is there
    bool relu = false;
    std::int64_t c_step = 0;  ///< from one item's result to the next one's
    int bias_step = 0;

    __device__ void select(int item) {
        rows.select(item);
        c += item * c_step;
        if (addend) addend += item * c_step;
        if (bias) bias += static_cast<std::int64_t>(item) * bias_step;
    }

    __device__ float finished(float sum, int column, std::int64_t offset) const {
        float value = alpha * sum;
        if (bias) value += to_f32(bias[column]);
        if (addend) value += to_f32(addend[offset]);
        return relu && value < 0 ? 0 : value;  // NaN stays
    }

    /// Writes `width` neighbours of a row; those beyond the result are left out.
    template <int width>
    __device__ void finish(int row, int column, const Vector<float, width>& sums) const {
        if (row >= m || column >= n) return;
        const std::int64_t offset = rows.offset(row) + column;
        if constexpr (width > 1) {
            if (vectors) {
                finish_vector(column, offset, sums);
                return;
            }
        }
        HEDDLE_UNROLL
        for (int e = 0; e < width; ++e)
            if (column + e < n) c[offset + e] = from_f32<T>(finished(sums[e], column + e, offset + e));
    }

    /// The sums of one split, [m, n] in f32.
    template <int width>
    __device__ void store_partial(float* partial, int row, int column, const Vector<float, width>& sums) const {
        if (row >= m || column >= n) return;
        partial += static_cast<std::int64_t>(row) * n + column;
        if constexpr (width % 4 == 0) {
            if (n % 4 == 0) {
                HEDDLE_UNROLL
                for (int e = 0; e < width; e += 4)
                    if (column + e < n)
                        store_vector(partial + e, Vector<float, 4>{{sums[e], sums[e + 1], sums[e + 2], sums[e + 3]}});
                return;
            }
        }
        HEDDLE_UNROLL
        for (int e = 0; e < width; ++e)
            if (column + e < n) partial[e] = sums[e];
    }

  private:
    template <int width>
    __device__ void finish_vector(int column, std::int64_t offset, const Vector<float, width>& sums) const {
        Vector<T, width> shift{}, other{}, result;
        if (bias) shift = load_vector<width>(bias + column);
        if (addend) other = load_vector<width>(addend + offset);
        HEDDLE_UNROLL
        for (int e = 0; e < width; ++e) {
            float value = alpha * sums[e];
            if (bias) value += to_f32(shift[e]);
            if (addend) value += to_f32(other[e]);
            result[e] = from_f32<T>(relu && value < 0 ? 0 : value);
        }
        store_vector(c + offset, result);
    }
};

HEDDLE_KERNELS_END
