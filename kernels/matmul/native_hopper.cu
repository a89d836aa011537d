#include <limits>

#include "kernels/matmul/hopper.h"
#include "kernels/matmul/native_hopper.h"
#if defined(__CUDACC__)
#include "core/driver/cuda/devices.h"
#endif

HEDDLE_KERNELS_BEGIN
namespace {

/// Whether there is code for the GPU of this memory, and it has wgmma.
Support supports_device([[maybe_unused]] const void* data) {
#if defined(__CUDACC__)
#if !defined(HEDDLE_SM90A)  // cmake/HeddleCuda.cmake
    return Support::no("this build has no code for sm_90a (HEDDLE_CUDA_ARCHITECTURES)");
#else
    const int ordinal = heddle::cuda::ordinal_of(data);
    if (ordinal < 0) return Support::no("c does not lie in a GPU's memory");
    int major = 0, minor = 0;
    if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal) != cudaSuccess ||
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal) != cudaSuccess)
        return Support::no("the GPU does not tell its compute capability");
    if (major != 9 || minor != 0)
        return Support::no("compute capability " + std::to_string(major) + "." + std::to_string(minor) + " (only 9.0)");
#endif
#endif
    return Support::yes();
}

Support supports(const Matmul& args) {
    const DType dtype = args.c.dtype;
    if (dtype != DType::f16 && dtype != DType::bf16)
        return Support::no("dtype " + std::string(to_string(dtype)) + " (only f16 and bf16)");
    const MatmulExtentsFolded e(args);
    constexpr std::int64_t limit = std::numeric_limits<int>::max() - 1024;  // with a tile beyond, still an int
    if (e.m > limit || e.n > limit || e.k > limit || e.batch > limit)
        return Support::no("an extent of 2^31 or more, rows of the whole batch together");
    if (e.k == 0) return Support::no("an empty sum (k = 0)");
    const std::int64_t of_a = args.transpose_a ? e.m : e.k, of_b = args.transpose_b ? e.k : e.n;
    if (of_a % 8 != 0) return Support::no("rows of a of " + std::to_string(of_a) + " elements (no multiple of 8)");
    if (of_b % 8 != 0) return Support::no("rows of b of " + std::to_string(of_b) + " elements (no multiple of 8)");
    if (!is_aligned(args.a.data) || !is_aligned(args.b.data)) return Support::no("a or b is not aligned to 16 bytes");
    return supports_device(args.c.data);
}

void run(const Matmul& args, KernelContext& context) {
    args.c.dtype == DType::f16 ? run_hopper<__half>(args, context) : run_hopper<__nv_bfloat16>(args, context);
}

}  // namespace

void register_hopper_matmul() {
    matmul().add({.name = "native_hopper",
                  .device = backend,
                  .priority = priority::plain - 1,  // below `native` until it has been timed
                  .supports = supports,
                  .run = run});
}

HEDDLE_KERNELS_END
