#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/copy/implementations.h"
#include "kernels/dispatch.h"
#include "kernels/element_types.h"
#include "kernels/expand.h"
#include "kernels/strides.h"

// Concatenation, slices, pads: runs of bytes, as long as the operation allows.
namespace heddle::kernels {
namespace {

constexpr std::int64_t copy_bytes = 1 << 18;  // worth a thread

/// Copies `rows` runs of `bytes` bytes; the steps are those from one run to the next.
void copy_rows(const char* from, std::int64_t from_step, char* to, std::int64_t to_step, std::int64_t rows,
               std::int64_t bytes) {
    if (bytes == 0) return;
    if (from_step == bytes && to_step == bytes) {
        parallel_for(rows * bytes, copy_bytes, [&](std::int64_t first, std::int64_t last) {
            std::memcpy(to + first, from + first, static_cast<std::size_t>(last - first));
        });
        return;
    }
    parallel_for(rows, copy_bytes / bytes + 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t row = first; row < last; ++row)
            std::memcpy(to + row * to_step, from + row * from_step, static_cast<std::size_t>(bytes));
    });
}

/// Bytes of one step along the axes before `axis`: the part of a shape that a concatenation copies in one run.
std::int64_t run_bytes(const View& view, int axis) {
    return view.shape.elements(axis, view.shape.rank()) * static_cast<std::int64_t>(size_of(view.dtype));
}

void run_concat(const Concat& args, KernelContext&) {
    const std::int64_t rows = args.y.shape.elements(0, args.axis), step = run_bytes(args.y, args.axis);
    char* to = args.y.as<char>();
    for (const View& part : args.parts) {
        const std::int64_t bytes = run_bytes(part, args.axis);
        copy_rows(part.as<char>(), bytes, to, step, rows, bytes);
        to += bytes;
    }
}

void run_split(const Split& args, KernelContext&) {
    const std::int64_t rows = args.x.shape.elements(0, args.axis), step = run_bytes(args.x, args.axis);
    const char* from = args.x.as<char>();
    for (const View& part : args.parts) {
        const std::int64_t bytes =
            part.shape.elements(args.axis, part.shape.rank()) * static_cast<std::int64_t>(size_of(args.x.dtype));
        if (part) copy_rows(from, step, part.as<char>(), bytes, rows, bytes);
        from += bytes;
    }
}

/// A strided box over a dense tensor: element (i, j, ...) lies at base + i * step[0] + j * step[1] + ...
struct Box {
    std::int64_t base = 0;
    Strides step{};
};

Box slice_box(const Shape& shape, const std::array<std::int64_t, Shape::max_rank>& starts,
              const std::array<std::int64_t, Shape::max_rank>& steps) {
    const Strides strides = dense_strides(shape);
    Box box;
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(shape.rank()); ++axis) {
        box.base += starts[axis] * strides[axis];
        box.step[axis] = steps[axis] * strides[axis];
    }
    return box;
}

/// Calls body(dense, boxed, count, step) for the rows of `shape`: `count` elements that lie dense at the one place and
/// `step` apart at the other.
template <class Body>
void for_rows(const Shape& shape, const Box& box, const Body& body) {
    if (shape.rank() == 0) return body(0, box.base, 1, 1);
    // Trailing axes that are dense in the box as well make one row.
    int axes = shape.rank();
    std::int64_t count = shape.back();
    const std::int64_t step = box.step[static_cast<std::size_t>(axes - 1)];
    while (axes > 1 && box.step[static_cast<std::size_t>(axes - 2)] == step * count) count *= shape[--axes - 1];
    const Shape outer = shape.range(0, axes - 1);
    parallel_for(outer.elements(), copy_bytes / 8 / std::max<std::int64_t>(count, 1) + 1,
                 [&](std::int64_t first, std::int64_t last) {
                     Index index = unravel(first, outer);
                     std::int64_t boxed = box.base + offset_of(index, box.step);
                     for (std::int64_t row = first; row < last; ++row) {
                         body(row * count, boxed, count, step);
                         for (std::size_t axis = static_cast<std::size_t>(outer.rank()); axis-- > 0;) {
                             boxed += box.step[axis];
                             if (++index[axis] < outer[static_cast<int>(axis)]) break;
                             boxed -= index[axis] * box.step[axis];
                             index[axis] = 0;
                         }
                     }
                 });
}

template <class T>
void read_box(const T* x, T* y, const Shape& shape, const Box& box) {
    for_rows(shape, box, [&](std::int64_t dense, std::int64_t boxed, std::int64_t count, std::int64_t step) {
        if (step == 1)
            std::copy_n(x + boxed, count, y + dense);
        else
            for (std::int64_t i = 0; i < count; ++i) y[dense + i] = x[boxed + i * step];
    });
}

template <class T>
void write_box(const T* x, T* y, const Shape& shape, const Box& box) {
    for_rows(shape, box, [&](std::int64_t dense, std::int64_t boxed, std::int64_t count, std::int64_t step) {
        if (step == 1)
            std::copy_n(x + dense, count, y + boxed);
        else
            for (std::int64_t i = 0; i < count; ++i) y[boxed + i * step] = x[dense + i];
    });
}

template <class T>
void fill(T* y, std::int64_t count, T value) {
    parallel_for(count, copy_bytes / static_cast<std::int64_t>(sizeof(T)),
                 [&](std::int64_t first, std::int64_t last) { std::fill(y + first, y + last, value); });
}

void run_slice(const Slice& args, KernelContext&) {
    if (args.y.elements() == 0) return;
    const Box box = slice_box(args.x.shape, args.starts, args.steps);
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        read_box(args.x.as<const T>(), args.y.as<T>(), args.y.shape, box);
    });
}

void run_slice_backward(const SliceBackward& args, KernelContext&) {
    const Box box = slice_box(args.dx.shape, args.starts, args.steps);
    with_bits_type(args.dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        if (args.dy.elements() < args.dx.elements()) fill(args.dx.as<T>(), args.dx.elements(), T{});
        if (args.dy.elements() > 0) write_box(args.dy.as<const T>(), args.dx.as<T>(), args.dy.shape, box);
    });
}

std::array<std::int64_t, Shape::max_rank> ones() {
    std::array<std::int64_t, Shape::max_rank> steps;
    steps.fill(1);
    return steps;
}

/// The place inside that the border's place `at` repeats.
std::int64_t mirrored(PadMode mode, std::int64_t at, std::int64_t before, std::int64_t extent) {
    const std::int64_t first = before, last = before + extent - 1;
    if (mode == PadMode::edge) return at < first ? first : last;
    return at < first ? 2 * first - at : 2 * last - at;
}

/// Fills the border of y along `axis` from its inside, which is complete along all later axes.
template <class T>
void mirror_axis(PadMode mode, T* y, const Shape& shape, int axis, std::int64_t before, std::int64_t extent) {
    const std::int64_t run = shape.elements(axis + 1, shape.rank()), whole = shape[axis],
                       outer = shape.elements(0, axis);
    if (before == 0 && extent == whole) return;
    parallel_for(outer, copy_bytes / 8 / std::max<std::int64_t>(whole * run, 1) + 1,
                 [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t o = first; o < last; ++o) {
                         T* slab = y + o * whole * run;
                         for (std::int64_t at = 0; at < whole; ++at) {
                             if (at >= before && at < before + extent) continue;
                             std::copy_n(slab + mirrored(mode, at, before, extent) * run, run, slab + at * run);
                         }
                     }
                 });
}

void run_pad(const Pad& args, KernelContext&) {
    const Shape &inside = args.x.shape, &outside = args.y.shape;
    const Box box = slice_box(outside, args.before, ones());
    with_storage_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        if (args.mode == PadMode::constant && inside.elements() < outside.elements())
            fill(args.y.as<T>(), outside.elements(), convert<T>(args.value));
        if (inside.elements() > 0) write_box(args.x.as<const T>(), args.y.as<T>(), inside, box);
        if (args.mode == PadMode::constant) return;
        // From the last axis to the first, each axis copies what the later ones have completed.
        for (int axis = outside.rank() - 1; axis >= 0; --axis)
            mirror_axis(args.mode, args.y.as<T>(), outside, axis, args.before[static_cast<std::size_t>(axis)],
                        inside[axis]);
    });
}

/// Adds the border of y along `axis` to the inside that it mirrors: what `mirror_axis` did, transposed.
void fold_axis(PadMode mode, float* y, const Shape& shape, int axis, std::int64_t before, std::int64_t extent) {
    const std::int64_t run = shape.elements(axis + 1, shape.rank()), whole = shape[axis],
                       outer = shape.elements(0, axis);
    if (before == 0 && extent == whole) return;
    parallel_for(outer, copy_bytes / 8 / std::max<std::int64_t>(whole * run, 1) + 1,
                 [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t o = first; o < last; ++o) {
                         float* slab = y + o * whole * run;
                         for (std::int64_t at = 0; at < whole; ++at) {
                             if (at >= before && at < before + extent) continue;
                             const float* border = slab + at * run;
                             float* inside = slab + mirrored(mode, at, before, extent) * run;
                             for (std::int64_t i = 0; i < run; ++i) inside[i] += border[i];
                         }
                     }
                 });
}

template <class T>
void pad_backward_in(const PadBackward& args, void* workspace) {
    const Shape& outside = args.dy.shape;
    const T* dy = args.dy.as<const T>();
    if (args.mode != PadMode::constant) {
        float* folded = static_cast<float*>(workspace);
        std::transform(dy, dy + outside.elements(), folded, [](T value) { return load(value); });
        for (int axis = 0; axis < outside.rank(); ++axis)
            fold_axis(args.mode, folded, outside, axis, args.before[static_cast<std::size_t>(axis)],
                      args.dx.shape[axis]);
        if constexpr (std::is_same_v<T, float>) {
            dy = folded;
        } else {
            T* result = reinterpret_cast<T*>(folded + outside.elements());
            narrow(folded, result, outside.elements());
            dy = result;
        }
    }
    read_box(dy, args.dx.as<T>(), args.dx.shape, slice_box(outside, args.before, ones()));
}

void run_pad_backward(const PadBackward& args, KernelContext& context) {
    if (args.dx.elements() == 0) return;
    with_f32_or_bf16(args.dy.dtype, [&](auto zero) { pad_backward_in<decltype(zero)>(args, context.workspace); });
}

void run_broadcast_to(const BroadcastTo& args, KernelContext&) {
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        if (args.x.elements() == 1) return fill(args.y.as<T>(), args.y.elements(), *args.x.as<T>());
        const Expanded<T> x(args.x, args.y.shape);
        parallel_for(
            args.y.elements(), copy_bytes / static_cast<std::int64_t>(sizeof(T)),
            [&](std::int64_t first, std::int64_t last) { x.write(first, last - first, args.y.as<T>() + first); });
    });
}

template <class Args>
void add(KernelTable<Args>& table, void (*run)(const Args&, KernelContext&)) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const Args&) { return Support::yes(); },
               .run = run});
}

}  // namespace

void add_cpu(KernelTable<Concat>& table) { add(table, run_concat); }
void add_cpu(KernelTable<Split>& table) { add(table, run_split); }
void add_cpu(KernelTable<Pad>& table) { add(table, run_pad); }
void add_cpu(KernelTable<Slice>& table) { add(table, run_slice); }
void add_cpu(KernelTable<SliceBackward>& table) { add(table, run_slice_backward); }
void add_cpu(KernelTable<BroadcastTo>& table) { add(table, run_broadcast_to); }

void add_cpu(KernelTable<PadBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const PadBackward& args) { return f32_or_bf16(args.dy.dtype); },
               .workspace_bytes = [](const PadBackward& args) -> std::size_t {
                   if (args.mode == PadMode::constant) return 0;
                   const std::size_t each = args.dy.dtype == DType::f32 ? sizeof(float) : sizeof(float) + 2;
                   return static_cast<std::size_t>(args.dy.elements()) * each;
               },
               .run = run_pad_backward});
}

}  // namespace heddle::kernels
