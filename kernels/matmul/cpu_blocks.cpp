#include "kernels/matmul/cpu_blocks.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/parallel.h"
#include "kernels/register_block.h"

namespace heddle::kernels {
namespace {

using namespace block;

struct Product {
    Left a;
    const float* b;  // by rows, or (packed) in panels, with zeros behind the last column
    bool packed;
    float* c;
    std::int64_t m, n, k;
    const float* bias;  // or null
    float alpha, floor;
    bool accumulate;

    /// Whether c is what the block computes.
    bool plain() const { return !bias && alpha == 1 && !accumulate && floor == -__builtin_inff(); }
};

struct Range {
    std::int64_t first, last;
};

std::int64_t whole_vectors(std::int64_t columns) { return (columns + lanes - 1) / lanes * lanes; }

/// Writes a block: `columns` of the `width` sums of each row.
HEDDLE_INLINE void finish(const Product& p, const float* sums, std::int64_t width, std::int64_t row, std::int64_t rows,
                          std::int64_t column, std::int64_t columns) {
    for (std::int64_t i = 0; i < rows; ++i) {
        float* c = p.c + (row + i) * p.n + column;
        for (std::int64_t j = 0; j < columns; ++j) {
            float value = p.alpha * sums[i * width + j];
            if (p.bias) value += p.bias[column + j];
            if (p.accumulate) value += c[j];
            c[j] = value < p.floor ? p.floor : value;  // NaN passes
        }
    }
}

template <int vectors>
HEDDLE_INLINE void multiply_panel(const Product& p, Range rows, std::int64_t column) {
    constexpr std::int64_t width = vectors * lanes;
    const std::int64_t columns = std::min(width, p.n - column);
    const float* right = p.b + column * (p.packed ? p.k : 1);
    const bool direct = p.plain() && columns == width;
    const std::int64_t height = even_height(rows.last - rows.first, 16 / vectors);
    for (std::int64_t row = rows.first; row < rows.last; row += height) {
        const std::int64_t count = std::min(height, rows.last - row);
        const Left left{p.a.data + row * p.a.row_step, p.a.row_step, p.a.depth_step};
        float sums[16 * lanes];
        multiply_rows<vectors>(count, left, right, p.packed ? width : p.n, {}, direct ? p.c + row * p.n + column : sums,
                               direct ? p.n : width, p.k);
        if (!direct) finish(p, sums, width, row, count, column, columns);
    }
}

HEDDLE_SIMD_CLONES void multiply(const Product& p, Range rows, Range columns) {
    // A small b stays in the first cache and c is written row by row; else a panel of b stays there.
    const std::int64_t strip = p.k * p.n <= 6144 ? 16 : rows.last - rows.first;
    for (std::int64_t row = rows.first; row < rows.last; row += strip) {
        const Range part{row, std::min(row + strip, rows.last)};
        for (std::int64_t column = columns.first; column < columns.last; column += panel) {
            if (panel_width(column, whole_vectors(p.n)) == panel)
                multiply_panel<2>(p, part, column);
            else
                multiply_panel<1>(p, part, column);
        }
    }
}

/// Vectors x and y of sums in groups of 2 * `width` lanes to one with groups of `width`: those of x, then those of y.
template <int width, int... i>
HEDDLE_INLINE void fold(Lanes& x, const Lanes& y, std::integer_sequence<int, i...>) {
    x = __builtin_shufflevector(x, y, (i / width * 2 * width + i % width)...) +
        __builtin_shufflevector(x, y, (i / width * 2 * width + i % width + width)...);
}
template <int width>
HEDDLE_INLINE void fold(Lanes& x, const Lanes& y) {
    fold<width>(x, y, std::make_integer_sequence<int, lanes>());
}

/// sums[row * 2 + column] = the inner product of row `row` of a and of row `column` of b, for 8 x 2 of them: vectors
/// run along k, a multiple of 16. Rows and columns behind the last repeat it.
HEDDLE_INLINE void multiply_dots(const Product& p, std::int64_t row, std::int64_t column, float* sums) {
    const float *a[8], *b[2];
    for (std::int64_t i = 0; i < 8; ++i) a[i] = p.a.data + std::min(row + i, p.m - 1) * p.k;
    for (std::int64_t j = 0; j < 2; ++j) b[j] = p.b + std::min(column + j, p.n - 1) * p.k;
#define HEDDLE_START(i) Lanes s##i{};
#define HEDDLE_STEP(i) s##i += at(a[(i) / 2] + l) * at(b[(i) % 2] + l);
    HEDDLE_EACH_OF_16(HEDDLE_START)
    for (std::int64_t l = 0; l < p.k; l += lanes) {
        HEDDLE_EACH_OF_16(HEDDLE_STEP)
    }
#undef HEDDLE_START
#undef HEDDLE_STEP
    fold<8>(s0, s1), fold<8>(s2, s3), fold<8>(s4, s5), fold<8>(s6, s7);
    fold<8>(s8, s9), fold<8>(s10, s11), fold<8>(s12, s13), fold<8>(s14, s15);
    fold<4>(s0, s2), fold<4>(s4, s6), fold<4>(s8, s10), fold<4>(s12, s14);
    fold<2>(s0, s4), fold<2>(s8, s12);
    fold<1>(s0, s8);
    at(sums) = s0;
}

/// For n < 16.
HEDDLE_SIMD_CLONES void multiply_by_dots(const Product& p, Range rows) {
    for (std::int64_t row = rows.first; row < rows.last; row += 8) {
        float sums[8 * lanes];
        for (std::int64_t column = 0; column < p.n; column += 2) {
            float pairs[lanes];
            multiply_dots(p, row, column, pairs);
            for (std::int64_t i = 0; i < 8; ++i) std::memcpy(sums + i * lanes + column, pairs + i * 2, 8);
        }
        finish(p, sums, lanes, row, std::min<std::int64_t>(8, rows.last - row), 0, p.n);
    }
}

/// b, element (l, j) at l * row_step + j * column_step, in panels.
HEDDLE_SIMD_CLONES void pack(const float* b, std::int64_t row_step, std::int64_t column_step, std::int64_t n,
                             std::int64_t k, float* to) {
    for (std::int64_t column = 0; column < n; column += panel) {
        const std::int64_t width = panel_width(column, whole_vectors(n)), columns = std::min(width, n - column);
        for (std::int64_t l = 0; l < k; ++l, to += width) {
            const float* from = b + l * row_step + column * column_step;
            for (std::int64_t j = 0; j < columns; ++j) to[j] = from[j * column_step];
            for (std::int64_t j = columns; j < width; ++j) to[j] = 0;
        }
    }
}

/// Both operands are contiguous along k, and there are so few columns that most of a vector would be empty.
bool suits_dots(const Matmul& args, const MatmulExtents& e) {
    return args.transpose_b && !args.transpose_a && e.n < lanes && e.k % lanes == 0;
}

bool needs_packing(const Matmul& args, const MatmulExtents& e) {
    return (args.transpose_b || e.n % lanes != 0) && !suits_dots(args, e);
}

}  // namespace

std::size_t blocks_workspace_bytes(const Matmul& args, const MatmulExtents& e) {
    return needs_packing(args, e) ? static_cast<std::size_t>(e.k * whole_vectors(e.n)) * sizeof(float) : 0;
}

void multiply_blocks(const Matmul& args, const MatmulExtents& e, void* workspace) {
    const bool packed = needs_packing(args, e);
    const float* b = args.b.as<float>();
    if (packed) {
        pack(b, args.transpose_b ? 1 : e.n, args.transpose_b ? e.k : 1, e.n, e.k, static_cast<float*>(workspace));
        b = static_cast<const float*>(workspace);
    }
    const Product p{.a = {args.a.as<float>(), args.transpose_a ? 1 : e.k, args.transpose_a ? e.m : 1},
                    .b = b,
                    .packed = packed,
                    .c = args.c.as<float>(),
                    .m = e.m,
                    .n = e.n,
                    .k = e.k,
                    .bias = args.bias ? args.bias.as<float>() : nullptr,
                    .alpha = args.alpha,
                    .floor = args.activation == FusedActivation::relu ? 0.0f : -__builtin_inff(),
                    .accumulate = args.accumulate};
    constexpr std::int64_t least_part = 1 << 18;  // products that are worth a second thread
    const bool dots = suits_dots(args, e), by_rows = dots || e.m >= e.n;
    const std::int64_t extent = by_rows ? e.m : e.n, unit = by_rows ? 16 : panel, units = (extent + unit - 1) / unit;
    parallel_for(units, least_part * units / (e.m * e.n * e.k) + 1, [&](std::int64_t first, std::int64_t last) {
        const Range part{first * unit, std::min(last * unit, extent)};
        if (dots)
            multiply_by_dots(p, part);
        else
            multiply(p, by_rows ? part : Range{0, e.m}, by_rows ? Range{0, e.n} : part);
    });
}

}  // namespace heddle::kernels
