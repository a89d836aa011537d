#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/element_types.h"
#include "kernels/reduce/implementations.h"
#include "kernels/strides.h"

namespace heddle::kernels {
namespace {

/// Visits x in order and folds each element into its place of y. `kept` are the strides of y at the indices of x: 0
/// along reduced axes.
template <class Body>
void fold(const Shape& shape, const Strides& kept, const Body& body) {
    for (std::int64_t i = 0; i < shape.elements(); ++i) body(offset_of(unravel(i, shape), kept), i);
}

Strides kept_strides(const Shape& shape, std::uint32_t axes) {
    Shape kept = shape;
    for (int axis = 0; axis < shape.rank(); ++axis)
        if (axes >> axis & 1) kept[axis] = 1;
    return broadcast_strides(kept, shape);
}

template <class T>
void sum(const View& x, const View& y, const Strides& kept, bool mean) {
    using Sum = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;
    std::vector<Sum> sums(static_cast<std::size_t>(y.elements()));
    fold(x.shape, kept, [&](std::int64_t to, std::int64_t from) {
        sums[static_cast<std::size_t>(to)] += static_cast<Sum>(x.as<T>()[from]);
    });
    const double count = static_cast<double>(x.elements()) / static_cast<double>(y.elements());
    for (std::int64_t i = 0; i < y.elements(); ++i) {
        const Sum total = sums[static_cast<std::size_t>(i)];
        y.as<T>()[i] = mean ? static_cast<T>(static_cast<double>(total) / count) : static_cast<T>(total);
    }
}

template <class T>
void extremum(const View& x, const View& y, const Strides& kept, bool max) {
    std::vector<bool> seen(static_cast<std::size_t>(y.elements()));
    fold(x.shape, kept, [&](std::int64_t to, std::int64_t from) {
        const T value = x.as<T>()[from];
        T& best = y.as<T>()[to];
        const bool first = !seen[static_cast<std::size_t>(to)];
        if (first || value != value || (best == best && (max ? value > best : value < best))) best = value;
        seen[static_cast<std::size_t>(to)] = true;
    });
}

void run_reduce(const Reduce& args, KernelContext&) {
    const Strides kept = kept_strides(args.x.shape, args.axes);
    with_number_type(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        if (args.op == ReduceOp::sum || args.op == ReduceOp::mean)
            sum<T>(args.x, args.y, kept, args.op == ReduceOp::mean);
        else
            extremum<T>(args.x, args.y, kept, args.op == ReduceOp::max);
    });
}

void run_reduce_to_shape(const ReduceToShape& args, KernelContext&) {
    with_float_type(args.x.dtype, [&](auto zero) {
        sum<decltype(zero)>(args.x, args.y, broadcast_strides(args.y.shape, args.x.shape), false);
    });
}

void run_arg_reduce(const ArgReduce& args, KernelContext&) {
    const Strides kept = kept_strides(args.x.shape, 1u << args.axis);
    std::int64_t* places = args.y.as<std::int64_t>();
    with_number_type(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        std::vector<T> best(static_cast<std::size_t>(args.y.elements()));
        fold(args.x.shape, kept, [&](std::int64_t to, std::int64_t from) {
            const T value = args.x.as<T>()[from];
            T& known = best[static_cast<std::size_t>(to)];
            const std::int64_t place = unravel(from, args.x.shape)[static_cast<std::size_t>(args.axis)];
            const bool nan_wins = value != value && known == known;
            if (place == 0 || nan_wins || (args.max ? value > known : value < known)) {
                known = value;
                places[to] = place;
            }
        });
    });
}

void run_top_k(const TopK& args, KernelContext&) {
    const std::int64_t n = args.x.shape.back(), rows = args.x.shape.elements(0, args.x.shape.rank() - 1);
    with_number_type(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t row = 0; row < rows; ++row) {
            const T* x = args.x.as<T>() + row * n;
            std::vector<std::int64_t> order(static_cast<std::size_t>(n));
            std::iota(order.begin(), order.end(), 0);
            std::stable_sort(order.begin(), order.end(),
                             [&](std::int64_t a, std::int64_t b) { return x[a] != x[a] ? x[b] == x[b] : x[a] > x[b]; });
            for (std::int64_t j = 0; j < args.k; ++j) {
                args.indices.as<std::int64_t>()[row * args.k + j] = order[static_cast<std::size_t>(j)];
                args.values.as<T>()[row * args.k + j] = x[order[static_cast<std::size_t>(j)]];
            }
        }
    });
}

Support ordered_numbers(DType dtype) {
    if (dtype == DType::i32 || dtype == DType::i64) return Support::yes();
    return float_or_double(dtype);
}

}  // namespace

void add_reference(KernelTable<Reduce>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Reduce& args) { return ordered_numbers(args.x.dtype); },
               .run = run_reduce});
}

void add_reference(KernelTable<ReduceToShape>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const ReduceToShape& args) { return float_or_double(args.x.dtype); },
               .run = run_reduce_to_shape});
}

void add_reference(KernelTable<ArgReduce>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const ArgReduce& args) { return ordered_numbers(args.x.dtype); },
               .run = run_arg_reduce});
}

void add_reference(KernelTable<TopK>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const TopK& args) { return ordered_numbers(args.x.dtype); },
               .run = run_top_k});
}

}  // namespace heddle::kernels
