#include <algorithm>

#include "kernels/conv/native_tiles.h"
#include "kernels/conv/phases.h"

// dx [pixels, channels] = dy's windows [pixels, taps * outputs] times the filters [taps * outputs, channels], a product
// for each group and phase.
HEDDLE_KERNELS_BEGIN
namespace {

template <class T>
struct BackwardDataProblem {
    using Element = T;
    static constexpr bool a_along_k = true, b_along_k = false;
    static constexpr TileKinds kinds{.tall = true, .wide = false};
    GatherSource<T> a;
    FilterSource<T> b;
    TileOutput<T, PhaseRows> output;
    int k;
    ConvAxis vertical, horizontal;
    int pictures, group_outputs, group_channels;

    __host__ __device__ void turn_to(int phase_h, int phase_w) {
        const PhaseAxis down = phase_axis(vertical, phase_h), across = phase_axis(horizontal, phase_w);
        a.set_axes(down.gather, across.gather, pictures, group_outputs);
        b.first_tap_h = down.first_tap;
        b.tap_step_h = down.tap_step;
        b.first_tap_w = across.first_tap;
        b.tap_step_w = across.tap_step;
        b.by_outputs = a.by_channels;
        b.by_taps = a.by_taps;
        b.rows = k = a.columns;
        output.m = a.rows;
        output.rows.phase_h = phase_h;
        output.rows.phase_w = phase_w;
        output.rows.by_picture = a.by_picture;
        output.rows.by_width = a.by_width;
    }

    __device__ void select(int item) {
        const int phases = vertical.stride * horizontal.stride, group = item / phases, phase = item % phases;
        if (phases > 1) turn_to(phase / horizontal.stride, phase % horizontal.stride);
        a.data += static_cast<std::int64_t>(group) * group_outputs;
        b.data += static_cast<std::int64_t>(group) * group_outputs * b.filter;
        output.c += static_cast<std::int64_t>(group) * group_channels;
    }
};

template <class T>
BackwardDataProblem<T> problem_of(const Conv2dBackwardData& args) {
    const ConvExtents e(args);
    const auto axis = [&](std::size_t a, std::int64_t extent, std::int64_t out_extent, std::int64_t taps) {
        return ConvAxis{static_cast<int>(extent),
                        static_cast<int>(out_extent),
                        static_cast<int>(taps),
                        static_cast<int>(args.params.stride[a]),
                        static_cast<int>(args.params.dilation[a]),
                        static_cast<int>(args.params.padding[2 * a])};
    };
    const bool channel_vectors = e.group_channels % vector_width<T> == 0;
    BackwardDataProblem<T> problem{};
    problem.vertical = axis(0, e.height, e.out_height, e.kernel_height);
    problem.horizontal = axis(1, e.width, e.out_width, e.kernel_width);
    problem.pictures = static_cast<int>(e.pictures);
    problem.group_outputs = static_cast<int>(e.group_outputs);
    problem.group_channels = static_cast<int>(e.group_channels);
    problem.a.data = args.dy.as<const T>();
    problem.a.step = e.outputs;
    problem.a.vectors = e.group_outputs % vector_width<T> == 0 && is_aligned(args.dy.data);
    problem.b.data = args.w.as<const T>();
    problem.b.columns = problem.group_channels;
    problem.b.vectors = channel_vectors && is_aligned(args.w.data);
    problem.b.kernel_width = static_cast<int>(e.kernel_width);
    problem.b.filter = e.taps() * e.group_channels;
    problem.output.c = args.dx.as<T>();
    problem.output.n = problem.group_channels;
    problem.output.vectors = channel_vectors && is_aligned(args.dx.data);
    problem.output.rows.step = e.channels;
    problem.output.rows.height = problem.vertical.extent;
    problem.output.rows.width = problem.horizontal.extent;
    problem.output.rows.stride_h = problem.vertical.stride;
    problem.output.rows.stride_w = problem.horizontal.stride;
    problem.turn_to(0, 0);  // no phase has more pixels
    return problem;
}

/// The most taps that a phase has along an axis.
std::int64_t most_taps(const ConvAxis& axis) {
    int most = 0;
    for (int phase = 0; phase < axis.stride; ++phase) most = std::max(most, phase_axis(axis, phase).gather.taps);
    return most;
}

template <class T>
std::int64_t depth_of(const BackwardDataProblem<T>& problem) {
    return most_taps(problem.vertical) * most_taps(problem.horizontal) * problem.group_outputs;
}

std::int64_t items_of(const Conv2dBackwardData& args) {
    return args.params.groups * args.params.stride[0] * args.params.stride[1];
}

}  // namespace

std::size_t backward_data_tiles_workspace(const Conv2dBackwardData& args) {
    std::size_t bytes = 0;
    with_floating(args.dx.dtype, [&](auto zero) {
        const auto problem = problem_of<decltype(zero)>(args);
        bytes = products_workspace(problem, depth_of(problem), items_of(args));
    });
    return bytes;
}

void run_backward_data_tiles(const Conv2dBackwardData& args, KernelContext& context) {
    with_floating(args.dx.dtype, [&](auto zero) {
        const auto problem = problem_of<decltype(zero)>(args);
        run_products(problem, depth_of(problem), items_of(args), context);
    });
}

HEDDLE_KERNELS_END
