#include <algorithm>
#include <vector>

#include "kernels/copy/implementations.h"
#include "kernels/copy/missing.h"
#include "kernels/dispatch.h"
#include "kernels/element_types.h"
#include "kernels/strides.h"

namespace heddle::kernels {
namespace {

/// y[i] = x[source(index of y)], for every element of y.
template <class Source>
void take(const View& x, const View& y, const Source& source) {
    const Strides strides = dense_strides(x.shape);
    with_bits_type(y.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < y.elements(); ++i)
            y.as<T>()[i] = x.as<T>()[offset_of(source(unravel(i, y.shape)), strides)];
    });
}

bool is_inside(const Index& index, const Shape& shape) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
        const std::int64_t place = index[static_cast<std::size_t>(axis)];
        if (place < 0 || place >= shape[axis]) return false;
    }
    return true;
}

/// The same where the source may lie outside of x.
template <class Source>
void take_if_inside(const View& x, const View& y, const Source& source) {
    const Strides strides = dense_strides(x.shape);
    with_storage_type(y.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < y.elements(); ++i) {
            const Index from = source(unravel(i, y.shape));
            y.as<T>()[i] = is_inside(from, x.shape) ? x.as<T>()[offset_of(from, strides)] : missing<T>();
        }
    });
}

/// dx[source(index of dy)] += dy where that lies inside, after dx = 0.
template <class Source>
void add_back(const View& dy, const View& dx, const Source& source) {
    const Strides strides = dense_strides(dx.shape);
    with_float_type(dy.dtype, [&](auto zero) {
        using T = decltype(zero);
        std::vector<double> sums(static_cast<std::size_t>(dx.elements()));
        for (std::int64_t i = 0; i < dy.elements(); ++i) {
            const Index index = source(unravel(i, dy.shape));
            if (!is_inside(index, dx.shape)) continue;
            sums[static_cast<std::size_t>(offset_of(index, strides))] += double(dy.as<T>()[i]);
        }
        for (std::int64_t i = 0; i < dx.elements(); ++i)
            dx.as<T>()[i] = static_cast<T>(sums[static_cast<std::size_t>(i)]);
    });
}

std::int64_t index_at(const View& indices, std::int64_t place) {
    return indices.dtype == DType::i64 ? indices.as<std::int64_t>()[place] : indices.as<std::int32_t>()[place];
}

void run_permute(const Permute& args, KernelContext&) {
    take(args.x, args.y, [&](const Index& to) {
        Index from{};
        for (int axis = 0; axis < args.y.shape.rank(); ++axis)
            from[static_cast<std::size_t>(args.axes[static_cast<std::size_t>(axis)])] =
                to[static_cast<std::size_t>(axis)];
        return from;
    });
}

/// Copies between a part and the place in `whole` where it begins along `axis`.
void copy_part(const View& whole, const View& part, int axis, std::int64_t begin, bool into_whole) {
    const Strides strides = dense_strides(whole.shape);
    with_bits_type(whole.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < part.elements(); ++i) {
            Index index = unravel(i, part.shape);
            index[static_cast<std::size_t>(axis)] += begin;
            T& outer = whole.as<T>()[offset_of(index, strides)];
            T& inner = part.as<T>()[i];
            (into_whole ? outer : inner) = into_whole ? inner : outer;
        }
    });
}

void run_concat(const Concat& args, KernelContext&) {
    std::int64_t begin = 0;
    for (const View& part : args.parts) {
        copy_part(args.y, part, args.axis, begin, true);
        begin += part.shape[args.axis];
    }
}

void run_split(const Split& args, KernelContext&) {
    std::int64_t begin = 0;
    for (const View& part : args.parts) {
        if (part) copy_part(args.x, part, args.axis, begin, false);
        begin += part.shape[args.axis];
    }
}

/// Where along an axis of `extent` the padded place `at` comes from; outside of [0, extent) for a constant.
std::int64_t pad_source(PadMode mode, std::int64_t at, std::int64_t before, std::int64_t extent) {
    const std::int64_t from = at - before;
    if (mode == PadMode::edge) return std::clamp<std::int64_t>(from, 0, extent - 1);
    if (mode == PadMode::reflect) return from < 0 ? -from : (from >= extent ? 2 * (extent - 1) - from : from);
    return from;
}

/// The element that the padded index `to` comes from; false where it is the constant.
bool pad_index(PadMode mode, const std::array<std::int64_t, Shape::max_rank>& before, const Shape& shape,
               const Index& to, Index& from) {
    bool inside = true;
    for (int axis = 0; axis < shape.rank(); ++axis) {
        const auto a = static_cast<std::size_t>(axis);
        from[a] = pad_source(mode, to[a], before[a], shape[axis]);
        inside = inside && from[a] >= 0 && from[a] < shape[axis];
    }
    return inside;
}

void run_pad(const Pad& args, KernelContext&) {
    const Strides strides = dense_strides(args.x.shape);
    with_storage_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < args.y.elements(); ++i) {
            Index from{};
            const bool inside = pad_index(args.mode, args.before, args.x.shape, unravel(i, args.y.shape), from);
            args.y.as<T>()[i] = inside ? args.x.as<T>()[offset_of(from, strides)] : convert<T>(args.value);
        }
    });
}

void run_pad_backward(const PadBackward& args, KernelContext&) {
    const Strides strides = dense_strides(args.dx.shape);
    with_float_type(args.dy.dtype, [&](auto zero) {
        using T = decltype(zero);
        std::vector<double> sums(static_cast<std::size_t>(args.dx.elements()));
        for (std::int64_t i = 0; i < args.dy.elements(); ++i) {
            Index from{};
            if (pad_index(args.mode, args.before, args.dx.shape, unravel(i, args.dy.shape), from))
                sums[static_cast<std::size_t>(offset_of(from, strides))] += double(args.dy.as<T>()[i]);
        }
        for (std::int64_t i = 0; i < args.dx.elements(); ++i)
            args.dx.as<T>()[i] = static_cast<T>(sums[static_cast<std::size_t>(i)]);
    });
}

Index slice_source(const std::array<std::int64_t, Shape::max_rank>& starts,
                   const std::array<std::int64_t, Shape::max_rank>& steps, const Index& to, int rank) {
    Index from{};
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(rank); ++axis)
        from[axis] = starts[axis] + to[axis] * steps[axis];
    return from;
}

void run_slice(const Slice& args, KernelContext&) {
    take(args.x, args.y,
         [&](const Index& to) { return slice_source(args.starts, args.steps, to, args.x.shape.rank()); });
}

void run_slice_backward(const SliceBackward& args, KernelContext&) {
    const Strides strides = dense_strides(args.dx.shape);
    with_bits_type(args.dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        std::fill_n(args.dx.as<T>(), args.dx.elements(), T{});
        for (std::int64_t i = 0; i < args.dy.elements(); ++i) {
            const Index to = unravel(i, args.dy.shape);
            const Index from = slice_source(args.starts, args.steps, to, args.dx.shape.rank());
            args.dx.as<T>()[offset_of(from, strides)] = args.dy.as<T>()[i];
        }
    });
}

void run_broadcast_to(const BroadcastTo& args, KernelContext&) {
    const Strides strides = broadcast_strides(args.x.shape, args.y.shape);
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < args.y.elements(); ++i)
            args.y.as<T>()[i] = args.x.as<T>()[offset_of(unravel(i, args.y.shape), strides)];
    });
}

/// `to` is [..., indices..., ...]: the indices' axes become the one axis they index.
Index gather_source(const View& indices, int axis, int rank, const Index& to) {
    const int replaced = indices.shape.rank();
    const Strides strides = dense_strides(indices.shape);
    Index from{};
    std::int64_t place = 0;
    for (int i = 0; i < axis; ++i) from[static_cast<std::size_t>(i)] = to[static_cast<std::size_t>(i)];
    for (int i = 0; i < replaced; ++i)
        place += to[static_cast<std::size_t>(axis + i)] * strides[static_cast<std::size_t>(i)];
    from[static_cast<std::size_t>(axis)] = index_at(indices, place);
    for (int i = axis + 1; i < rank; ++i)
        from[static_cast<std::size_t>(i)] = to[static_cast<std::size_t>(i + replaced - 1)];
    return from;
}

void run_gather(const Gather& args, KernelContext&) {
    take_if_inside(args.x, args.y,
                   [&](const Index& to) { return gather_source(args.indices, args.axis, args.x.shape.rank(), to); });
}

void run_gather_backward(const GatherBackward& args, KernelContext&) {
    add_back(args.dy, args.dx,
             [&](const Index& to) { return gather_source(args.indices, args.axis, args.dx.shape.rank(), to); });
}

Index along_source(const View& indices, const Index& to) {
    Index from = to;
    const std::size_t last = static_cast<std::size_t>(indices.shape.rank() - 1);
    from[last] = index_at(indices, offset_of(to, dense_strides(indices.shape)));
    return from;
}

void run_take_along(const TakeAlong& args, KernelContext&) {
    take_if_inside(args.x, args.y, [&](const Index& to) { return along_source(args.indices, to); });
}

void run_take_along_backward(const TakeAlongBackward& args, KernelContext&) {
    add_back(args.dy, args.dx, [&](const Index& to) { return along_source(args.indices, to); });
}

void run_one_hot(const OneHot& args, KernelContext&) {
    const std::int64_t classes = args.y.shape.back();
    with_storage_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < args.y.elements(); ++i)
            args.y.as<T>()[i] = convert<T>(index_at(args.indices, i / classes) == i % classes ? 1.0 : 0.0);
    });
}

/// Registers an operation that takes every dtype.
template <class Args>
void add(KernelTable<Args>& table, void (*run)(const Args&, KernelContext&)) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Args&) { return Support::yes(); },
               .run = run});
}

/// Registers an operation that adds up.
template <class Args>
void add_sum(KernelTable<Args>& table, void (*run)(const Args&, KernelContext&)) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Args& args) { return float_or_double(args.dy.dtype); },
               .run = run});
}

}  // namespace

void add_reference(KernelTable<Permute>& table) { add(table, run_permute); }
void add_reference(KernelTable<Concat>& table) { add(table, run_concat); }
void add_reference(KernelTable<Split>& table) { add(table, run_split); }
void add_reference(KernelTable<Pad>& table) { add(table, run_pad); }
void add_reference(KernelTable<PadBackward>& table) { add_sum(table, run_pad_backward); }
void add_reference(KernelTable<Slice>& table) { add(table, run_slice); }
void add_reference(KernelTable<SliceBackward>& table) { add(table, run_slice_backward); }
void add_reference(KernelTable<BroadcastTo>& table) { add(table, run_broadcast_to); }
void add_reference(KernelTable<Gather>& table) { add(table, run_gather); }
void add_reference(KernelTable<GatherBackward>& table) { add_sum(table, run_gather_backward); }
void add_reference(KernelTable<TakeAlong>& table) { add(table, run_take_along); }
void add_reference(KernelTable<TakeAlongBackward>& table) { add_sum(table, run_take_along_backward); }
void add_reference(KernelTable<OneHot>& table) { add(table, run_one_hot); }

}  // namespace heddle::kernels
