#include "kernels/matmul/cpu_small.h"

#include "core/parallel.h"

namespace heddle::kernels {
namespace {

constexpr std::int64_t tile = 256;  // columns of c at a time

/// What a product needs besides its three matrices.
struct Finish {
    const float* bias;  ///< null: none
    float alpha, floor;
    bool accumulate;
};

/// Element (row, column) of an operand stands at row * row_step + column * column_step.
struct Matrix {
    const float* data;
    std::int64_t row_step, column_step;
};

HEDDLE_SIMD_CLONES void multiply(const Matrix& a, const Matrix& b, float* c, std::int64_t m, std::int64_t n,
                                 std::int64_t k, const Finish& finish) {
    float sums[tile];
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t start = 0; start < n; start += tile) {
            const std::int64_t columns = n - start < tile ? n - start : tile;
            const float* row = a.data + i * a.row_step;
            if (b.column_step == 1) {
                for (std::int64_t j = 0; j < columns; ++j) sums[j] = 0;
                for (std::int64_t l = 0; l < k; ++l) {
                    const float value = row[l * a.column_step];
                    const float* other = b.data + l * b.row_step + start;
                    for (std::int64_t j = 0; j < columns; ++j) sums[j] += value * other[j];
                }
            } else {
                for (std::int64_t j = 0; j < columns; ++j) {
                    const float* other = b.data + (start + j) * b.column_step;
                    float sum = 0;
                    if (a.column_step == 1) {
#pragma omp simd reduction(+ : sum)
                        for (std::int64_t l = 0; l < k; ++l) sum += row[l] * other[l];
                    } else {
                        for (std::int64_t l = 0; l < k; ++l) sum += row[l * a.column_step] * other[l];
                    }
                    sums[j] = sum;
                }
            }
            float* out = c + i * n + start;
            for (std::int64_t j = 0; j < columns; ++j) {
                float value = finish.alpha * sums[j];
                if (finish.bias) value += finish.bias[start + j];
                if (finish.accumulate) value += out[j];
                out[j] = value < finish.floor ? finish.floor : value;
            }
        }
}

}  // namespace

void multiply_small(const Matmul& args, const MatmulExtents& extents) {
    const auto [batch, m, n, k, a_step, b_step] = extents;
    const Finish finish{args.bias ? args.bias.as<float>() : nullptr, args.alpha,
                        args.activation == FusedActivation::relu ? 0.0f : -__builtin_inff(), args.accumulate};
    const Matrix a{args.a.as<float>(), args.transpose_a ? 1 : k, args.transpose_a ? m : 1};
    const Matrix b{args.b.as<float>(), args.transpose_b ? 1 : n, args.transpose_b ? k : 1};
    const std::int64_t work = std::max<std::int64_t>(m * n * (k + 1), 1);
    parallel_for(batch, 32768 / work + 1,
                 [&, n = n, m = m, k = k, a_step = a_step, b_step = b_step](std::int64_t first, std::int64_t last) {
                     for (std::int64_t p = first; p < last; ++p)
                         multiply({a.data + p * a_step, a.row_step, a.column_step},
                                  {b.data + p * b_step, b.row_step, b.column_step}, args.c.as<float>() + p * m * n, m,
                                  n, k, finish);
                 });
}

}  // namespace heddle::kernels
