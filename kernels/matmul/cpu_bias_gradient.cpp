#include <vector>

#include "core/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/matmul/implementations.h"
#include "kernels/strips.h"

// One pass over memory: the mask is applied, stored if wanted, and summed.
namespace heddle::kernels {
namespace {

struct Pointers {
    const float* dy;
    const float* y;  ///< null: everything passes
    float* masked;   ///< null: not stored
};

template <bool mask, bool store>
[[gnu::always_inline]] inline void add_rows_as(const Strips& strips, std::int64_t count, Pointers p, float* sum) {
    const auto gradient = [&](std::int64_t i) {
        const float value = p.dy[i];
        return !mask || p.y[i] > 0 ? value : 0.0f;
    };
    const std::int64_t strip = strips.strip;
    std::int64_t i = 0;
    // Two strips at a time: the sums, in the first cache, are loaded and stored once for both.
    for (; i + 2 * strip <= count; i += 2 * strip) {
#pragma GCC ivdep
        for (std::int64_t j = 0; j < strip; ++j) {
            const float g0 = gradient(i + j), g1 = gradient(i + strip + j);
            sum[j] += g0 + g1;
            if constexpr (store) p.masked[i + j] = g0, p.masked[i + strip + j] = g1;
        }
    }
    for (; i < count; i += strip) {
        const std::int64_t length = count - i < strip ? count - i : strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < length; ++j) {
            const float g = gradient(i + j);
            sum[j] += g;
            if constexpr (store) p.masked[i + j] = g;
        }
    }
}

/// total = the sums of the rows in `count` elements; `sum` is a strip of scratch.
HEDDLE_SIMD_CLONES void add_rows(const Strips& strips, std::int64_t count, Pointers p, float* sum, double* total) {
    for (std::int64_t j = 0; j < strips.strip; ++j) sum[j] = 0;
    if (p.y && p.masked)
        add_rows_as<true, true>(strips, count, p, sum);
    else if (p.y)
        add_rows_as<true, false>(strips, count, p, sum);
    else if (p.masked)
        add_rows_as<false, true>(strips, count, p, sum);
    else
        add_rows_as<false, false>(strips, count, p, sum);
    fold_strip(strips, sum, total);
}

HEDDLE_SIMD_CLONES void join_chunks(const Strips& strips, double* totals) { join_totals(strips, totals); }

Strips strips_of(const BiasGradient& args) {
    const std::int64_t channels = args.dy.shape.back();
    return Strips(channels > 0 ? args.dy.elements() / channels : 0, std::max<std::int64_t>(channels, 1));
}

std::size_t workspace(const BiasGradient& args) {
    const Strips strips = strips_of(args);
    return static_cast<std::size_t>(strips.chunks * strips.channels) * sizeof(double);
}

void run(const BiasGradient& args, KernelContext& context) {
    const Strips strips = strips_of(args);
    const std::int64_t channels = strips.channels;
    auto* totals = static_cast<double*>(context.workspace);
    const bool mask = args.activation == FusedActivation::relu;
    const bool store = args.masked && (mask || args.masked.data != args.dy.data);
    if (store || args.dbias)
        parallel_for(strips.chunks, 1, [&](std::int64_t first, std::int64_t last) {
            std::vector<float> sum(static_cast<std::size_t>(strips.strip));
            for (std::int64_t chunk = first; chunk < last; ++chunk) {
                const std::int64_t start = strips.first_row(chunk) * channels;
                const Pointers pointers{args.dy.as<float>() + start, mask ? args.y.as<float>() + start : nullptr,
                                        store ? args.masked.as<float>() + start : nullptr};
                add_rows(strips, strips.rows_in(chunk) * channels, pointers, sum.data(), totals + chunk * channels);
            }
        });
    if (!args.dbias) return;
    join_chunks(strips, totals);
    for (std::int64_t c = 0; c < args.dbias.elements(); ++c)
        args.dbias.as<float>()[c] = strips.chunks > 0 ? static_cast<float>(totals[c]) : 0.0f;
}

}  // namespace

void add_cpu(KernelTable<BiasGradient>& table) {
    table.add({.name = "cpu",
               .priority = priority::fast,
               .supports = [](const BiasGradient& args) { return only_f32(args.dy.dtype); },
               .workspace_bytes = workspace,
               .run = run});
}

}  // namespace heddle::kernels
