#include "core/check.h"
#include "core/driver/cuda/devices.h"
#include "core/driver/cuda/driver.h"
#include "core/driver/plugin.h"
#include "core/version.h"
#include "kernels/vendor.h"

// kernels/native_registry.h declares the simulator's kernels to this compiler; these are nvcc's.
namespace heddle::kernels::cuda {
void register_native_kernels();
}

// What libheddle_cuda exports.
namespace heddle::cuda {
namespace {

int count(std::string& why) {
    const Devices& found = devices();
    why = found.why;
    return static_cast<int>(found.ordinals.size());
}

std::string description(int index) { return describe(devices().ordinals.at(static_cast<std::size_t>(index))); }

std::unique_ptr<Driver> make_driver(int index) {
    return std::make_unique<CudaDriver>(index, devices().ordinals.at(static_cast<std::size_t>(index)));
}

std::vector<DeviceLibrary> libraries() {
#ifdef HEDDLE_CUDNN
    const DeviceLibrary cudnn = kernels::cuda::cudnn_status();
#else
    const DeviceLibrary cudnn{.name = "cuDNN", .why_missing = "this build leaves it out (CMake's output says why)"};
#endif
    return {kernels::cuda::cublaslt_status(), cudnn};
}

void register_kernels() {
    kernels::cuda::register_native_kernels();
    kernels::cuda::register_cublaslt_matmul();
    kernels::cuda::register_cub_reduce();
    kernels::cuda::register_cub_top_k();
    kernels::cuda::register_thrust_gather();
    kernels::cuda::register_thrust_permutation();
#ifdef HEDDLE_CUDNN
    kernels::cuda::register_cudnn();
#endif
}

constexpr detail::DevicePlugin plugin = {.abi = detail::plugin_abi,
                                         .version = HEDDLE_VERSION,
                                         .count = count,
                                         .description = description,
                                         .make_driver = make_driver,
                                         .libraries = libraries,
                                         .register_kernels = register_kernels};

}  // namespace
}  // namespace heddle::cuda

extern "C" HEDDLE_API const heddle::detail::DevicePlugin* heddle_device_plugin() { return &heddle::cuda::plugin; }
