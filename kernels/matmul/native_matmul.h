#pragma once

#include "kernels/matmul/extents.h"
#include "kernels/matmul/tile_plan.h"
#include "kernels/simt/native.h"

// Matmul by tiles, one file per dtype so that compilers work side by side.
HEDDLE_KERNELS_BEGIN

inline constexpr TileKinds matmul_kinds{.tall = true, .wide = true};

template <class T, bool transpose_a, bool transpose_b>
struct MatmulProblem {
    using Element = T;
    static constexpr bool a_along_k = !transpose_a, b_along_k = transpose_b;
    static constexpr TileKinds kinds = matmul_kinds;
    MatrixSource<T> a, b;
    TileOutput<T, DenseRows> output;
    int k;
    std::int64_t a_step, b_step;

    __device__ void select(int item) {
        a.data += item * a_step;
        b.data += item * b_step;
        output.select(item);
    }
};

template <class T, bool transpose_a, bool transpose_b>
MatmulProblem<T, transpose_a, transpose_b> matmul_problem(const Matmul& args, const MatmulExtentsFolded& e) {
    const bool vectors = e.n % vector_width<T> == 0 && is_aligned(args.c.data) && is_aligned(args.bias.data);
    return {.a = transpose_a ? matrix_source(args.a.as<const T>(), e.k, e.m, e.m)
                             : matrix_source(args.a.as<const T>(), e.m, e.k, e.k),
            .b = transpose_b ? matrix_source(args.b.as<const T>(), e.n, e.k, e.k)
                             : matrix_source(args.b.as<const T>(), e.k, e.n, e.n),
            .output = {.c = args.c.as<T>(),
                       .rows = {e.n},
                       .m = static_cast<int>(e.m),
                       .n = static_cast<int>(e.n),
                       .vectors = vectors,
                       .bias = args.bias.as<const T>(),
                       .alpha = args.alpha,
                       .addend = args.accumulate ? args.c.as<const T>() : nullptr,
                       .relu = args.activation == FusedActivation::relu,
                       .c_step = e.m * e.n},
            .k = static_cast<int>(e.k),
            .a_step = e.a_step,
            .b_step = e.b_step};
}

inline TilePlan matmul_plan(const Matmul& args, const MatmulExtentsFolded& e) {
    const auto width = static_cast<std::int64_t>(16 / size_of(args.c.dtype));
    const std::int64_t of_a = args.transpose_a ? e.m : e.k, of_b = args.transpose_b ? e.k : e.n;
    const bool vectors = of_a % width == 0 && of_b % width == 0 && is_aligned(args.a.data) && is_aligned(args.b.data);
    return {e.m,         e.n, e.k, e.batch, size_of(args.c.dtype), vectors && !(args.transpose_a && args.transpose_b),
            matmul_kinds};
}

template <class T>
void run_matmul(const Matmul& args, KernelContext& context) {
    const MatmulExtentsFolded e(args);
    const TilePlan plan = matmul_plan(args, e);
    const auto items = static_cast<int>(e.batch);
    if (!args.transpose_a && !args.transpose_b)
        run_tiles(matmul_problem<T, false, false>(args, e), items, plan, context);
    else if (!args.transpose_a)
        run_tiles(matmul_problem<T, false, true>(args, e), items, plan, context);
    else if (!args.transpose_b)
        run_tiles(matmul_problem<T, true, false>(args, e), items, plan, context);
    else  // nothing of a network's own needs it: one kernel is enough
        launch_tiles<GeneralTile<T>, false>(matmul_problem<T, true, true>(args, e), items, plan, context);
}

extern template void run_matmul<float>(const Matmul&, KernelContext&);
extern template void run_matmul<__half>(const Matmul&, KernelContext&);
extern template void run_matmul<__nv_bfloat16>(const Matmul&, KernelContext&);

HEDDLE_KERNELS_END
