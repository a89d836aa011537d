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

/// `right` is b from `column` on, with rows that are `right_step` apart.
template <class V, int vectors>
HEDDLE_INLINE void multiply_columns(const Product& p, Range rows, const float* right, std::int64_t right_step,
                                    std::int64_t column) {
    constexpr std::int64_t width = vectors * width_of<V>;
    constexpr int most = block_height<V, vectors>;
    const std::int64_t columns = std::min(width, p.n - column);
    const bool direct = p.plain() && columns == width;
    const std::int64_t height = even_height(rows.last - rows.first, most);
    for (std::int64_t row = rows.first; row < rows.last; row += height) {
        const std::int64_t count = std::min(height, rows.last - row);
        const Left left{p.a.data + row * p.a.row_step, p.a.row_step, p.a.depth_step};
        float sums[most * width];
        multiply_rows<vectors, most, V>(count, left, right, right_step, {}, direct ? p.c + row * p.n + column : sums,
                                        direct ? p.n : width, p.k);
        if (!direct) finish(p, sums, width, row, count, column, columns);
    }
}

HEDDLE_SIMD_CLONES void multiply(const Product& p, Range rows, Range columns) {
    // A small b stays in the first cache and c is written row by row; else a panel of b stays there.
    const std::int64_t strip = p.k * p.n <= 6144 ? 16 : rows.last - rows.first;
    for (std::int64_t row = rows.first; row < rows.last; row += strip) {
        const Range part{row, std::min(row + strip, rows.last)};
        for_each_block_of_columns(whole_vectors(columns.last) - columns.first,
                                  [&]<class V, int vectors>(std::int64_t offset) HEDDLE_INLINE_LAMBDA {
                                      const std::int64_t column = columns.first + offset;
                                      const std::int64_t width = panel_width(column, whole_vectors(p.n)),
                                                         begin = column / width * width;
                                      const float* right = p.b + (p.packed ? begin * p.k + (column - begin) : column);
                                      multiply_columns<V, vectors>(p, part, right, p.packed ? width : p.n, column);
                                  });
    }
}

/// Vectors x and y of sums in groups of 2 * `width` lanes to one with groups of `width`: those of x, then those of y.
template <int width, class V, int... i>
HEDDLE_INLINE void fold(V& x, const V& y, std::integer_sequence<int, i...>) {
    x = __builtin_shufflevector(x, y, (i / width * 2 * width + i % width)...) +
        __builtin_shufflevector(x, y, (i / width * 2 * width + i % width + width)...);
}
template <int width, class V>
HEDDLE_INLINE void fold(V& x, const V& y) {
    fold<width>(x, y, std::make_integer_sequence<int, width_of<V>>());
}

/// The rows of inner products that are made at a time, of two columns each: as many sums as a vector has lanes.
template <class V>
inline constexpr std::int64_t rows_of_dots = width_of<V> / 2;

/// sums[row * 2 + column] = the inner product of row `row` of a and of row `column` of b, for `rows_of_dots` x 2 of
/// them: vectors run along k, a multiple of 16. Rows and columns behind the last repeat it.
template <class V>
HEDDLE_INLINE void multiply_dots(const Product& p, std::int64_t row, std::int64_t column, float* sums) {
    constexpr int count = width_of<V>;
    const float *a[rows_of_dots<V>], *b[2];
    for (std::int64_t i = 0; i < rows_of_dots<V>; ++i) a[i] = p.a.data + std::min(row + i, p.m - 1) * p.k;
    for (std::int64_t j = 0; j < 2; ++j) b[j] = p.b + std::min(column + j, p.n - 1) * p.k;
#define HEDDLE_START(i) [[maybe_unused]] V s##i{};
#define HEDDLE_STEP(i) \
    if constexpr ((i) < count) s##i += at<V>(a[(i) / 2] + l) * at<V>(b[(i) % 2] + l);
    HEDDLE_EACH_OF_16(HEDDLE_START)
    for (std::int64_t l = 0; l < p.k; l += count) {
        HEDDLE_EACH_OF_16(HEDDLE_STEP)
    }
#undef HEDDLE_START
#undef HEDDLE_STEP
    constexpr int half = count / 2;
    fold<half>(s0, s1), fold<half>(s2, s3), fold<half>(s4, s5), fold<half>(s6, s7);
    fold<half / 2>(s0, s2), fold<half / 2>(s4, s6);
    fold<half / 4>(s0, s4);
    if constexpr (count == 16) {
        fold<8>(s8, s9), fold<8>(s10, s11), fold<8>(s12, s13), fold<8>(s14, s15);
        fold<4>(s8, s10), fold<4>(s12, s14);
        fold<2>(s8, s12);
        fold<1>(s0, s8);
    }
    at<V>(sums) = s0;
}

/// For n < 16.
HEDDLE_SIMD_CLONES void multiply_by_dots(const Product& p, Range rows) {
    with_vectors_of_processor([&]<class V>(std::type_identity<V>) HEDDLE_INLINE_LAMBDA {
        constexpr std::int64_t step = rows_of_dots<V>;
        for (std::int64_t row = rows.first; row < rows.last; row += step) {
            float sums[step * lanes];
            for (std::int64_t column = 0; column < p.n; column += 2) {
                float pairs[2 * step];
                multiply_dots<V>(p, row, column, pairs);
                for (std::int64_t i = 0; i < step; ++i) std::memcpy(sums + i * lanes + column, pairs + i * 2, 8);
            }
            finish(p, sums, lanes, row, std::min(step, rows.last - row), 0, p.n);
        }
    });
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
