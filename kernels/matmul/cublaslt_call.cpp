#include "kernels/matmul/cublaslt_call.h"

#include <limits>
#include <utility>

#include "core/check.h"
#include "kernels/matmul/extents.h"

namespace heddle::kernels::cublaslt {
namespace {

/// The row-major [rows, columns] as cuBLAS sees it: the same memory is its transpose in column-major order.
Matrix seen(std::int64_t rows, std::int64_t columns, std::int64_t step) { return {columns, rows, columns, step}; }

}  // namespace

Support supports_arguments(const Matmul& args) {
    const DType dtype = args.c.dtype;
    if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16)
        return Support::no(fmt::format("dtype {} (only f32, f16 and bf16)", to_string(dtype)));
    const MatmulExtentsFolded e(args);
    if (e.m == 0 || e.n == 0 || e.k == 0 || e.batch == 0)
        return Support::no("an extent of 0: cuBLASLt has no empty matrices");
    constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max();
    if (e.m > limit || e.n > limit || e.k > limit || e.batch > limit)
        return Support::no("an extent of 2^31 or more, rows of the whole batch together");
    if (args.alpha == 0)
        return Support::no("alpha = 0: BLAS leaves the product out, and its infinities and NaN with it");
    return Support::yes();
}

// Row-major c = op(a) op(b) is column-major c' = op(b)' op(a)', and the memory of a row-major matrix holds the
// column-major transpose: so a and b change places, and each keeps its flag. The bias belongs to the columns of c,
// which are the rows of c'.
Call call_for(const Matmul& args) {
    const MatmulExtentsFolded e(args);
    return {.a = args.transpose_b ? seen(e.n, e.k, e.b_step) : seen(e.k, e.n, e.b_step),
            .b = args.transpose_a ? seen(e.k, e.m, e.a_step) : seen(e.m, e.k, e.a_step),
            .d = seen(e.m, e.n, e.m * e.n),
            .a_data = args.b.data,
            .b_data = args.a.data,
            .d_data = args.c.data,
            .bias = args.bias ? args.bias.data : nullptr,
            .transpose_a = args.transpose_b,
            .transpose_b = args.transpose_a,
            .batch = e.batch,
            .dtype = args.c.dtype,
            .alpha = args.alpha,
            .beta = args.accumulate ? 1.0f : 0.0f};
}

}  // namespace heddle::kernels::cublaslt
