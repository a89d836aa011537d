#pragma once

#include <algorithm>

#include "kernels/matmul/matmul.h"

namespace heddle::kernels {

/// The extents of one product of a Matmul, and the step in elements from one product of the batch to the next (0 where
/// an operand has no batch axes).
struct MatmulExtents {
    std::int64_t batch, m, n, k;
    std::int64_t a_step, b_step;

    explicit MatmulExtents(const Matmul& args) {
        const Shape &a = args.a.shape, &b = args.b.shape, &c = args.c.shape;
        batch = c.elements(0, c.rank() - 2);
        m = c[c.rank() - 2];
        n = c[c.rank() - 1];
        k = args.transpose_a ? a[a.rank() - 2] : a[a.rank() - 1];
        a_step = a.rank() > 2 ? m * k : 0;
        b_step = b.rank() > 2 ? k * n : 0;
    }
};

/// The products as a GPU runs them: where b serves a whole batch, the batch of a is more rows of one product.
struct MatmulExtentsFolded : MatmulExtents {
    explicit MatmulExtentsFolded(const Matmul& args) : MatmulExtents(args) {
        if (b_step == 0 && !args.transpose_a) {
            m *= batch;
            batch = 1;
        }
    }
};

}  // namespace heddle::kernels
