#pragma once

#include "kernels/matmul/tile_shape.h"

// A warp's share of a tile's product. An operand's tile in shared memory is [m or n][k] where its elements are
// neighbours along k (`along_k`), else [k][m or n].
HEDDLE_KERNELS_BEGIN

/// f32 on the FFMA units: a thread sums sub_m x sub_n products, 4 steps of k at a time.
template <class Shape, bool a_along_k, bool b_along_k>
class WarpProductF32 {
    static constexpr int lanes_m = 4, lanes_n = 8;
    static constexpr int sub_m = Shape::warp_m / lanes_m, sub_n = Shape::warp_n / lanes_n;
    static_assert(sub_m % 4 == 0 && sub_n % 4 == 0);

  public:
    __device__ WarpProductF32() {
        const int warp = static_cast<int>(threadIdx.x) / warp_size, lane = static_cast<int>(threadIdx.x) % warp_size;
        first_m_ = warp / Shape::warps_n * Shape::warp_m;
        first_n_ = warp % Shape::warps_n * Shape::warp_n;
        lane_m_ = lane / lanes_n;
        lane_n_ = lane % lanes_n;
        HEDDLE_UNROLL
        for (int i = 0; i < sub_m; ++i) {
            HEDDLE_UNROLL
            for (int j = 0; j < sub_n; ++j) sum_[i][j] = 0;
        }
    }

    /// Adds the product of a slab.
    __device__ void add(const float* a, const float* b) {
#pragma unroll 1  // unrolled, the compiler loads so far ahead that it runs out of registers
        for (int k = 0; k < Shape::k; k += 4) {
            float of_a[sub_m][4];
            load<a_along_k, Shape::m, lanes_m, sub_m>(of_a, a, first_m_, lane_m_, k);
            constexpr int part = b_along_k ? sub_n / 2 : sub_n;
            HEDDLE_UNROLL
            for (int half = 0; half < sub_n / part; ++half) {
                float of_b[part][4];
                load<b_along_k, Shape::n, lanes_n, part>(of_b, b, first_n_ + half * part * lanes_n, lane_n_, k);
                HEDDLE_UNROLL
                for (int l = 0; l < 4; ++l) {
                    HEDDLE_UNROLL
                    for (int i = 0; i < sub_m; ++i) {
                        HEDDLE_UNROLL
                        for (int j = 0; j < part; ++j) sum_[i][half * part + j] += of_a[i][l] * of_b[j][l];
                    }
                }
            }
        }
    }

    /// Calls `body(row, column, sums)` for all sums, neighbours along a row in a Vector.
    template <class Body>
    __device__ void for_each(const Body& body) {
        constexpr int width = b_along_k ? 1 : 4;
        HEDDLE_UNROLL
        for (int i = 0; i < sub_m; ++i) {
            HEDDLE_UNROLL
            for (int j = 0; j < sub_n; j += width) {
                Vector<float, width> sums;
                HEDDLE_UNROLL
                for (int e = 0; e < width; ++e) sums[e] = sum_[i][j + e];
                body(first_m_ + place<a_along_k, lanes_m>(lane_m_, i), first_n_ + place<b_along_k, lanes_n>(lane_n_, j),
                     sums);
            }
        }
    }

  private:
    /// Which row (of A) or column (of B) of the warp a lane's element i is: neighbouring lanes have neighbours where
    /// these lie in different rows of the shared tile, else a lane has four neighbours.
    template <bool along_k, int lanes>
    __device__ static int place(int lane, int i) {
        return along_k ? lane + lanes * i : (lane + lanes * (i / 4)) * 4 + i % 4;
    }

    /// values[i][l]: element i at step k + l.
    template <bool along_k, int extent, int lanes, int count>
    __device__ static void load(float (&values)[count][4], const float* tile, int first, int lane, int k) {
        if constexpr (along_k) {
            HEDDLE_UNROLL
            for (int i = 0; i < count; ++i) {
                const auto piece =
                    load_vector<4>(tile + swizzled<Shape::k / 4>(first + place<true, lanes>(lane, i), k / 4) * 4);
                HEDDLE_UNROLL
                for (int l = 0; l < 4; ++l) values[i][l] = piece[l];
            }
        } else {
            HEDDLE_UNROLL
            for (int l = 0; l < 4; ++l) {
                HEDDLE_UNROLL
                for (int i = 0; i < count; i += 4) {
                    const auto piece = load_vector<4>(
                        tile + swizzled<extent / 4>(k + l, (first + place<false, lanes>(lane, i)) / 4) * 4);
                    HEDDLE_UNROLL
                    for (int e = 0; e < 4; ++e) values[i + e][l] = piece[e];
                }
            }
        }
    }

    int first_m_, first_n_, lane_m_, lane_n_;
    float sum_[sub_m][sub_n];
};

/// One of the two steps of transposing 4 pairs over 4 lanes: lanes at `distance` swap the pairs that belong to the
/// other.
template <int distance>
__device__ inline void exchange_pairs(float (&pair)[4][2], int member) {
    const bool upper = member & distance;
    HEDDLE_UNROLL
    for (int b = 0; b < 4; ++b) {
        if (b & distance) continue;
        HEDDLE_UNROLL
        for (int e = 0; e < 2; ++e) {
            float &low = pair[b][e], &high = pair[b + distance][e];
            const float got = __shfl_xor_sync(all_lanes, upper ? low : high, distance);
            if (upper)
                low = got;
            else
                high = got;
        }
    }
}

/// f16 and bf16 on tensor cores, by products of 16 x 16 and 16 x 8 (see simt/matrix.h for who holds what).
template <class Shape, bool a_along_k, bool b_along_k>
class WarpProductMatrix {
    using T = typename Shape::Element;
    static constexpr int blocks_m = Shape::warp_m / 16, blocks_n = Shape::warp_n / 8;
    static_assert(Shape::warp_m % 16 == 0 && Shape::warp_n % 32 == 0);

  public:
    __device__ WarpProductMatrix() {
        const int warp = static_cast<int>(threadIdx.x) / warp_size;
        first_m_ = warp / Shape::warps_n * Shape::warp_m;
        first_n_ = warp % Shape::warps_n * Shape::warp_n;
        lane_ = static_cast<int>(threadIdx.x) % warp_size;
        HEDDLE_UNROLL
        for (int i = 0; i < blocks_m; ++i) {
            HEDDLE_UNROLL
            for (int j = 0; j < blocks_n; ++j) {
                HEDDLE_UNROLL
                for (int e = 0; e < 4; ++e) sum_[i][j][e] = 0;
            }
        }
    }

    /// Adds the product of a slab. All lanes must call it.
    __device__ void add(const T* a, const T* b) {
        HEDDLE_UNROLL
        for (int k = 0; k < Shape::k; k += 16) {
            std::uint32_t of_a[blocks_m][4], of_b[blocks_n / 2][4];
            HEDDLE_UNROLL
            for (int i = 0; i < blocks_m; ++i) load<a_along_k, Shape::m, true>(of_a[i], a, first_m_ + i * 16, k);
            HEDDLE_UNROLL
            for (int j = 0; j < blocks_n / 2; ++j) load<b_along_k, Shape::n, false>(of_b[j], b, first_n_ + j * 16, k);
            HEDDLE_UNROLL
            for (int i = 0; i < blocks_m; ++i) {
                HEDDLE_UNROLL
                for (int j = 0; j < blocks_n; ++j) {
                    const std::uint32_t half[2] = {of_b[j / 2][j % 2 * 2], of_b[j / 2][j % 2 * 2 + 1]};
                    matrix_multiply_add<T>(sum_[i][j], of_a[i], half);
                }
            }
        }
    }

    /// Calls `body(row, column, sums)` for all sums, 8 neighbours along a row in a Vector. All lanes must call it.
    template <class Body>
    __device__ void for_each(const Body& body) {
        const int group = lane_ / 4, member = lane_ % 4;
        HEDDLE_UNROLL
        for (int i = 0; i < blocks_m; ++i) {
            HEDDLE_UNROLL
            for (int half = 0; half < 2; ++half) {
                HEDDLE_UNROLL
                for (int j = 0; j < blocks_n; j += 4) {
                    // The four lanes of a group hold two columns of each of four blocks; they exchange them so that
                    // each has the eight columns of one block: 16 bytes for one store.
                    float pair[4][2];
                    HEDDLE_UNROLL
                    for (int b = 0; b < 4; ++b) {
                        pair[b][0] = sum_[i][j + b][half * 2];
                        pair[b][1] = sum_[i][j + b][half * 2 + 1];
                    }
                    exchange_pairs<1>(pair, member);
                    exchange_pairs<2>(pair, member);
                    Vector<float, 8> sums;
                    HEDDLE_UNROLL
                    for (int e = 0; e < 8; ++e) sums[e] = pair[e / 2][e % 2];
                    body(first_m_ + i * 16 + half * 8 + group, first_n_ + (j + member) * 8, sums);
                }
            }
        }
    }

  private:
    /// The fragment of 16 rows or columns from `first` and 16 steps of k. A's goes first down its rows and then along
    /// k, B's first along k.
    template <bool along_k, int extent, bool rows_first>
    __device__ void load(std::uint32_t (&fragment)[4], const T* tile, int first, int k) const {
        const int inner = lane_ % 8, low = lane_ / 8 % 2 * 8, high = lane_ / 16 * 8;
        const int index = first + (rows_first ? low : high), depth = k + (rows_first ? high : low);
        if constexpr (along_k)
            load_matrix_x4<false>(fragment, tile + swizzled<Shape::k / 8>(index + inner, depth / 8) * 8);
        else
            load_matrix_x4<true>(fragment, tile + swizzled<extent / 8>(depth + inner, index / 8) * 8);
    }

    int first_m_, first_n_, lane_;
    float sum_[blocks_m][blocks_n][4];
};

template <class Shape, bool a_along_k, bool b_along_k>
using WarpProduct =
    std::conditional_t<sizeof(typename Shape::Element) == 4, WarpProductF32<Shape, a_along_k, b_along_k>,
                       WarpProductMatrix<Shape, a_along_k, b_along_k>>;

HEDDLE_KERNELS_END
