#include <algorithm>

#include "kernels/copy/copy.h"
#include "kernels/native_map.h"
#include "kernels/native_registry.h"

// concat and split: each part is a block of columns of the whole as a matrix. The parts of a launch travel in its
// arguments. The floor is 2 * bytes of the parts.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int parts_per_launch = 32;

struct alignas(16) Bytes16 {
    std::uint64_t low, high;
};

/// In units of the kernel's type.
struct Part {
    void* data;
    std::int64_t begin;  // its first column
    Divisor64 columns;
    std::int64_t count, vectors;
};

struct Parts {
    Part part[parts_per_launch];
    std::int64_t whole_columns;
};

/// Block y serves a part. The part is dense: a thread moves `width` neighbours of it, by one access on its side.
template <class T, bool into_whole>
__global__ void __launch_bounds__(map_threads) move_parts(T* whole, const __grid_constant__ Parts parts) {
    constexpr int width = map_width<T>;
    const Part& part = parts.part[blockIdx.y];
    T* data = static_cast<T*>(part.data);
    const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * map_threads + threadIdx.x,
                       threads = static_cast<std::int64_t>(gridDim.x) * map_threads, columns = part.columns.divisor();
    for (std::int64_t v = thread; v < part.vectors; v += threads) {
        std::int64_t row = part.columns.divide(v * width), column = v * width - row * columns;
        T* place[width];
        HEDDLE_UNROLL
        for (int k = 0; k < width; ++k) {
            place[k] = whole + row * parts.whole_columns + part.begin + column;
            if (++column == columns) column = 0, ++row;
        }
        Vector<T, width> values;
        if constexpr (into_whole) values = load_vector<width>(data + v * width);
        HEDDLE_UNROLL
        for (int k = 0; k < width; ++k) {
            if constexpr (into_whole)
                *place[k] = values[k];
            else
                values[k] = *place[k];
        }
        if constexpr (!into_whole) store_vector(data + v * width, values);
    }
    for (std::int64_t i = part.vectors * width + thread; i < part.count; i += threads) {
        const std::int64_t row = part.columns.divide(i), column = i - row * columns;
        T* place = whole + row * parts.whole_columns + part.begin + column;
        if constexpr (into_whole)
            *place = data[i];
        else
            data[i] = *place;
    }
}

template <class T, bool into_whole>
void run_units(const View& whole, const std::vector<View>& parts, int axis, std::int64_t rows, KernelContext& context) {
    const auto units = [&](const View& view) {
        return static_cast<std::int64_t>(view.shape.elements(axis, view.shape.rank()) * size_of(whole.dtype) /
                                         sizeof(T));
    };
    Parts chunk{.part = {}, .whole_columns = units(whole)};
    unsigned filled = 0;
    std::int64_t begin = 0, most = 0;
    const auto flush = [&] {
        launch(move_parts<T, into_whole>, dim3(blocks_for(most, map_threads), filled), dim3(map_threads), 0, context,
               whole.as<T>(), chunk);
        filled = 0, most = 0;
    };
    for (const View& view : parts) {
        const std::int64_t columns = units(view), count = rows * columns;
        if (view && count > 0) {
            const bool vectors = is_aligned(view.data, sizeof(T) * map_width<T>);
            Part& part = chunk.part[filled++];
            part = {view.data, begin, Divisor64(columns), count, vectors ? count / map_width<T> : 0};
            most = std::max(most, vectors ? (count + map_width<T> - 1) / map_width<T> : count);
        }
        begin += columns;
        if (filled == parts_per_launch) flush();
    }
    flush();
}

/// Moves as many bytes at once as divide all addresses and lines.
template <bool into_whole>
void run(const View& whole, const std::vector<View>& parts, int axis, KernelContext& context) {
    const std::int64_t rows = whole.shape.elements(0, axis);
    if (whole.elements() == 0) return;
    std::uintptr_t all = reinterpret_cast<std::uintptr_t>(whole.data);
    for (const View& part : parts) {
        all |= static_cast<std::uintptr_t>(part.shape.elements(axis, part.shape.rank())) * size_of(whole.dtype);
        if (part) all |= reinterpret_cast<std::uintptr_t>(part.data);
    }
    if (all % 16 == 0)
        run_units<Bytes16, into_whole>(whole, parts, axis, rows, context);
    else if (all % 8 == 0)
        run_units<std::uint64_t, into_whole>(whole, parts, axis, rows, context);
    else if (all % 4 == 0)
        run_units<std::uint32_t, into_whole>(whole, parts, axis, rows, context);
    else if (all % 2 == 0)
        run_units<std::uint16_t, into_whole>(whole, parts, axis, rows, context);
    else
        run_units<std::uint8_t, into_whole>(whole, parts, axis, rows, context);
}

}  // namespace

void register_join() {
    concat().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports = [](const Concat& args) { return movable(args.y.dtype); },
         .run = [](const Concat& args, KernelContext& context) { run<true>(args.y, args.parts, args.axis, context); }});
    split().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports = [](const Split& args) { return movable(args.x.dtype); },
         .run = [](const Split& args, KernelContext& context) { run<false>(args.x, args.parts, args.axis, context); }});
}

HEDDLE_KERNELS_END
