#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/reduce/implementations.h"
#include "kernels/reduce/plan.h"

// Blocks are folded in f32 where a vector register holds many partial sums, and joined in f64. Work is cut into units
// whose size depends on the shape alone, so that results do not depend on the number of threads.
namespace heddle::kernels {
namespace {

constexpr std::int64_t sum_block = 2048;         // elements folded in f32 before they join the f64 total
constexpr std::int64_t short_row = 16;           // a call costs more than to fold so few elements
constexpr std::int64_t rows_block = 32;          // the same down a column
constexpr std::int64_t tile = 1024;              // columns at a time: their accumulators stay in the first cache
constexpr std::int64_t unit_elements = 1 << 16;  // elements that are worth a thread

template <class T>
[[gnu::always_inline]] inline float block_sum_in(const T* x, std::int64_t n) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t i = 0; i < n; ++i) total += load(x[i]);
    return total;
}
HEDDLE_SIMD_CLONES float block_sum(const float* x, std::int64_t n) { return block_sum_in(x, n); }
HEDDLE_SIMD_CLONES float block_sum(const BFloat16* x, std::int64_t n) { return block_sum_in(x, n); }

template <class T>
[[gnu::always_inline]] inline void add_columns_in(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n,
                                                  double* totals) {
    float partial[tile];
    for (std::int64_t first = 0; first < rows; first += rows_block) {
        const std::int64_t last = std::min(first + rows_block, rows);
        for (std::int64_t i = 0; i < n; ++i) partial[i] = load(x[first * stride + i]);
        for (std::int64_t row = first + 1; row < last; ++row)
            for (std::int64_t i = 0; i < n; ++i) partial[i] += load(x[row * stride + i]);
        for (std::int64_t i = 0; i < n; ++i) totals[i] += static_cast<double>(partial[i]);
    }
}
HEDDLE_SIMD_CLONES void add_columns(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t n,
                                    double* totals) {
    add_columns_in(x, stride, rows, n, totals);
}
HEDDLE_SIMD_CLONES void add_columns(const BFloat16* x, std::int64_t stride, std::int64_t rows, std::int64_t n,
                                    double* totals) {
    add_columns_in(x, stride, rows, n, totals);
}

template <class T>
[[gnu::always_inline]] inline float largest_in(const T* x, std::int64_t n) {
    float best = load(x[0]);
    int nan = 0;
#pragma omp simd reduction(max : best) reduction(| : nan)
    for (std::int64_t i = 0; i < n; ++i) {
        const float value = load(x[i]);
        nan |= value != value;
        best = value > best ? value : best;
    }
    return nan ? std::numeric_limits<float>::quiet_NaN() : best;
}
HEDDLE_SIMD_CLONES float largest(const float* x, std::int64_t n) { return largest_in(x, n); }
HEDDLE_SIMD_CLONES float largest(const BFloat16* x, std::int64_t n) { return largest_in(x, n); }

template <class T>
[[gnu::always_inline]] inline float smallest_in(const T* x, std::int64_t n) {
    float best = load(x[0]);
    int nan = 0;
#pragma omp simd reduction(min : best) reduction(| : nan)
    for (std::int64_t i = 0; i < n; ++i) {
        const float value = load(x[i]);
        nan |= value != value;
        best = value < best ? value : best;
    }
    return nan ? std::numeric_limits<float>::quiet_NaN() : best;
}
HEDDLE_SIMD_CLONES float smallest(const float* x, std::int64_t n) { return smallest_in(x, n); }
HEDDLE_SIMD_CLONES float smallest(const BFloat16* x, std::int64_t n) { return smallest_in(x, n); }

template <bool max, class T>
[[gnu::always_inline]] inline void extreme_columns_in(const T* x, std::int64_t stride, std::int64_t rows,
                                                      std::int64_t n, float* best) {
    for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t i = 0; i < n; ++i) {
            const float value = load(x[row * stride + i]);
            const bool better = max ? value > best[i] : value < best[i];
            best[i] = better | (value != value) ? value : best[i];
        }
}
HEDDLE_SIMD_CLONES void largest_columns(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t n,
                                        float* best) {
    extreme_columns_in<true>(x, stride, rows, n, best);
}
HEDDLE_SIMD_CLONES void largest_columns(const BFloat16* x, std::int64_t stride, std::int64_t rows, std::int64_t n,
                                        float* best) {
    extreme_columns_in<true>(x, stride, rows, n, best);
}
HEDDLE_SIMD_CLONES void smallest_columns(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t n,
                                         float* best) {
    extreme_columns_in<false>(x, stride, rows, n, best);
}
HEDDLE_SIMD_CLONES void smallest_columns(const BFloat16* x, std::int64_t stride, std::int64_t rows, std::int64_t n,
                                         float* best) {
    extreme_columns_in<false>(x, stride, rows, n, best);
}

/// What a reduction folds with: a total per output, `range` for a dense run, `columns` for rows below each other.
template <class T>
struct FloatSum {
    using Element = T;
    using Total = double;
    static constexpr Total start = 0;
    static void join(Total& total, Total other) { total += other; }
    static Total range(const T* x, std::int64_t n) {
        if (n <= short_row) {
            float total = 0;
            for (std::int64_t i = 0; i < n; ++i) total += load(x[i]);
            return static_cast<double>(total);
        }
        double total = 0;
        for (std::int64_t i = 0; i < n; i += sum_block)
            total += static_cast<double>(block_sum(x + i, std::min(sum_block, n - i)));
        return total;
    }
    static void columns(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n, Total* totals) {
        add_columns(x, stride, rows, n, totals);
    }
};

template <bool max, class T>
struct FloatExtremum {
    using Element = T;
    using Total = float;
    static constexpr Total start = (max ? -1 : 1) * std::numeric_limits<float>::infinity();
    static void join(Total& total, Total other) {
        const bool better = max ? other > total : other < total;  // without branches: which wins is chance
        total = (other != other) | better ? other : total;
    }
    static Total range(const T* x, std::int64_t n) {
        if (n > short_row) return max ? largest(x, n) : smallest(x, n);
        float total = load(x[0]);
        for (std::int64_t i = 1; i < n; ++i) join(total, load(x[i]));
        return total;
    }
    static void columns(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n, Total* totals) {
        if constexpr (max)
            largest_columns(x, stride, rows, n, totals);
        else
            smallest_columns(x, stride, rows, n, totals);
    }
};

/// Integers: `op` on two of them; sums wrap around.
template <class T, ReduceOp op>
struct IntegerFold {
    using Element = T;
    using Total = T;
    static constexpr Total start =
        op == ReduceOp::sum ? 0 : (op == ReduceOp::max ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max());
    static void join(Total& total, Total other) {
        using U = std::make_unsigned_t<T>;
        if constexpr (op == ReduceOp::sum)
            total = static_cast<T>(static_cast<U>(total) + static_cast<U>(other));
        else
            total = op == ReduceOp::max ? std::max(total, other) : std::min(total, other);
    }
    static Total range(const T* x, std::int64_t n) {
        Total total = start;
        for (std::int64_t i = 0; i < n; ++i) join(total, x[i]);
        return total;
    }
    static void columns(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n, Total* totals) {
        for (std::int64_t row = 0; row < rows; ++row)
            for (std::int64_t i = 0; i < n; ++i) join(totals[i], x[row * stride + i]);
    }
};

/// Elements [first, last) of what is folded into one output: runs of `inner`, one for each place of the walk.
template <class Fold>
typename Fold::Total fold_run(const ReducePlan& plan, const typename Fold::Element* x, std::int64_t first,
                              std::int64_t last) {
    typename Fold::Total total = Fold::start;
    while (first < last) {
        const std::int64_t at = first % plan.inner, count = std::min(plan.inner - at, last - first);
        Fold::join(total, Fold::range(x + plan.reduced.offset(first / plan.inner) + at, count));
        first += count;
    }
    return total;
}

/// The last axis is reduced: each output has a total of its own; few long ones are cut into units.
template <class Fold, class Finish>
void reduce_inner(const ReducePlan& plan, const typename Fold::Element* x, typename Fold::Element* y,
                  const Finish& finish) {
    using Total = typename Fold::Total;
    const std::int64_t length = plan.reduced.count * plan.inner, outputs = plan.kept.count;
    if (outputs >= 64 || length < 2 * unit_elements) {
        parallel_for(outputs, unit_elements / std::max<std::int64_t>(length, 1) + 1,
                     [&](std::int64_t first, std::int64_t last) {
                         for (std::int64_t k = first; k < last; ++k)
                             y[k] = finish(fold_run<Fold>(plan, x + plan.kept.offset(k), 0, length));
                     });
        return;
    }
    const std::int64_t units = (length + unit_elements - 1) / unit_elements;
    std::vector<Total> partial(static_cast<std::size_t>(units * outputs));
    parallel_for(units * outputs, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t u = first; u < last; ++u) {
            const std::int64_t begin = u % units * unit_elements;
            partial[static_cast<std::size_t>(u)] =
                fold_run<Fold>(plan, x + plan.kept.offset(u / units), begin, std::min(begin + unit_elements, length));
        }
    });
    for (std::int64_t k = 0; k < outputs; ++k) {
        Total total = Fold::start;
        for (std::int64_t u = 0; u < units; ++u) Fold::join(total, partial[static_cast<std::size_t>(k * units + u)]);
        y[k] = finish(total);
    }
}

/// Rows [first, last) of those folded into one row of outputs; `n` columns.
template <class Fold>
void fold_rows(const ReducePlan& plan, const typename Fold::Element* x, std::int64_t first, std::int64_t last,
               std::int64_t n, typename Fold::Total* totals) {
    if (plan.reduced.rank == 0) return Fold::columns(x, 0, 1, n, totals);
    const auto deepest = static_cast<std::size_t>(plan.reduced.rank - 1);
    const std::int64_t extent = plan.reduced.extents[deepest], stride = plan.reduced.strides[deepest];
    while (first < last) {
        const std::int64_t rows = std::min(extent - first % extent, last - first);
        Fold::columns(x + plan.reduced.offset(first), stride, rows, n, totals);
        first += rows;
    }
}

/// The last axis is kept: rows of outputs, in tiles of columns; few of them with many rows to fold are cut into units.
template <class Fold, class Finish>
void reduce_outer(const ReducePlan& plan, const typename Fold::Element* x, typename Fold::Element* y,
                  const Finish& finish) {
    using Total = typename Fold::Total;
    const std::int64_t rows = plan.reduced.count, tiles = (plan.inner + tile - 1) / tile,
                       tasks = plan.kept.count * tiles, width = std::min(tile, plan.inner);
    const std::int64_t rows_per_unit =
                           std::max<std::int64_t>(rows_block, unit_elements / std::max<std::int64_t>(width, 1)),
                       units = tasks < 8 ? std::max<std::int64_t>(1, (rows + rows_per_unit - 1) / rows_per_unit) : 1;
    std::vector<Total> partial(static_cast<std::size_t>(units > 1 ? tasks * units * width : 0));
    const auto task_columns = [&](std::int64_t task) { return std::min(tile, plan.inner - task % tiles * tile); };
    const std::int64_t grain = units > 1 ? 1 : unit_elements / std::max<std::int64_t>(width * rows, 1) + 1;
    parallel_for(tasks * units, grain, [&](std::int64_t first, std::int64_t last) {
        Total local[tile];
        for (std::int64_t item = first; item < last; ++item) {
            const std::int64_t task = item / units, unit = item % units, k = task / tiles, column = task % tiles * tile,
                               n = task_columns(task);
            Total* totals = units > 1 ? partial.data() + item * width : local;
            std::fill_n(totals, n, Fold::start);
            const std::int64_t begin = units > 1 ? unit * rows_per_unit : 0,
                               end = units > 1 ? std::min(begin + rows_per_unit, rows) : rows;
            fold_rows<Fold>(plan, x + plan.kept.offset(k) + column, begin, end, n, totals);
            if (units == 1)
                for (std::int64_t i = 0; i < n; ++i) y[k * plan.inner + column + i] = finish(totals[i]);
        }
    });
    if (units == 1) return;
    for (std::int64_t task = 0; task < tasks; ++task) {
        Total* totals = partial.data() + task * units * width;
        const std::int64_t n = task_columns(task);
        for (std::int64_t unit = 1; unit < units; ++unit)
            for (std::int64_t i = 0; i < n; ++i) Fold::join(totals[i], totals[unit * width + i]);
        for (std::int64_t i = 0; i < n; ++i) y[task / tiles * plan.inner + task % tiles * tile + i] = finish(totals[i]);
    }
}

template <class Fold, class Finish>
void reduce_with(const View& x, const View& y, std::uint32_t axes, const Finish& finish) {
    using T = typename Fold::Element;
    if (x.elements() == 0) {
        std::fill_n(y.as<T>(), y.elements(), finish(Fold::start));
        return;
    }
    const ReducePlan plan = plan_reduction(x.shape, axes);
    if (plan.inner_reduced)
        reduce_inner<Fold>(plan, x.as<T>(), y.as<T>(), finish);
    else
        reduce_outer<Fold>(plan, x.as<T>(), y.as<T>(), finish);
}

template <class T>
T stored(float value) {
    T result;
    store(result, value);
    return result;
}

template <class T>
void reduce_sums(ReduceOp op, const View& x, const View& y, std::uint32_t axes) {
    const double count =
        op == ReduceOp::mean ? static_cast<double>(x.elements()) / static_cast<double>(y.elements()) : 1;
    reduce_with<FloatSum<T>>(x, y, axes, [=](double total) { return stored<T>(static_cast<float>(total / count)); });
}

void reduce_floats(ReduceOp op, const View& x, const View& y, std::uint32_t axes) {
    with_f32_or_bf16(x.dtype, [&](auto zero) {
        using T = decltype(zero);
        switch (op) {
            case ReduceOp::sum:
            case ReduceOp::mean:
                return reduce_sums<T>(op, x, y, axes);
            case ReduceOp::max:
                return reduce_with<FloatExtremum<true, T>>(x, y, axes, stored<T>);
            case ReduceOp::min:
                return reduce_with<FloatExtremum<false, T>>(x, y, axes, stored<T>);
        }
    });
}

template <class T>
void reduce_integers(const Reduce& args) {
    const auto same = [](T total) { return total; };
    if (args.op == ReduceOp::sum)
        reduce_with<IntegerFold<T, ReduceOp::sum>>(args.x, args.y, args.axes, same);
    else if (args.op == ReduceOp::max)
        reduce_with<IntegerFold<T, ReduceOp::max>>(args.x, args.y, args.axes, same);
    else
        reduce_with<IntegerFold<T, ReduceOp::min>>(args.x, args.y, args.axes, same);
}

void run_reduce(const Reduce& args, KernelContext&) {
    if (is_floating(args.x.dtype))
        reduce_floats(args.op, args.x, args.y, args.axes);
    else if (args.x.dtype == DType::i32)
        reduce_integers<std::int32_t>(args);
    else
        reduce_integers<std::int64_t>(args);
}

void run_reduce_to_shape(const ReduceToShape& args, KernelContext&) {
    std::uint32_t axes = 0;
    const int missing = args.x.shape.rank() - args.y.shape.rank();
    for (int axis = 0; axis < args.x.shape.rank(); ++axis)
        if (axis < missing || args.y.shape[axis - missing] == 1) axes |= 1u << axis;
    reduce_floats(ReduceOp::sum, args.x, args.y, axes);
}

}  // namespace

void add_cpu(KernelTable<Reduce>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports =
                   [](const Reduce& args) {
                       const bool integer = args.x.dtype == DType::i32 || args.x.dtype == DType::i64;
                       if (integer && args.op != ReduceOp::mean) return Support::yes();
                       return f32_or_bf16(args.x.dtype);
                   },
               .run = run_reduce});
}

void add_cpu(KernelTable<ReduceToShape>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const ReduceToShape& args) { return f32_or_bf16(args.x.dtype); },
               .run = run_reduce_to_shape});
}

}  // namespace heddle::kernels
