#include "core/check.h"
#include "core/driver/cuda/driver.h"
#include "core/export.h"
#include "kernels/simt/cuda.h"

// What launches ask the driver for; exported, since plug-ins launch kernels too.
HEDDLE_KERNELS_BEGIN

HEDDLE_API cudaStream_t stream_of(const KernelContext& context) {
    return ::heddle::cuda::cuda_driver(context.device).stream_for_launch(context.stream, context.operation);
}

HEDDLE_API void fail_launch(const KernelContext& context, cudaError_t error) {
    ::heddle::cuda::cuda_driver(context.device).errors().fail(error, context.operation);
}

HEDDLE_KERNELS_END
