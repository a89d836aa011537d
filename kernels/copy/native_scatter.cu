#include <algorithm>
#include <limits>

#include "kernels/copy/copy.h"
#include "kernels/copy/native_indices.h"
#include "kernels/native_map.h"
#include "kernels/native_registry.h"

// gather_backward and take_along_backward without atomics and without a sort. A block owns some lines of dx, as sums in
// shared memory; it scans all indices in order, lists those that refer to its lines, and adds the lines of dy. Each sum
// belongs to one thread, which goes through the list: the order of the additions is that of the indices.
//
// The floor is the bytes of dy and dx. The indices are read once per block, elements of dx / block_sums times in all,
// from the L2 cache: little compared with dx if lines are long or the indices few, but most of the time if
// there are as many indices as dx has elements.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int block_threads = 256, block_warps = block_threads / warp_size;
constexpr int block_sums = 4096;     // 16 KiB: at most 4096 lines, at most 256 columns
constexpr int indices_a_thread = 4;  // 4 loads under way
constexpr int tile = block_threads * indices_a_thread;
constexpr int nobody = -1;

/// dx[o, e, c] = the sum of dy[o, j, c] where the j-th index of o is e.
struct Scatter {
    Indices indices;
    std::int64_t index_stride;  // from one o's indices to the next's; 0 where they share them
    std::int64_t outer, extent, inner, count;
    int lines, columns;  // of a block's part of dx
    int column_threads;  // a power of two, >= columns
};

/// Lists the indices `first` .. `first` + tile - 1 that lie in [low, low + lines): 2^12 * their place in the tile + the
/// line, in the order of the indices. Returns their number. All threads must call it; the list of a former call may be
/// in use until then, and a barrier must follow before this one's.
__device__ int list_matches(const Scatter& s, std::int64_t indices, std::int64_t first, std::int64_t low, int* list,
                            int* of_warp) {
    const int thread = static_cast<int>(threadIdx.x), warp = thread / warp_size, lane = thread % warp_size;
    // A warp looks at 128 neighbours, 32 at a time.
    int line[indices_a_thread];
    unsigned who[indices_a_thread];
    int found = 0;
    HEDDLE_UNROLL
    for (int k = 0; k < indices_a_thread; ++k) {
        const std::int64_t j = first + (warp * indices_a_thread + k) * warp_size + lane;
        const std::int64_t at = j < s.count ? s.indices[indices + j] - low : nobody;
        line[k] = at >= 0 && at < s.lines ? static_cast<int>(at) : nobody;
    }
    HEDDLE_UNROLL
    for (int k = 0; k < indices_a_thread; ++k) {
        who[k] = __ballot_sync(all_lanes, line[k] != nobody);
        found += __popc(who[k]);
    }
    if (lane == 0) of_warp[warp] = found;
    __syncthreads();
    int before = 0, total = 0;
    for (int w = 0; w < block_warps; ++w) {
        if (w < warp) before += of_warp[w];
        total += of_warp[w];
    }
    HEDDLE_UNROLL
    for (int k = 0; k < indices_a_thread; ++k) {
        const int place = before + __popc(who[k] & ((1u << lane) - 1));
        if (line[k] != nobody) list[place] = ((warp * indices_a_thread + k) * warp_size + lane) * block_sums + line[k];
        before += __popc(who[k]);
    }
    return total;
}

template <class T>
__global__ void __launch_bounds__(block_threads)
    scatter_lines(const T* __restrict__ dy, T* __restrict__ dx, const __grid_constant__ Scatter s) {
    HEDDLE_SHARED(float, sums, [block_sums]);
    HEDDLE_SHARED(int, list, [tile]);
    HEDDLE_SHARED(int, of_warp, [block_warps]);
    const std::int64_t parts_down = (s.extent + s.lines - 1) / s.lines,
                       parts_across = (s.inner + s.columns - 1) / s.columns;
    const int thread = static_cast<int>(threadIdx.x), own = thread & (s.column_threads - 1),
              group = thread / s.column_threads, groups = block_threads / s.column_threads;
    const std::int64_t part = blockIdx.x;
    const std::int64_t o = part / (parts_down * parts_across), low = part / parts_across % parts_down * s.lines,
                       left = part % parts_across * s.columns;
    const int columns = static_cast<int>(s.inner - left < s.columns ? s.inner - left : s.columns),
              lines = static_cast<int>(s.extent - low < s.lines ? s.extent - low : s.lines);
    for (int i = thread; i < block_sums; i += block_threads) sums[i] = 0;
    for (std::int64_t first = 0; first < s.count; first += tile) {
        const int found = list_matches(s, o * s.index_stride, first, low, list, of_warp);
        __syncthreads();
        const T* from = dy + (o * s.count + first) * s.inner + left + own;
        // This thread adds up column `own` of the lines whose number is `group` modulo `groups`. It has four loads in
        // flight.
        for (int n = 0; n < found && own < columns; n += 4) {
            float value[4];
            int to[4];
            HEDDLE_UNROLL
            for (int k = 0; k < 4; ++k) {
                const int entry = n + k < found ? list[n + k] : nobody, line = entry & (block_sums - 1);
                const bool mine = entry != nobody && (line & (groups - 1)) == group;
                to[k] = mine ? line * s.columns + own : nobody;
                value[k] = mine ? to_f32(from[entry / block_sums * s.inner]) : 0.0f;
            }
            HEDDLE_UNROLL
            for (int k = 0; k < 4; ++k)
                if (to[k] != nobody) sums[to[k]] += value[k];
        }
    }
    __syncthreads();
    for (int i = thread; i < lines * columns; i += block_threads) {
        const int line = i / columns, column = i - line * columns;
        dx[(o * s.extent + low + line) * s.inner + left + column] = from_f32<T>(sums[line * s.columns + column]);
    }
}

/// Decides on a block's part of dx; returns the number of parts.
std::int64_t cut(Scatter& s) {
    if (s.outer * s.extent * s.inner == 0) return 0;
    s.columns = static_cast<int>(std::min<std::int64_t>(s.inner, block_threads));
    for (s.column_threads = 1; s.column_threads < s.columns;) s.column_threads *= 2;
    s.lines = static_cast<int>(std::min<std::int64_t>(s.extent, block_sums / s.columns));
    return s.outer * ((s.extent + s.lines - 1) / s.lines) * ((s.inner + s.columns - 1) / s.columns);
}

void run_scatter(Scatter s, const View& dy, const View& dx, KernelContext& context) {
    const dim3 grid(static_cast<unsigned>(cut(s)));
    with_floating(dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(scatter_lines<T>, grid, dim3(block_threads), 0, context, dy.as<const T>(), dx.as<T>(), s);
    });
}

Scatter scatter_of(const GatherBackward& args) {
    const Shape& shape = args.dx.shape;
    return {.indices = Indices(args.indices),
            .index_stride = 0,
            .outer = shape.elements(0, args.axis),
            .extent = shape[args.axis],
            .inner = shape.elements(args.axis + 1, shape.rank()),
            .count = args.indices.elements(),
            .lines = 0,
            .columns = 0,
            .column_threads = 0};
}

void run_gather_backward(const GatherBackward& args, KernelContext& context) {
    run_scatter(scatter_of(args), args.dy, args.dx, context);
}

Support supports_gather_backward(const GatherBackward& args) {
    Scatter s = scatter_of(args);
    if (cut(s) > std::numeric_limits<std::int32_t>::max()) return Support::no("more than 2^31 - 1 blocks of lines");
    return floating(args.dx.dtype);
}

/// Where a row has few indices, each element of dx looks at all of them.
constexpr std::int64_t few_indices = 32;

template <class T>
struct TakenBack {
    const T* dy;
    Indices indices;
    Divisor64 extent;
    std::int64_t taken;  // indices a row

    bool allows(int) const { return true; }
    __device__ T at(std::int64_t i) const {
        const std::int64_t row = extent.divide(i), own = i - row * extent.divisor();
        float sum = 0;
        for (std::int64_t j = row * taken; j < (row + 1) * taken; ++j)
            if (indices[j] == own) sum += to_f32(dy[j]);
        return from_f32<T>(sum);
    }
    template <int width>
    __device__ Vector<T, width> read(std::int64_t i) const {
        return read_each<width>(*this, i);
    }
};

void run_take_along_backward(const TakeAlongBackward& args, KernelContext& context) {
    const std::int64_t taken = args.indices.shape.back(), extent = args.dx.shape.back();
    if (taken > few_indices)  // no GPU has memory for as many rows as a grid may have blocks
        return run_scatter({.indices = Indices(args.indices),
                            .index_stride = taken,
                            .outer = args.dx.shape.elements(0, args.dx.shape.rank() - 1),
                            .extent = extent,
                            .inner = 1,
                            .count = taken,
                            .lines = 0,
                            .columns = 0,
                            .column_threads = 0},
                           args.dy, args.dx, context);
    with_floating(args.dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        map<map_width<T>>(context, Same{}, args.dx.as<T>(), args.dx.elements(),
                          TakenBack<T>{args.dy.as<const T>(), Indices(args.indices), Divisor64(extent), taken});
    });
}

}  // namespace

void register_scatter() {
    gather_backward().add({.name = "native",
                           .device = backend,
                           .priority = priority::plain,
                           .supports = supports_gather_backward,
                           .run = run_gather_backward});
    take_along_backward().add({.name = "native",
                               .device = backend,
                               .priority = priority::plain,
                               .supports = [](const TakeAlongBackward& args) { return floating(args.dx.dtype); },
                               .run = run_take_along_backward});
}

HEDDLE_KERNELS_END
