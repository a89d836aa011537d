#include "kernels/conv/native_tiles.h"

// y [pixels, outputs] = x's windows [pixels, taps * channels] times the filters, a product for each group. Bias,
// residual and ReLU are the epilogue, which only reads the residual from memory, where a separate pass would also
// read y and write it again.
HEDDLE_KERNELS_BEGIN
namespace {

template <class T>
struct ForwardProblem {
    using Element = T;
    static constexpr bool a_along_k = true, b_along_k = true;
    static constexpr TileKinds kinds{.tall = true, .wide = false};
    GatherSource<T> a;
    MatrixSource<T> b;
    TileOutput<T, DenseRows> output;
    int k, group_channels;

    __device__ void select(int group) {
        a.data += static_cast<std::int64_t>(group) * group_channels;
        b.data += static_cast<std::int64_t>(group) * b.rows * b.step;
        output.select(group);
    }
};

template <class T>
ForwardProblem<T> problem_of(const Conv2dForward& args) {
    const ConvExtents e(args);
    const std::int64_t depth = e.taps() * e.group_channels;
    const bool vectors = e.group_outputs % vector_width<T> == 0 && is_aligned(args.y.data) &&
                         is_aligned(args.bias.data) && is_aligned(args.residual.data);
    return {.a = gather_windows(args.x.as<const T>(), e, args.params),
            .b = matrix_source(args.w.as<const T>(), e.group_outputs, depth, depth),
            .output = {.c = args.y.as<T>(),
                       .rows = {e.outputs},
                       .m = static_cast<int>(e.out_pixels()),
                       .n = static_cast<int>(e.group_outputs),
                       .vectors = vectors,
                       .bias = args.bias.as<const T>(),
                       .addend = args.residual.as<const T>(),
                       .relu = args.activation == FusedActivation::relu,
                       .c_step = e.group_outputs,
                       .bias_step = static_cast<int>(e.group_outputs)},
            .k = static_cast<int>(depth),
            .group_channels = static_cast<int>(e.group_channels)};
}

}  // namespace

std::size_t forward_tiles_workspace(const Conv2dForward& args) {
    std::size_t bytes = 0;
    with_floating(args.x.dtype, [&](auto zero) {
        const auto problem = problem_of<decltype(zero)>(args);
        bytes = products_workspace(problem, problem.k, args.params.groups);
    });
    return bytes;
}

void run_forward_tiles(const Conv2dForward& args, KernelContext& context) {
    with_floating(args.x.dtype, [&](auto zero) {
        const auto problem = problem_of<decltype(zero)>(args);
        run_products(problem, problem.k, args.params.groups, context);
    });
}

HEDDLE_KERNELS_END
