#pragma once

#include "kernels/attention/native_tile.h"
#include "kernels/simt/rows.h"

// The first step of both backward implementations.
HEDDLE_KERNELS_BEGIN

template <class T>
struct Gradients {
    const T* doutput;
    const float *log_sums, *through;  ///< [batch, heads, queries]; through: doutput · output
};

/// The products of the rows of two arrays [batch, queries, heads, size]. Floor: a and b read once.
template <class T, class Row>
__global__ void __launch_bounds__(Row::threads)
    row_products(const T* a, const T* b, float* through, std::int64_t queries, int heads, RowTiles tiles) {
    Row row(tiles);
    auto left = row.read(a), right = row.read(b);
    float sum = 0;
    for_columns(
        row, [&](auto, float x, float y) { sum += x * y; }, left, right);
    sum = row.reduce(sum, Sum{}, 0.0f);
    const std::int64_t head = row.row % heads, query = row.row / heads % queries, batch = row.row / heads / queries;
    if (row.leads()) through[(batch * heads + head) * queries + query] = sum;
}

inline std::size_t gradients_workspace(const AttentionBackward& args) {
    const AttentionExtents e(args);
    return static_cast<std::size_t>(e.batch * e.queries * e.heads) * sizeof(float);
}

/// Queues `row_products`, into the workspace.
template <class T>
Gradients<T> given_gradients(const AttentionBackward& args, KernelContext& context) {
    const AttentionExtents e(args);
    auto* const through = static_cast<float*>(context.workspace);
    const T *const doutput = args.doutput.as<const T>(), *const output = args.output.as<const T>();
    const RowPlan plan = plan_rows<T>(e.batch * e.queries * e.heads, e.value_size, 2, {doutput, output});
    with_row<T>(plan, [&](auto kind) {
        launch(row_products<T, typename decltype(kind)::type>, plan.grid, plan.block, plan.shared_bytes, context,
               doutput, output, through, e.queries, static_cast<int>(e.heads), plan.tiles);
    });
    return {args.doutput.as<const T>(), args.log_sums.as<const float>(), through};
}

HEDDLE_KERNELS_END
