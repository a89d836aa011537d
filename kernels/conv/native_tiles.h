#pragma once

#include "kernels/conv/native_conv.h"
#include "kernels/matmul/tile_plan.h"

// The host's side of a convolution that is a tiled product, or `items` of them: one for each group and phase.
HEDDLE_KERNELS_BEGIN

/// `depth`: the most terms that a sum of one of the products has.
template <class Problem>
TilePlan plan_of(const Problem& problem, std::int64_t depth, std::int64_t items) {
    return {problem.output.m,
            problem.output.n,
            depth,
            items,
            sizeof(typename Problem::Element),
            problem.a.vectors && problem.b.vectors,
            Problem::kinds};
}

template <class Problem>
std::size_t products_workspace(const Problem& problem, std::int64_t depth, std::int64_t items) {
    return plan_of(problem, depth, items).workspace_bytes(problem.output.m, problem.output.n, items);
}

template <class Problem>
void run_products(const Problem& problem, std::int64_t depth, std::int64_t items, KernelContext& context) {
    run_tiles(problem, static_cast<int>(items), plan_of(problem, depth, items), context);
}

HEDDLE_KERNELS_END
