#pragma once

#include <cstdint>
#include <type_traits>

#include "core/detail/processor.h"
#include "kernels/lanes.h"

// The innermost step of a matrix product, on vectors of 16 floats for AVX-512 and of 8 for AVX2. Vectors never cross a
// function's boundary by value: that ABI depends on the instruction set.
namespace heddle::kernels::block {

using kernels::HalfLanes, kernels::Lanes, kernels::lanes;
template <std::size_t bytes>
struct InMemory;
template <>
struct InMemory<sizeof(Lanes)> {
    using Type = kernels::detail::FloatsInMemory;
};
template <>
struct InMemory<sizeof(HalfLanes)> {
    using Type = kernels::detail::HalfOfFloatsInMemory;
};
/// V as it lies in memory, at any address.
template <class V>
using UnalignedOf = typename InMemory<sizeof(V)>::Type;
using Unaligned = UnalignedOf<Lanes>;
template <class V>
inline constexpr std::int64_t width_of = sizeof(V) / sizeof(float);

/// Whether the processor has registers for `Lanes`; without them all that is made of these is right, but slow.
inline bool has_wide_vectors() { return has_avx512(); }
/// Whether it has them for `HalfLanes`.
inline bool has_vectors() { return has_avx2(); }

template <class V = Lanes>
HEDDLE_INLINE const UnalignedOf<V>& at(const float* address) {
    return *reinterpret_cast<const UnalignedOf<V>*>(address);
}
template <class V = Lanes>
HEDDLE_INLINE UnalignedOf<V>& at(float* address) {
    return *reinterpret_cast<UnalignedOf<V>*>(address);
}

/// Calls `body(std::type_identity<V>)` with the vectors that suit the processor, in a HEDDLE_SIMD_CLONES function.
template <class Body>
HEDDLE_INLINE void with_vectors_of_processor(const Body& body) {
    if (has_wide_vectors())
        body(std::type_identity<Lanes>());
    else
        body(std::type_identity<HalfLanes>());
}

/// The left operand l of a block: l(row, k) of run r stands at data[row * row_step + r * run_step + k * depth_step]. So
/// it may be transposed, and its rows may overlap, as the windows of a convolution do.
struct Left {
    const float* data;
    std::int64_t row_step, depth_step, run_step = 0;
};

/// What is added to a block's sums: the values there, or nothing (null). A step of 0 repeats a row: a bias. It comes
/// last, so that a sum over many blocks is one of sums, and rounds as such.
struct Addend {
    const float* data = nullptr;
    std::int64_t row_step = 0;
};

struct Nothing {
    HEDDLE_INLINE void operator()() const {}
};

#define HEDDLE_EACH_OF_16(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13) f(14) f(15)
#define HEDDLE_EACH_OF_24(f) HEDDLE_EACH_OF_16(f) f(16) f(17) f(18) f(19) f(20) f(21) f(22) f(23)

/// c = l r + addend for `rows` rows and `vectors` vectors of columns: up to 24 sums (of AVX2's vectors 12) that stay in
/// registers while k runs (named one by one, for the compiler keeps an array in memory) and hide the latency of an
/// addition. k counts `depth` in each of `runs`, each of which begins with a call of `at_run`; the rows of r and c are
/// `right_step` and `c_step` apart.
template <int vectors, int rows = 16 / vectors, class V = Lanes, class AtRun = Nothing>
HEDDLE_INLINE void multiply_block(const Left& l, const float* right, std::int64_t right_step, const Addend& addend,
                                  float* c, std::int64_t c_step, std::int64_t depth, std::int64_t runs = 1,
                                  const AtRun& at_run = {}) {
    static_assert(vectors * rows <= (width_of<V> == lanes ? 24 : 12) && rows <= 16);
    constexpr std::int64_t width = width_of<V>;
#define HEDDLE_START(i) [[maybe_unused]] V s##i{};
#define HEDDLE_LEFT(row) ((row) < 4 ? left : (row) < 8 ? left4 : (row) < 12 ? left8 : left12)[(row) % 4 * l.row_step]
#define HEDDLE_STEP(i) \
    if constexpr ((i) < vectors * rows) s##i += HEDDLE_LEFT((i) / vectors) * at<V>(right + (i) % vectors * width);
#define HEDDLE_FINISH(i)                                                                                       \
    if constexpr ((i) < vectors * rows) {                                                                      \
        if (addend.data) s##i += at<V>(addend.data + (i) / vectors * addend.row_step + (i) % vectors * width); \
        at<V>(c + (i) / vectors * c_step + (i) % vectors * width) = s##i;                                      \
    }
    HEDDLE_EACH_OF_24(HEDDLE_START)
    for (std::int64_t run = 0; run < runs; ++run) {
        at_run();
        // Sixteen distances from one pointer would not fit the registers: up to three from each of four pointers, which
        // are hidden from the compiler, for it would relate them.
        const float* left = l.data + run * l.run_step;
        const float *left4 = left + 4 * l.row_step, *left8 = left + 8 * l.row_step, *left12 = left + 12 * l.row_step;
        for (std::int64_t k = 0; k < depth; ++k, right += right_step) {
            HEDDLE_EACH_OF_24(HEDDLE_STEP)
            left += l.depth_step, left4 += l.depth_step, left8 += l.depth_step, left12 += l.depth_step;
            if constexpr (rows > 4) asm("" : "+r"(left4), "+r"(left8), "+r"(left12));
        }
    }
    HEDDLE_EACH_OF_24(HEDDLE_FINISH)
#undef HEDDLE_START
#undef HEDDLE_LEFT
#undef HEDDLE_STEP
#undef HEDDLE_FINISH
}

/// The same for any number of rows up to `most`.
template <int vectors, int most = 16 / vectors, class V = Lanes, class AtRun = Nothing>
HEDDLE_INLINE void multiply_rows(std::int64_t rows, const Left& l, const float* right, std::int64_t right_step,
                                 const Addend& addend, float* c, std::int64_t c_step, std::int64_t depth,
                                 std::int64_t runs = 1, const AtRun& at_run = {}) {
    if (rows == most)
        multiply_block<vectors, most, V>(l, right, right_step, addend, c, c_step, depth, runs, at_run);
    else if constexpr (most > 1)
        multiply_rows<vectors, most - 1, V>(rows, l, right, right_step, addend, c, c_step, depth, runs, at_run);
}

/// The rows of a block of V's: sums in 16 of AVX-512's 32 registers, in 12 of AVX2's 16.
template <class V, int vectors>
inline constexpr int block_height = (width_of<V> == lanes ? 16 : 12) / vectors;

/// The largest number of rows that is at most `most` and leaves blocks of nearly equal height.
HEDDLE_INLINE std::int64_t even_height(std::int64_t rows, std::int64_t most) {
    const std::int64_t blocks = (rows + most - 1) / most;
    return (rows + blocks - 1) / blocks;
}

/// Right operands may stand in panels of 32 columns (the last one of 16 where they do not divide), one after the other:
/// a product runs down a panel, which then lies in consecutive lines.
inline constexpr std::int64_t panel = 2 * lanes;
HEDDLE_INLINE std::int64_t panel_width(std::int64_t column, std::int64_t columns) {
    return column / panel * panel + panel <= columns ? panel : lanes;
}

/// Calls `body.operator()<V, vectors>(column)` for blocks of columns in the processor's vectors V, in a
/// HEDDLE_SIMD_CLONES function: with AVX-512 a panel each, with AVX2, whose registers hold no sums of more, half of
/// one. `columns` is a multiple of 16.
template <class Body>
HEDDLE_INLINE void for_each_block_of_columns(std::int64_t columns, const Body& body) {
    std::int64_t column = 0;
    if (has_wide_vectors()) {
        for (; column + panel <= columns; column += panel) body.template operator()<Lanes, 2>(column);
        if (column < columns) body.template operator()<Lanes, 1>(column);
    } else {
        for (; column < columns; column += lanes) body.template operator()<HalfLanes, 2>(column);
    }
}

}  // namespace heddle::kernels::block
