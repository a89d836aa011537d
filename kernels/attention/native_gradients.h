#pragma once

#include "kernels/attention/native_tile.h"

// What both ways back begin with.
HEDDLE_KERNELS_BEGIN

template <class T>
struct Gradients {
    const T* doutput;
    const float *log_sums, *through;  ///< [batch, heads, queries]; through: doutput · output
};

inline constexpr int product_rows = 4;  // of a block

/// A warp per row of [batch, queries, heads, size]. Floor: a and b read once.
template <class T>
__global__ void row_products(const T* a, const T* b, float* through, std::int64_t rows, std::int64_t queries, int heads,
                             int size) {
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * product_rows + threadIdx.y;
    if (row >= rows) return;  // whole warps: the kernel has no block-wide barrier
    float sum = 0;
    for (int c = static_cast<int>(threadIdx.x); c < size; c += warp_size)
        sum += to_f32(a[row * size + c]) * to_f32(b[row * size + c]);
    sum = warp_reduce(sum, Sum{});
    const std::int64_t head = row % heads, query = row / heads % queries, batch = row / heads / queries;
    if (threadIdx.x == 0) through[(batch * heads + head) * queries + query] = sum;
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
    const std::int64_t rows = e.batch * e.queries * e.heads;
    launch(row_products<T>, dim3(static_cast<unsigned>((rows + product_rows - 1) / product_rows)),
           dim3(warp_size, product_rows), 0, context, args.doutput.as<const T>(), args.output.as<const T>(), through,
           rows, e.queries, static_cast<int>(e.heads), static_cast<int>(e.value_size));
    return {args.doutput.as<const T>(), args.log_sums.as<const float>(), through};
}

HEDDLE_KERNELS_END
