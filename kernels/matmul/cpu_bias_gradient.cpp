#include <vector>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/matmul/implementations.h"
#include "kernels/strips.h"

// One pass over memory: the mask is applied, stored if wanted, and summed.
namespace heddle::kernels {
namespace {

template <class T>
struct Pointers {
    const T* dy;
    const T* y;  ///< null: everything passes
    T* masked;   ///< null: not stored
};

template <bool mask, bool keep, class T>
[[gnu::always_inline]] inline void add_rows_as(const Strips& strips, std::int64_t count, Pointers<T> p, float* sum) {
    const auto gradient = [&](std::int64_t i) {
        const float value = load(p.dy[i]);
        return !mask || load(p.y[i]) > 0 ? value : 0.0f;
    };
    const std::int64_t strip = strips.strip;
    std::int64_t i = 0;
    // Two strips at a time: the sums, in the first cache, are loaded and stored once for both.
    for (; i + 2 * strip <= count; i += 2 * strip) {
#pragma GCC ivdep
        for (std::int64_t j = 0; j < strip; ++j) {
            const float g0 = gradient(i + j), g1 = gradient(i + strip + j);
            sum[j] += g0 + g1;
            if constexpr (keep) store(p.masked[i + j], g0), store(p.masked[i + strip + j], g1);
        }
    }
    for (; i < count; i += strip) {
        const std::int64_t length = count - i < strip ? count - i : strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < length; ++j) {
            const float g = gradient(i + j);
            sum[j] += g;
            if constexpr (keep) store(p.masked[i + j], g);
        }
    }
}

template <class T>
[[gnu::always_inline]] inline void add_rows_in(const Strips& strips, std::int64_t count, Pointers<T> p, float* sum,
                                               double* total) {
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

/// total = the sums of the rows in `count` elements; `sum` is a strip of scratch.
HEDDLE_SIMD_CLONES void add_rows(const Strips& strips, std::int64_t count, Pointers<float> p, float* sum,
                                 double* total) {
    add_rows_in(strips, count, p, sum, total);
}
HEDDLE_SIMD_CLONES void add_rows(const Strips& strips, std::int64_t count, Pointers<BFloat16> p, float* sum,
                                 double* total) {
    add_rows_in(strips, count, p, sum, total);
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

template <class T>
void run_in(const BiasGradient& args, KernelContext& context) {
    const Strips strips = strips_of(args);
    const std::int64_t channels = strips.channels;
    auto* totals = static_cast<double*>(context.workspace);
    const bool mask = args.activation == FusedActivation::relu;
    const bool keep = args.masked && (mask || args.masked.data != args.dy.data);
    if (keep || args.dbias)
        parallel_for(strips.chunks, 1, [&](std::int64_t first, std::int64_t last) {
            std::vector<float> sum(static_cast<std::size_t>(strips.strip));
            for (std::int64_t chunk = first; chunk < last; ++chunk) {
                const std::int64_t start = strips.first_row(chunk) * channels;
                const Pointers<T> pointers{args.dy.as<T>() + start, mask ? args.y.as<T>() + start : nullptr,
                                           keep ? args.masked.as<T>() + start : nullptr};
                add_rows(strips, strips.rows_in(chunk) * channels, pointers, sum.data(), totals + chunk * channels);
            }
        });
    if (!args.dbias) return;
    join_chunks(strips, totals);
    for (std::int64_t c = 0; c < args.dbias.elements(); ++c)
        store(args.dbias.as<T>()[c], strips.chunks > 0 ? static_cast<float>(totals[c]) : 0.0f);
}

void run(const BiasGradient& args, KernelContext& context) {
    with_f32_or_bf16(args.dy.dtype, [&](auto zero) { run_in<decltype(zero)>(args, context); });
}

}  // namespace

void add_cpu(KernelTable<BiasGradient>& table) {
    table.add({.name = "cpu",
               .priority = priority::fast,
               .supports = [](const BiasGradient& args) { return f32_or_bf16(args.dy.dtype); },
               .workspace_bytes = workspace,
               .run = run});
}

}  // namespace heddle::kernels
