#include "kernels/matmul/cpu_small.h"

#include "core/parallel.h"
#include "kernels/bf16_memory.h"

namespace heddle::kernels {
namespace {

constexpr std::int64_t tile = 256;  // columns of c at a time

/// What a product needs besides its three matrices.
template <class T>
struct Finish {
    const T* bias;  ///< null: none
    float alpha, floor;
    bool accumulate;
};

/// Element (row, column) of an operand stands at row * row_step + column * column_step.
template <class T>
struct Matrix {
    const T* data;
    std::int64_t row_step, column_step;
};

template <class T>
[[gnu::always_inline]] inline void multiply_in(const Matrix<T>& a, const Matrix<T>& b, T* c, std::int64_t m,
                                               std::int64_t n, std::int64_t k, const Finish<T>& finish) {
    float sums[tile];
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t start = 0; start < n; start += tile) {
            const std::int64_t columns = n - start < tile ? n - start : tile;
            const T* row = a.data + i * a.row_step;
            if (b.column_step == 1) {
                for (std::int64_t j = 0; j < columns; ++j) sums[j] = 0;
                for (std::int64_t l = 0; l < k; ++l) {
                    const float value = load(row[l * a.column_step]);
                    const T* other = b.data + l * b.row_step + start;
                    for (std::int64_t j = 0; j < columns; ++j) sums[j] += value * load(other[j]);
                }
            } else {
                for (std::int64_t j = 0; j < columns; ++j) {
                    const T* other = b.data + (start + j) * b.column_step;
                    float sum = 0;
                    if (a.column_step == 1) {
#pragma omp simd reduction(+ : sum)
                        for (std::int64_t l = 0; l < k; ++l) sum += load(row[l]) * load(other[l]);
                    } else {
                        for (std::int64_t l = 0; l < k; ++l) sum += load(row[l * a.column_step]) * load(other[l]);
                    }
                    sums[j] = sum;
                }
            }
            T* out = c + i * n + start;
            for (std::int64_t j = 0; j < columns; ++j) {
                float value = finish.alpha * sums[j];
                if (finish.bias) value += load(finish.bias[start + j]);
                if (finish.accumulate) value += load(out[j]);
                store(out[j], value < finish.floor ? finish.floor : value);
            }
        }
}
HEDDLE_SIMD_CLONES void multiply(const Matrix<float>& a, const Matrix<float>& b, float* c, std::int64_t m,
                                 std::int64_t n, std::int64_t k, const Finish<float>& finish) {
    multiply_in(a, b, c, m, n, k, finish);
}
HEDDLE_SIMD_CLONES void multiply(const Matrix<BFloat16>& a, const Matrix<BFloat16>& b, BFloat16* c, std::int64_t m,
                                 std::int64_t n, std::int64_t k, const Finish<BFloat16>& finish) {
    multiply_in(a, b, c, m, n, k, finish);
}

template <class T>
void multiply_small_in(const Matmul& args, const MatmulExtents& extents) {
    const auto [batch, m, n, k, a_step, b_step] = extents;
    const Finish<T> finish{args.bias ? args.bias.as<T>() : nullptr, args.alpha,
                           args.activation == FusedActivation::relu ? 0.0f : -__builtin_inff(), args.accumulate};
    const Matrix<T> a{args.a.as<T>(), args.transpose_a ? 1 : k, args.transpose_a ? m : 1};
    const Matrix<T> b{args.b.as<T>(), args.transpose_b ? 1 : n, args.transpose_b ? k : 1};
    const std::int64_t work = std::max<std::int64_t>(m * n * (k + 1), 1);
    parallel_for(batch, 32768 / work + 1,
                 [&, n = n, m = m, k = k, a_step = a_step, b_step = b_step](std::int64_t first, std::int64_t last) {
                     for (std::int64_t p = first; p < last; ++p)
                         multiply(Matrix<T>{a.data + p * a_step, a.row_step, a.column_step},
                                  Matrix<T>{b.data + p * b_step, b.row_step, b.column_step}, args.c.as<T>() + p * m * n,
                                  m, n, k, finish);
                 });
}

}  // namespace

void multiply_small(const Matmul& args, const MatmulExtents& extents) {
    with_f32_or_bf16(args.c.dtype, [&](auto zero) { multiply_small_in<decltype(zero)>(args, extents); });
}

}  // namespace heddle::kernels
