#include "core/driver/cuda/devices.h"

#include <charconv>
#include <cstdlib>

#include "core/check.h"

namespace heddle::cuda {
namespace {

std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

int attribute(cudaDeviceAttr which, int ordinal) {
    int value = 0;
    if (cudaDeviceGetAttribute(&value, which, ordinal) != cudaSuccess) value = 0;
    return value;
}

/// One entry of a list of architectures: "90a", "80-real", "80-virtual".
bool entry_runs_on(std::string_view entry, int major, int minor) {
    if (entry == "all" || entry == "all-major" || entry == "native") return true;
    int number = 0;
    const auto [end, error] = std::from_chars(entry.data(), entry.data() + entry.size(), number);
    if (error != std::errc()) return false;
    const std::string_view rest = entry.substr(static_cast<std::size_t>(end - entry.data()));
    const int own_major = number / 10, own_minor = number % 10;
    if (rest.starts_with('a')) return major == own_major && minor == own_minor;
    const bool binary = major == own_major && minor >= own_minor;
    if (rest.starts_with('f') || rest == "-real") return binary;
    return major > own_major || binary;
}

Devices find_devices() {
    Devices result;
    int count = 0;  // stays as it is where the call fails
    if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess || count == 0) {
        cudaGetLastError();
        int driver_version = 0;
        if (cudaDriverGetVersion(&driver_version) != cudaSuccess) driver_version = 0;
        result.why = why_no_device(error == cudaSuccess ? cudaErrorNoDevice : error, driver_version,
                                   std::getenv("CUDA_VISIBLE_DEVICES"));
        return result;
    }
    for (int ordinal = 0; ordinal < count; ++ordinal) {
        const int major = attribute(cudaDevAttrComputeCapabilityMajor, ordinal),
                  minor = attribute(cudaDevAttrComputeCapabilityMinor, ordinal);
        if (runs_on(HEDDLE_CUDA_ARCHITECTURES, major, minor)) {
            result.ordinals.push_back(ordinal);
        } else if (result.why.empty()) {
            result.why = fmt::format(
                "{}: this build has kernels for {} only; configure it with -DHEDDLE_CUDA_ARCHITECTURES={}{}",
                describe(ordinal), HEDDLE_CUDA_ARCHITECTURES, major, minor);
        }
    }
    return result;
}

}  // namespace

const Devices& devices() {
    static const Devices& found = *new Devices(find_devices());
    return found;
}

std::string describe(int ordinal) {
    cudaDeviceProp properties{};
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, ordinal); error != cudaSuccess)
        return fmt::format("GPU {} ({})", ordinal, cudaGetErrorString(error));
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    return fmt::format("{}, compute capability {}.{}, {:.1f} GiB, driver {}, runtime {}", properties.name,
                       properties.major, properties.minor, static_cast<double>(properties.totalGlobalMem) / (1 << 30),
                       version_text(driver), version_text(runtime));
}

int ordinal_of(const void* memory) {
    cudaPointerAttributes attributes{};
    if (cudaPointerGetAttributes(&attributes, memory) != cudaSuccess) {
        cudaGetLastError();
        return -1;
    }
    const bool on_gpu = attributes.type == cudaMemoryTypeDevice || attributes.type == cudaMemoryTypeManaged;
    return on_gpu ? attributes.device : -1;
}

std::string why_no_device(cudaError_t error, int driver_version, const char* visible) {
    const std::string built = version_text(CUDART_VERSION);
    switch (error) {
        case cudaErrorInsufficientDriver:
            if (driver_version == 0)
                return "no NVIDIA driver (libcuda.so.1 not found): install the driver for your GPU; this build needs "
                       "one for CUDA " +
                       built;
            return fmt::format("the NVIDIA driver is too old for CUDA {} (it supports up to {}): install a newer one",
                               built, version_text(driver_version));
        case cudaErrorNoDevice:
            if (visible)
                return fmt::format("no GPU is visible: CUDA_VISIBLE_DEVICES=\"{}\" hides them, or names none", visible);
            return "the NVIDIA driver is there, but finds no GPU: see nvidia-smi";
        case cudaErrorStubLibrary:
            return "libcuda.so.1 is the CUDA toolkit's stub, not the driver's: take its folder out of LD_LIBRARY_PATH";
        case cudaErrorSystemDriverMismatch:
            return "the NVIDIA driver in the kernel and libcuda.so.1 have different versions: restart the machine";
        case cudaErrorCompatNotSupportedOnDevice:
            return fmt::format("this GPU cannot use the forward-compatible driver: install a driver for CUDA {}",
                               built);
        case cudaErrorInitializationError:
            return "CUDA cannot start (after fork, CUDA works only in processes that have not used it before): " +
                   std::string(cudaGetErrorString(error));
        default:
            return fmt::format("{} ({}): see nvidia-smi", cudaGetErrorString(error), cudaGetErrorName(error));
    }
}

bool runs_on(std::string_view architectures, int major, int minor) {
    for (std::size_t start = 0; start < architectures.size();) {
        const std::size_t end = std::min(architectures.find_first_of(",;", start), architectures.size());
        if (entry_runs_on(architectures.substr(start, end - start), major, minor)) return true;
        start = end + 1;
    }
    return false;
}

}  // namespace heddle::cuda
