#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>
#include <thrust/iterator/transform_output_iterator.h>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_segmented_reduce.cuh>

#include "kernels/cub.h"
#include "kernels/reduce/native_operators.h"
#include "kernels/reduce/plan.h"
#include "kernels/reduce/reduce.h"
#include "kernels/vendor.h"

// reduce by CUB, where that has a call for it: everything to one element (DeviceReduce), and dense rows that are worth
// a block each (DeviceSegmentedReduce). Sums are f32, in an order that depends on the extents, the alignment and the
// kind of GPU alone: CUB promises the same bits from run to run. The operators are the native kernels', so that a NaN
// wins.
HEDDLE_KERNELS_BEGIN
namespace {

/// A segmented reduction gives each row one block: shorter rows would leave most of its threads without work.
constexpr std::int64_t shortest_row = 1024;
/// From this length on a row is worth the whole GPU, one row after the other, if there are few of them.
constexpr std::int64_t long_row = 1 << 16, few_rows = 16;

struct Rows {
    std::int64_t count, length;
    bool one_by_one() const { return count == 1 || (count <= few_rows && length >= long_row); }
};

/// What a case comes down to: `count` = 0 where it is not a reduction of dense rows.
Rows rows_of(const Reduce& args) {
    const ReducePlan plan = plan_reduction(args.x.shape, args.axes);
    const std::int64_t outputs = plan.kept.count * (plan.inner_reduced ? 1 : plan.inner);
    if (outputs == 1) return {1, args.x.elements()};
    if (plan.inner_reduced && plan.reduced.rank == 0) return {outputs, plan.inner};
    return {0, 0};
}

/// From a sum to what is stored.
template <class T>
struct Finish {
    float divisor;
    __host__ __device__ T operator()(float value) const { return T(value / divisor); }
};

struct RowStart {
    std::int64_t length;
    __host__ __device__ std::int64_t operator()(std::int64_t row) const { return row * length; }
};

/// CUB's pair of calls: with `temporary` null only `bytes` is set.
template <class T, class Op>
cudaError_t reduce_rows(const Reduce& args, float divisor, void* temporary, std::size_t& bytes, cudaStream_t stream) {
    const Rows rows = rows_of(args);
    const T* x = args.x.as<const T>();
    const auto y = thrust::make_transform_output_iterator(args.y.as<T>(), Finish<T>{divisor});
    const float first = Op::identity;
    if (!rows.one_by_one()) {
        const auto start =
            thrust::make_transform_iterator(thrust::make_counting_iterator(std::int64_t{0}), RowStart{rows.length});
        return cub::DeviceSegmentedReduce::Reduce(temporary, bytes, x, y, rows.count, start, start + 1, Op{}, first,
                                                  stream);
    }
    for (std::int64_t row = 0; row < rows.count; ++row) {
        const cudaError_t error = cub::DeviceReduce::Reduce(temporary, bytes, x + row * rows.length, y + row,
                                                            rows.length, Op{}, first, stream);
        if (error != cudaSuccess || !temporary) return error;
    }
    return cudaSuccess;
}

cudaError_t reduce_any(const Reduce& args, void* temporary, std::size_t& bytes, cudaStream_t stream) {
    cudaError_t error = cudaSuccess;
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        if (args.op == ReduceOp::max)
            error = reduce_rows<T, Largest<float>>(args, 1, temporary, bytes, stream);
        else if (args.op == ReduceOp::min)
            error = reduce_rows<T, Smallest<float>>(args, 1, temporary, bytes, stream);
        else
            error = reduce_rows<T, Total<float>>(
                args, args.op == ReduceOp::mean ? static_cast<float>(rows_of(args).length) : 1, temporary, bytes,
                stream);
    });
    return error;
}

Support supports(const Reduce& args) {
    if (const Support support = floating(args.x.dtype); !support) return support;
    const Rows rows = rows_of(args);
    if (rows.count == 0) return Support::no("the axes are neither all nor the last ones: CUB reduces dense rows");
    if (rows.count > 1 && rows.length < shortest_row)
        return Support::no("rows of " + std::to_string(rows.length) +
                           " elements: CUB gives each a block, which pays from " + std::to_string(shortest_row) +
                           " on");
    return Support::yes();
}

std::size_t workspace_bytes(const Reduce& args) {
    return temporary_bytes("reduce", args.y.data,
                           [&](void* none, std::size_t& bytes) { return reduce_any(args, none, bytes, nullptr); });
}

void run(const Reduce& args, KernelContext& context) {
    std::size_t bytes = context.workspace_bytes;
    const cudaError_t error = reduce_any(args, context.workspace, bytes, stream_of(context));
    if (error != cudaSuccess) fail_launch(context, error);
}

}  // namespace

void register_cub_reduce() {
    reduce().add({.name = "cub",
                  .device = backend,
                  .priority = priority::fast,
                  .supports = supports,
                  .workspace_bytes = workspace_bytes,
                  .run = run});
}

HEDDLE_KERNELS_END
