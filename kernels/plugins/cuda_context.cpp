#include "core/check.h"
#include "core/driver/cuda/driver.h"
#include "kernels/simt/cuda.h"

// What launches ask the driver for.
HEDDLE_KERNELS_BEGIN

cudaStream_t stream_of(const KernelContext& context) {
    return ::heddle::cuda::cuda_driver(context.device).stream_for_launch(context.stream, context.operation);
}

void fail_launch(const KernelContext& context, cudaError_t error) {
    ::heddle::cuda::cuda_driver(context.device).errors().fail(error, context.operation);
}

HEDDLE_KERNELS_END
