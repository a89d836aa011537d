#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace heddle::kernels {

/// How the CPU kernels walk [rows, channels]. The inner loop runs over a *strip*: as many whole rows as make it long
/// and, if possible, a multiple of the vector width, so that 1, 3 or 67 channels cost what 64 do; what belongs to a
/// channel (a factor, a sum) is repeated along the strip. Strips form *chunks* of a size that only depends on the
/// shape: sums are taken in float within a chunk and in double across chunks, in their order, so that results do not
/// depend on the number of threads.
struct Strips {
    std::int64_t rows, channels;
    std::int64_t strip_rows, strip;  ///< rows and elements of a strip
    std::int64_t chunk_rows, chunks;

    Strips(std::int64_t row_count, std::int64_t channel_count) : rows(row_count), channels(channel_count) {
        constexpr std::int64_t shortest = 256, longest = 2048, vector = 16, chunk_elements = 32768, least_rows = 32;
        strip_rows = (shortest + channels - 1) / channels;
        const std::int64_t aligned = vector / std::gcd(channels, vector);
        const std::int64_t rounded = (strip_rows + aligned - 1) / aligned * aligned;
        if (rounded * channels <= longest) strip_rows = rounded;
        strip_rows = std::clamp<std::int64_t>(strip_rows, 1, std::max<std::int64_t>(rows, 1));
        strip = strip_rows * channels;
        const std::int64_t wanted = std::max(chunk_elements / channels, least_rows);
        chunk_rows = (wanted + strip_rows - 1) / strip_rows * strip_rows;
        chunks = (rows + chunk_rows - 1) / chunk_rows;
    }

    std::int64_t first_row(std::int64_t chunk) const { return chunk * chunk_rows; }
    std::int64_t rows_in(std::int64_t chunk) const { return std::min(chunk_rows, rows - first_row(chunk)); }
};

// Loops over `count` elements, whole rows that begin at a strip's first; the last strip may be incomplete. `mean`,
// `factor`, ... are strips.

/// sum[j] += x over the strips.
void add_values(const Strips& strips, std::int64_t count, const float* x, float* sum);
/// sum[j] += x - pivot[j]; squares[j] += (x - pivot[j])².
void add_moments(const Strips& strips, std::int64_t count, const float* x, const float* pivot, float* sum,
                 float* squares);
/// y = max((x - mean) * factor + shift + residual, floor); residual may be null; y may be x or residual. NaN stays NaN.
void normalize(const Strips& strips, std::int64_t count, const float* x, const float* residual, const float* mean,
               const float* factor, const float* shift, float floor, float* y);
/// With g = dy where y > 0, else 0 (y null: g = dy): sum += g, products += g * (x - mean), and masked = g unless null.
void add_gradients(const Strips& strips, std::int64_t count, const float* x, const float* y, const float* dy,
                   const float* mean, float* sum, float* products, float* masked);
/// dx = factor * g - (x - mean) * slope - constant.
void data_gradient(const Strips& strips, std::int64_t count, const float* x, const float* y, const float* dy,
                   const float* mean, const float* factor, const float* slope, const float* constant, float* dx);
/// dx = factor * g.
void scaled_gradient(const Strips& strips, std::int64_t count, const float* y, const float* dy, const float* factor,
                     float* dx);

/// total[c] = the sum of a strip over its rows, in double.
void fold(const Strips& strips, const float* strip, double* total);
/// Repeats the first row of a strip in the others.
void repeat_first_row(const Strips& strips, float* strip);

}  // namespace heddle::kernels
