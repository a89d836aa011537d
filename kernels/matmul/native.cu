#include <limits>

#include "kernels/matmul/column_sums.h"
#include "kernels/matmul/hopper.h"
#include "kernels/matmul/native_matmul.h"
#include "kernels/native_registry.h"

HEDDLE_KERNELS_BEGIN
namespace {

Support supports_matmul(const Matmul& args) {
    if (const Support support = floating(args.c.dtype); !support) return support;
    const MatmulExtentsFolded e(args);
    constexpr std::int64_t limit = std::numeric_limits<int>::max() - 1024;  // with a tile beyond, still an int
    if (e.m > limit || e.n > limit || e.k > limit || e.batch > limit)
        return Support::no("an extent of 2^31 or more, rows of the whole batch together");
    return Support::yes();
}

std::size_t matmul_workspace(const Matmul& args) {
    const MatmulExtentsFolded e(args);
    return matmul_plan(args, e).workspace_bytes(e.m, e.n, e.batch);
}

void run(const Matmul& args, KernelContext& context) {
    with_floating(args.c.dtype, [&](auto zero) { run_matmul<decltype(zero)>(args, context); });
}

template <class T>
ColumnSource<T> source_of(const BiasGradient& args) {
    const bool relu = args.activation == FusedActivation::relu;
    const bool store = args.masked && (relu || args.masked.data != args.dy.data);
    return {args.dy.as<const T>(), relu ? args.y.as<const T>() : nullptr, store ? args.masked.as<T>() : nullptr};
}

template <class T>
ColumnPlan plan_of(const BiasGradient& args) {
    const std::int64_t columns = args.dy.shape.back();
    return {columns > 0 ? args.dy.elements() / columns : 0, columns, column_width(source_of<T>(args), columns)};
}

std::size_t gradient_workspace(const BiasGradient& args) {
    std::size_t bytes = 0;
    if (args.dbias)
        with_floating(args.dy.dtype, [&](auto zero) { bytes = plan_of<decltype(zero)>(args).workspace_bytes(); });
    return bytes;
}

void run_gradient(const BiasGradient& args, KernelContext& context) {
    with_floating(args.dy.dtype, [&](auto zero) {
        using T = decltype(zero);
        const ColumnSource<T> source = source_of<T>(args);
        if (args.dbias || source.masked)
            launch_column_sums(source, args.dbias.as<T>(), plan_of<T>(args), static_cast<float*>(context.workspace),
                               context);
    });
}

}  // namespace

void register_matmul() {
    matmul().add({.name = "native",
                  .device = backend,
                  .priority = priority::plain,
                  .supports = supports_matmul,
                  .workspace_bytes = matmul_workspace,
                  .run = run});
    register_hopper_matmul();
    bias_gradient().add({.name = "native",
                         .device = backend,
                         .priority = priority::plain,
                         .supports = [](const BiasGradient& args) { return floating(args.dy.dtype); },
                         .workspace_bytes = gradient_workspace,
                         .run = run_gradient});
}

HEDDLE_KERNELS_END
