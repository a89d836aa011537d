#include "kernels/native_registry.h"
#include "kernels/reduce/native_kernels.h"
#include "kernels/reduce/plan.h"
#include "kernels/reduce/reduce.h"

// Which kernel reduces what: dense rows (the last axis), columns (the last axis stays), or anything else by strides.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr std::int64_t longest_short_row = 1024;  // elements that a warp takes, not a block
constexpr std::int64_t shortest_columns = 16;     // rows; fewer belong to single threads
constexpr std::int64_t wanted_blocks = 132 * 4, wanted_warps = wanted_blocks * 8;

enum class Way { short_rows, long_rows, columns, strided };

/// How a reduction is cut: a function of shape and dtype alone.
struct Cut {
    Way way = Way::strided;
    Axes kept, reduced;  // of rows: unused; of columns: without the last axis, which is `length`
    std::int64_t outputs = 1, count = 1;
    std::int64_t length = 1;  // of the last merged axis
    std::int64_t splits = 1, chunk = 1;
    int width = 1;

    std::size_t partials() const { return splits > 1 ? static_cast<std::size_t>(outputs * splits) : 0; }
};

Axes axes_of(const Walk& walk) {
    Axes axes;
    axes.rank = walk.rank;
    axes.count = walk.count;
    for (int axis = 0; axis < walk.rank; ++axis) {
        axes.extent[axis] = walk.extents[static_cast<std::size_t>(axis)];
        axes.stride[axis] = walk.strides[static_cast<std::size_t>(axis)];
    }
    return axes;
}

std::int64_t at_most(std::int64_t value, std::int64_t limit) { return value < limit ? value : limit; }
std::int64_t at_least(std::int64_t value, std::int64_t limit) { return value < limit ? limit : value; }
std::int64_t ratio_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

int vector_of(const View& x, std::int64_t length) {
    const int wide = 16 / static_cast<int>(size_of(x.dtype));
    return is_aligned(x.data) && length % wide == 0 ? wide : 1;
}

Cut cut_of(const View& x, std::uint32_t axes_mask) {
    const ReducePlan plan = plan_reduction(x.shape, axes_mask);
    Cut cut{.kept = axes_of(plan.kept), .reduced = axes_of(plan.reduced)};
    cut.length = plan.inner;
    cut.outputs = plan.kept.count * (plan.inner_reduced ? 1 : plan.inner);
    cut.count = plan.reduced.count * (plan.inner_reduced ? plan.inner : 1);
    if (plan.inner_reduced && plan.reduced.rank == 0) {
        cut.way = plan.inner <= longest_short_row ? Way::short_rows : Way::long_rows;
        if (cut.way == Way::long_rows) {
            const std::int64_t least = 16 * block_threads;  // elements that are worth a block
            const std::int64_t splits =
                at_least(at_most(wanted_blocks / at_least(cut.outputs, 1), plan.inner / least), 1);
            cut.chunk = ratio_up(ratio_up(plan.inner, splits), block_threads) * block_threads;
            cut.splits = ratio_up(plan.inner, cut.chunk);
        }
    } else if (!plan.inner_reduced && cut.count >= shortest_columns) {
        cut.way = Way::columns;
        cut.splits = column_tiles(plan.reduced.count, plan.inner / vector_of(x, plan.inner), plan.kept.count).splits;
    } else {
        Axes& with_last = plan.inner_reduced ? cut.reduced : cut.kept;
        with_last.extent[with_last.rank] = plan.inner;
        with_last.stride[with_last.rank++] = 1;
        with_last.count *= plan.inner;
        if (plan.inner_reduced) cut.width = lanes_for(cut.count);
        const std::int64_t least = 16 * cut.width;
        cut.splits = at_least(at_most(wanted_warps / at_least(cut.outputs, 1), cut.count / least), 1);
        cut.chunk = at_least(ratio_up(ratio_up(cut.count, cut.splits), cut.width) * cut.width, 1);
        cut.splits = at_least(ratio_up(cut.count, cut.chunk), 1);
    }
    return cut;
}

unsigned blocks_of_groups(std::int64_t tasks, int width) {
    return static_cast<unsigned>(ratio_up(tasks, block_threads / width));
}

template <class T, class Out, class Op>
void short_rows(const T* x, Out* y, std::int64_t rows, std::int64_t length, int V, float divisor,
                KernelContext& context) {
    const int width = lanes_for(length / V);
    const dim3 grid(blocks_of_groups(ratio_up(rows, rows_per_group), width));
    const auto kernel = V > 1 ? reduce_short_rows<T, Out, Op, vector_width<T>> : reduce_short_rows<T, Out, Op, 1>;
    launch(kernel, grid, dim3(block_threads), 0, context, x, y, rows, static_cast<int>(length), width, divisor);
}

template <class T, class Op>
void columns(const View& x, const Cut& cut, Accumulator<T>* partial, T* y, float divisor, KernelContext& context) {
    const int V = vector_of(x, cut.length);
    const ColumnTiles tiles = column_tiles(cut.reduced.count, cut.length / V, cut.kept.count);
    const auto kernel = V > 1 ? reduce_columns<T, T, Op, vector_width<T>> : reduce_columns<T, T, Op, 1>;
    launch(kernel, tiles.grid(cut.kept.count), dim3(column_block), 0, context, x.as<T>(), partial, y, tiles, cut.kept,
           cut.reduced, divisor);
}

template <class T, class Op>
void reduce_as(const View& x, T* y, const Cut& cut, float divisor, KernelContext& context) {
    using A = Accumulator<T>;
    A* partial = cut.splits > 1 ? static_cast<A*>(context.workspace) : nullptr;
    const T* from = x.as<T>();
    switch (cut.way) {
        case Way::short_rows:
            return short_rows<T, T, Op>(from, y, cut.outputs, cut.length, vector_of(x, cut.length), divisor, context);
        case Way::long_rows:
            launch(reduce_long_rows<T, Op>, dim3(static_cast<unsigned>(cut.outputs), static_cast<unsigned>(cut.splits)),
                   dim3(block_threads), 0, context, from, partial, y, cut.length, cut.chunk, divisor);
            break;
        case Way::columns:
            columns<T, Op>(x, cut, partial, y, divisor, context);
            break;
        case Way::strided:
            launch(reduce_strided<T, Op>, dim3(blocks_of_groups(cut.outputs * cut.splits, cut.width)),
                   dim3(block_threads), 0, context, from, partial, y, cut.kept, cut.reduced,
                   static_cast<int>(cut.splits), cut.chunk, cut.width, divisor);
            break;
    }
    if (!partial) return;
    if (cut.way != Way::columns) {
        short_rows<A, T, Op>(partial, y, cut.outputs, cut.splits, 1, divisor, context);
        return;
    }
    const ColumnTiles tiles = column_tiles(cut.splits, cut.outputs, 1, false);
    Axes rows;
    rows.rank = 1;
    rows.extent[0] = rows.count = cut.splits;
    rows.stride[0] = cut.outputs;
    launch(reduce_columns<A, T, Op, 1>, tiles.grid(), dim3(column_block), 0, context, partial, static_cast<A*>(nullptr),
           y, tiles, Axes{}, rows, divisor);
}

/// T: the elements; sums of integers wrap around as unsigned ones.
template <class T>
void reduce_typed(ReduceOp op, const View& x, const View& y, const Cut& cut, KernelContext& context) {
    if (op == ReduceOp::max) return reduce_as<T, Largest<Accumulator<T>>>(x, y.as<T>(), cut, 1, context);
    if (op == ReduceOp::min) return reduce_as<T, Smallest<Accumulator<T>>>(x, y.as<T>(), cut, 1, context);
    const float divisor = op == ReduceOp::mean ? static_cast<float>(cut.count) : 1;
    if constexpr (std::is_integral_v<T>) {
        using U = std::make_unsigned_t<T>;
        reduce_as<U, Total<U>>(x, y.as<U>(), cut, 1, context);
    } else {
        reduce_as<T, Total<float>>(x, y.as<T>(), cut, divisor, context);
    }
}

void reduce_over(ReduceOp op, const View& x, const View& y, std::uint32_t axes, KernelContext& context) {
    const Cut cut = cut_of(x, axes);
    if (x.dtype == DType::i32) return reduce_typed<std::int32_t>(op, x, y, cut, context);
    if (x.dtype == DType::i64) return reduce_typed<std::int64_t>(op, x, y, cut, context);
    with_floating(x.dtype, [&](auto zero) { reduce_typed<decltype(zero)>(op, x, y, cut, context); });
}

std::size_t workspace(const View& x, std::uint32_t axes) {
    return cut_of(x, axes).partials() * (x.dtype == DType::i64 ? 8 : 4);
}

/// The axes along which y was broadcast to x.
std::uint32_t reduced_axes(const ReduceToShape& args) {
    std::uint32_t axes = 0;
    const int missing = args.x.shape.rank() - args.y.shape.rank();
    for (int axis = 0; axis < args.x.shape.rank(); ++axis)
        if (axis < missing || args.y.shape[axis - missing] == 1) axes |= 1u << axis;
    return axes;
}

}  // namespace

void register_reduce() {
    reduce().add({.name = "native",
                  .device = backend,
                  .priority = priority::plain,
                  .supports = [](const Reduce& args) { return floating_or_integer(args.x.dtype); },
                  .workspace_bytes = [](const Reduce& args) { return workspace(args.x, args.axes); },
                  .run = [](const Reduce& args,
                            KernelContext& context) { reduce_over(args.op, args.x, args.y, args.axes, context); }});
    reduce_to_shape().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports = [](const ReduceToShape& args) { return floating(args.x.dtype); },
         .workspace_bytes = [](const ReduceToShape& args) { return workspace(args.x, reduced_axes(args)); },
         .run =
             [](const ReduceToShape& args, KernelContext& context) {
                 reduce_over(ReduceOp::sum, args.x, args.y, reduced_axes(args), context);
             }});
}

HEDDLE_KERNELS_END
