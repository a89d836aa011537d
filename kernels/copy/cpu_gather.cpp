#include <algorithm>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/copy/implementations.h"
#include "kernels/copy/missing.h"
#include "kernels/dispatch.h"
#include "kernels/element_types.h"

// Gathering, and its backward step. Scattered sums are split by destination, so that each has one writer, who adds in
// the order of the indices; sums of bf16 are in f32, rounded at the end.
namespace heddle::kernels {
namespace {

constexpr std::int64_t grain_elements = 32768;

std::int64_t grain(std::int64_t elements_each) { return grain_elements / std::max<std::int64_t>(elements_each, 1) + 1; }

template <class Body>
void with_index_type(DType dtype, const Body& body) {
    dtype == DType::i64 ? body(std::int64_t{}) : body(std::int32_t{});
}

void run_gather(const Gather& args, KernelContext&) {
    const Shape& shape = args.x.shape;
    const std::int64_t count = args.indices.elements(), extent = shape[args.axis],
                       inner = shape.elements(args.axis + 1, shape.rank()), rows = shape.elements(0, args.axis) * count;
    with_index_type(args.indices.dtype, [&](auto index_zero) {
        const auto* indices = args.indices.as<const decltype(index_zero)>();
        with_storage_type(args.y.dtype, [&](auto zero) {
            using T = decltype(zero);
            const T* x = args.x.as<const T>();
            T* y = args.y.as<T>();
            parallel_for(rows, grain(inner), [&](std::int64_t first, std::int64_t last) {
                for (std::int64_t row = first; row < last; ++row) {
                    const std::int64_t index = indices[row % count];
                    if (index < 0 || index >= extent) {
                        std::fill_n(y + row * inner, inner, missing<T>());
                        continue;
                    }
                    const T* from = x + (row / count * extent + index) * inner;
                    if (inner == 1)
                        y[row] = *from;
                    else
                        std::copy_n(from, inner, y + row * inner);
                }
            });
        });
    });
}

template <class T>
[[gnu::always_inline]] inline void add_run_in(const T* x, float* y, std::int64_t n) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) y[i] += load(x[i]);
}
HEDDLE_SIMD_CLONES void add_run(const float* x, float* y, std::int64_t n) { add_run_in(x, y, n); }
HEDDLE_SIMD_CLONES void add_run(const BFloat16* x, float* y, std::int64_t n) { add_run_in(x, y, n); }

/// Where the sums of dx in f32 are made: in dx, or in the workspace.
template <class Args>
std::size_t sums_bytes(const Args& args) {
    return args.dx.dtype == DType::f32 ? 0 : static_cast<std::size_t>(args.dx.elements()) * sizeof(float);
}

template <class T>
void gather_backward_in(const GatherBackward& args, float* wide) {
    const Shape& shape = args.dx.shape;
    const std::int64_t count = args.indices.elements(), extent = shape[args.axis],
                       inner = shape.elements(args.axis + 1, shape.rank()), outer = shape.elements(0, args.axis);
    const T* dy = args.dy.as<const T>();
    float* sums = wide_place(args.dx.as<T>(), wide);
    with_index_type(args.indices.dtype, [&](auto zero) {
        const auto* indices = args.indices.as<const decltype(zero)>();
        // The part of one slab of dx that lies in [low, high) along the axis.
        const auto scatter = [&](std::int64_t o, std::int64_t low, std::int64_t high) {
            float* slab = sums + o * extent * inner;
            std::fill(slab + low * inner, slab + high * inner, 0.0f);
            for (std::int64_t j = 0; j < count; ++j) {
                const std::int64_t to = indices[j];
                if (to < low || to >= high) continue;
                const T* from = dy + (o * count + j) * inner;
                if (inner == 1)
                    slab[to] += load(*from);
                else
                    add_run(from, slab + to * inner, inner);
            }
            put_back(slab + low * inner, args.dx.as<T>() + (o * extent + low) * inner, (high - low) * inner);
        };
        if (outer >= thread_count())
            parallel_for(outer, grain(count * inner), [&](std::int64_t first, std::int64_t last) {
                for (std::int64_t o = first; o < last; ++o) scatter(o, 0, extent);
            });
        else
            for (std::int64_t o = 0; o < outer; ++o)
                parallel_for(extent, grain((count / std::max<std::int64_t>(extent, 1) + 1) * inner),
                             [&](std::int64_t low, std::int64_t high) { scatter(o, low, high); });
    });
}

void run_gather_backward(const GatherBackward& args, KernelContext& context) {
    with_f32_or_bf16(args.dy.dtype, [&](auto zero) {
        gather_backward_in<decltype(zero)>(args, static_cast<float*>(context.workspace));
    });
}

void run_take_along(const TakeAlong& args, KernelContext&) {
    const std::int64_t n = args.x.shape.back(), k = args.indices.shape.back(),
                       rows = args.indices.shape.elements(0, args.indices.shape.rank() - 1);
    with_index_type(args.indices.dtype, [&](auto index_zero) {
        const auto* indices = args.indices.as<const decltype(index_zero)>();
        with_storage_type(args.y.dtype, [&](auto zero) {
            using T = decltype(zero);
            parallel_for(rows, grain(k), [&](std::int64_t first, std::int64_t last) {
                for (std::int64_t row = first; row < last; ++row)
                    for (std::int64_t j = 0; j < k; ++j) {
                        const std::int64_t index = indices[row * k + j];
                        args.y.as<T>()[row * k + j] =
                            index >= 0 && index < n ? args.x.as<T>()[row * n + index] : missing<T>();
                    }
            });
        });
    });
}

template <class T>
void take_along_backward_in(const TakeAlongBackward& args, float* wide) {
    const std::int64_t n = args.dx.shape.back(), k = args.indices.shape.back(),
                       rows = args.indices.shape.elements(0, args.indices.shape.rank() - 1);
    T* dx = args.dx.as<T>();
    float* sums = wide_place(dx, wide);
    with_index_type(args.indices.dtype, [&](auto zero) {
        const auto* indices = args.indices.as<const decltype(zero)>();
        parallel_for(rows, grain(n + k), [&](std::int64_t first, std::int64_t last) {
            std::fill(sums + first * n, sums + last * n, 0.0f);
            for (std::int64_t row = first; row < last; ++row)
                for (std::int64_t j = 0; j < k; ++j) {
                    const std::int64_t index = indices[row * k + j];
                    if (index >= 0 && index < n) sums[row * n + index] += load(args.dy.as<T>()[row * k + j]);
                }
            put_back(sums + first * n, dx + first * n, (last - first) * n);
        });
    });
}

void run_take_along_backward(const TakeAlongBackward& args, KernelContext& context) {
    with_f32_or_bf16(args.dy.dtype, [&](auto zero) {
        take_along_backward_in<decltype(zero)>(args, static_cast<float*>(context.workspace));
    });
}

void run_one_hot(const OneHot& args, KernelContext&) {
    const std::int64_t rows = args.indices.elements(), classes = args.y.shape.back();
    with_index_type(args.indices.dtype, [&](auto index_zero) {
        const auto* indices = args.indices.as<const decltype(index_zero)>();
        with_storage_type(args.y.dtype, [&](auto zero) {
            using T = decltype(zero);
            T* y = args.y.as<T>();
            const T one = convert<T>(1.0f);
            parallel_for(rows, grain(classes), [&](std::int64_t first, std::int64_t last) {
                std::fill(y + first * classes, y + last * classes, T{});
                for (std::int64_t row = first; row < last; ++row)
                    if (indices[row] >= 0 && indices[row] < classes) y[row * classes + indices[row]] = one;
            });
        });
    });
}

template <class Args>
void add(KernelTable<Args>& table, void (*run)(const Args&, KernelContext&)) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const Args&) { return Support::yes(); },
               .run = run});
}

template <class Args>
void add_sum(KernelTable<Args>& table, void (*run)(const Args&, KernelContext&)) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const Args& args) { return f32_or_bf16(args.dy.dtype); },
               .workspace_bytes = sums_bytes<Args>,
               .run = run});
}

}  // namespace

void add_cpu(KernelTable<Gather>& table) { add(table, run_gather); }
void add_cpu(KernelTable<GatherBackward>& table) { add_sum(table, run_gather_backward); }
void add_cpu(KernelTable<TakeAlong>& table) { add(table, run_take_along); }
void add_cpu(KernelTable<TakeAlongBackward>& table) { add_sum(table, run_take_along_backward); }
void add_cpu(KernelTable<OneHot>& table) { add(table, run_one_hot); }

}  // namespace heddle::kernels
