#pragma once

#include <cstdint>

// Sums and maxima of a row of floats, inlined into HEDDLE_SIMD_CLONES functions. One running result would wait for
// itself at every element (a compiler may not change the order of float sums); 16 fill a vector register. They are
// joined in an order that depends on nothing but the length.
namespace heddle::kernels {

inline constexpr std::int64_t row_partials = 16;

/// Asks for a row that is read next. A processor foresees what follows only while it is read, and the passes over a row
/// read it again from the cache.
[[gnu::always_inline]] inline void ask_for(const float* row, std::int64_t count) {
    constexpr std::int64_t line = 16;
    for (std::int64_t i = 0; i < count; i += line) __builtin_prefetch(row + i);
}

/// The sum of term(i) for i < count: partial sums as `Partial`, joined as `Total`.
template <class Total = float, class Partial = float, class Term>
[[gnu::always_inline]] inline Total sum_of(std::int64_t count, const Term& term) {
    Partial sums[row_partials] = {};
    std::int64_t i = 0;
    for (; i + row_partials <= count; i += row_partials)
        for (std::int64_t j = 0; j < row_partials; ++j) sums[j] += term(i + j);
    for (std::int64_t j = 0; i + j < count; ++j) sums[j] += term(i + j);
    Total total = 0;
    for (const Partial sum : sums) total += static_cast<Total>(sum);
    return total;
}

/// The largest value, -inf of none; NaN never is.
[[gnu::always_inline]] inline float largest_of(const float* values, std::int64_t count) {
    float most[row_partials];
    for (float& value : most) value = -__builtin_inff();
    std::int64_t i = 0;
    for (; i + row_partials <= count; i += row_partials)
        for (std::int64_t j = 0; j < row_partials; ++j) most[j] = values[i + j] > most[j] ? values[i + j] : most[j];
    for (std::int64_t j = 0; i + j < count; ++j) most[j] = values[i + j] > most[j] ? values[i + j] : most[j];
    for (std::int64_t width = row_partials / 2; width > 0; width /= 2)
        for (std::int64_t j = 0; j < width; ++j) most[j] = most[j + width] > most[j] ? most[j + width] : most[j];
    return most[0];
}

}  // namespace heddle::kernels
