#include "kernels/conv/native_tiles.h"

// dw [outputs, taps * channels] = dy transposed [outputs, pixels] times x's windows [pixels, taps * channels], a
// product for each group; split over the pixels where that alone fills the GPU.
HEDDLE_KERNELS_BEGIN
namespace {

template <class T>
struct BackwardWeightsProblem {
    using Element = T;
    static constexpr bool a_along_k = false, b_along_k = false;
    static constexpr TileKinds kinds{.tall = false, .wide = true};
    MatrixSource<T> a;
    GatherSource<T> b;
    TileOutput<T, DenseRows> output;
    int k, group_channels;

    __device__ void select(int group) {
        a.data += static_cast<std::int64_t>(group) * output.m;
        b.data += static_cast<std::int64_t>(group) * group_channels;
        output.select(group);
    }
};

template <class T>
BackwardWeightsProblem<T> problem_of(const Conv2dBackwardWeights& args) {
    const ConvExtents e(args);
    const std::int64_t filter = e.taps() * e.group_channels;
    return {.a = matrix_source(args.dy.as<const T>(), e.out_pixels(), e.group_outputs, e.outputs),
            .b = gather_windows(args.x.as<const T>(), e, args.params),
            .output = {.c = args.dw.as<T>(),
                       .rows = {filter},
                       .m = static_cast<int>(e.group_outputs),
                       .n = static_cast<int>(filter),
                       .vectors = filter % vector_width<T> == 0 && is_aligned(args.dw.data),
                       .c_step = e.group_outputs * filter},
            .k = static_cast<int>(e.out_pixels()),
            .group_channels = static_cast<int>(e.group_channels)};
}

}  // namespace

std::size_t backward_weights_tiles_workspace(const Conv2dBackwardWeights& args) {
    std::size_t bytes = 0;
    with_floating(args.x.dtype, [&](auto zero) {
        const auto problem = problem_of<decltype(zero)>(args);
        bytes = products_workspace(problem, problem.k, args.params.groups);
    });
    return bytes;
}

void run_backward_weights_tiles(const Conv2dBackwardWeights& args, KernelContext& context) {
    with_floating(args.x.dtype, [&](auto zero) {
        const auto problem = problem_of<decltype(zero)>(args);
        run_products(problem, problem.k, args.params.groups, context);
    });
}

HEDDLE_KERNELS_END
