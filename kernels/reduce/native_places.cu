#include "kernels/native_registry.h"
#include "kernels/reduce/reduce.h"
#include "kernels/simt/columns.h"
#include "kernels/simt/native.h"

// The place of the largest or smallest element. x is [outer, length, inner]; every kernel reads it once: the floor is
// its bytes. For few outputs of many elements each, the elements are split: the first launch stores the best place of
// each split in the workspace, and a second launch of the same kernel compares those.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr std::int64_t longest_short_row = 1024;
constexpr int block_threads = 256;

template <class T>
__device__ inline auto number(T value) {
    if constexpr (std::is_integral_v<T>)
        return value;
    else
        return to_f32(value);
}

template <class A>
struct Candidate {
    A value;
    std::int64_t place;  // -1: no element
};

/// The better of two: a NaN before all numbers, of equal ones the lower place. The order in which candidates are
/// combined does not matter.
template <class A>
struct Better {
    bool max;

    __device__ Candidate<A> operator()(const Candidate<A>& a, const Candidate<A>& b) const {
        if (a.place < 0) return b;
        if (b.place < 0) return a;
        bool first_wins = a.place < b.place;
        const bool a_nan = is_nan(a.value), b_nan = is_nan(b.value);
        if (a_nan != b_nan)
            first_wins = a_nan;
        else if (a.value > b.value)
            first_wins = max;
        else if (a.value < b.value)
            first_wins = !max;
        return first_wins ? a : b;
    }
    __device__ static bool is_nan(A value) {
        if constexpr (std::is_integral_v<A>)
            return false;
        else
            return value != value;
    }
};

/// Short dense rows (inner = 1): `width` lanes each.
template <class T>
__global__ void places_in_short_rows(const T* x, std::int64_t* y, std::int64_t rows, int length, int width, bool max) {
    using A = decltype(number(T{}));
    const Better<A> better{max};
    const int lane = static_cast<int>(threadIdx.x) % width;
    const std::int64_t row =
        static_cast<std::int64_t>(blockIdx.x) * (block_threads / width) + static_cast<int>(threadIdx.x) / width;
    Candidate<A> best{A{}, -1};
    if (row < rows)
        for (int i = lane; i < length; i += width) best = better(best, {number(x[row * length + i]), i});
    for (int offset = width / 2; offset > 0; offset /= 2)
        best = better(best,
                      {__shfl_xor_sync(all_lanes, best.value, offset), __shfl_xor_sync(all_lanes, best.place, offset)});
    if (lane == 0 && row < rows) y[row] = best.place;
}

/// Columns, and long rows as columns of width 1. With `candidates` [rows of the tiles, outputs] the places to look at
/// come from there. y: [splits, outputs].
template <class T>
__global__ void places_in_columns(const T* x, const std::int64_t* candidates, std::int64_t* y, ColumnTiles tiles,
                                  std::int64_t length, std::int64_t inner, bool max) {
    using A = decltype(number(T{}));
    const Better<A> better{max};
    const ColumnPlace place = column_place(tiles, blockIdx.x % tiles.tiles, blockIdx.y);
    const std::int64_t outputs = gridDim.x / tiles.tiles * tiles.units;
    const std::int64_t output = blockIdx.x / tiles.tiles * tiles.units + place.unit;
    x += output / inner * length * inner + output % inner;
    Candidate<A> best[1] = {{A{}, -1}};
    for (std::int64_t row = place.first; row < place.last; row += tiles.lanes) {
        const std::int64_t at = candidates ? candidates[row * outputs + output] : row;
        best[0] = better(best[0], {number(x[at * inner]), at});
    }
    reduce_lanes(best, tiles, place, better);
    if (place.leads) y[blockIdx.y * outputs + output] = best[0].place;
}

/// x as [outer, length, inner].
struct Extents {
    std::int64_t outer, length, inner;
};

Extents extents(const ArgReduce& args) {
    const Shape& shape = args.x.shape;
    return {shape.elements(0, args.axis), shape[args.axis], shape.elements(args.axis + 1, shape.rank())};
}

bool has_short_rows(const Extents& e) { return e.inner == 1 && e.length <= longest_short_row; }

ColumnTiles tiles_of(const Extents& e) { return column_tiles(e.length, e.inner, e.outer); }

std::size_t workspace(const ArgReduce& args) {
    const Extents e = extents(args);
    const unsigned splits = has_short_rows(e) ? 1 : tiles_of(e).splits;
    return splits > 1 ? static_cast<std::size_t>(splits * e.outer * e.inner) * sizeof(std::int64_t) : 0;
}

template <class T>
void find_places(const ArgReduce& args, KernelContext& context) {
    const Extents e = extents(args);
    const T* x = args.x.as<T>();
    auto* y = args.y.as<std::int64_t>();
    if (has_short_rows(e)) {
        int width = 1;
        while (width < warp_size && width < e.length) width *= 2;
        const std::int64_t groups = block_threads / width;
        launch(places_in_short_rows<T>, dim3(static_cast<unsigned>((e.outer + groups - 1) / groups)),
               dim3(block_threads), 0, context, x, y, e.outer, static_cast<int>(e.length), width, args.max);
        return;
    }
    const ColumnTiles tiles = tiles_of(e);
    const bool split = tiles.splits > 1;
    auto* candidates = static_cast<std::int64_t*>(context.workspace);
    launch(places_in_columns<T>, tiles.grid(e.outer), dim3(column_block), 0, context, x,
           static_cast<const std::int64_t*>(nullptr), split ? candidates : y, tiles, e.length, e.inner, args.max);
    if (!split) return;
    const ColumnTiles second = column_tiles(tiles.splits, e.outer * e.inner, 1, false);
    launch(places_in_columns<T>, second.grid(), dim3(column_block), 0, context, x, candidates, y, second, e.length,
           e.inner, args.max);
}

void run(const ArgReduce& args, KernelContext& context) {
    if (args.x.dtype == DType::i32) return find_places<std::int32_t>(args, context);
    if (args.x.dtype == DType::i64) return find_places<std::int64_t>(args, context);
    with_floating(args.x.dtype, [&](auto zero) { find_places<decltype(zero)>(args, context); });
}

}  // namespace

void register_arg_reduce() {
    arg_reduce().add({.name = "native",
                      .device = backend,
                      .priority = priority::plain,
                      .supports = [](const ArgReduce& args) { return floating_or_integer(args.x.dtype); },
                      .workspace_bytes = workspace,
                      .run = run});
}

HEDDLE_KERNELS_END
