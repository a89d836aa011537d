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

/// Repeats the first row of a strip in the others: by doubling, so that single channels do not wait for one another.
inline void repeat_first_row(const Strips& strips, float* strip) {
    for (std::int64_t done = strips.channels; done < strips.strip;) {
        const std::int64_t count = std::min(done, strips.strip - done);
        std::copy_n(strip, count, strip + done);
        done += count;
    }
}

/// total[c] = the sum of a strip over its rows, in double. Inlined into HEDDLE_SIMD_CLONES functions.
[[gnu::always_inline]] inline void fold_strip(const Strips& strips, const float* strip, double* total) {
    constexpr std::int64_t longest = 64;
    const std::int64_t channels = strips.channels;
    // Of few channels several rows are added side by side first.
    std::int64_t group = 1;
    while (2 * group * channels <= longest && strips.strip_rows % (2 * group) == 0) group *= 2;
    const std::int64_t width = group * channels;
    double partial[longest];
    double* sums = group > 1 ? partial : total;
    for (std::int64_t j = 0; j < width; ++j) sums[j] = 0;
    for (std::int64_t first = 0; first < strips.strip; first += width) {
#pragma GCC ivdep
        for (std::int64_t j = 0; j < width; ++j) sums[j] += double(strip[first + j]);
    }
    if (group == 1) return;
    for (std::int64_t c = 0; c < channels; ++c) {
        total[c] = 0;
        for (std::int64_t j = c; j < width; j += channels) total[c] += partial[j];
    }
}

/// Adds the other chunks' totals to the first's, in order. Inlined into HEDDLE_SIMD_CLONES functions.
[[gnu::always_inline]] inline void join_totals(const Strips& strips, double* totals) {
    for (std::int64_t chunk = 1; chunk < strips.chunks; ++chunk) {
        const double* own = totals + chunk * strips.channels;
#pragma GCC ivdep
        for (std::int64_t c = 0; c < strips.channels; ++c) totals[c] += own[c];
    }
}

}  // namespace heddle::kernels
