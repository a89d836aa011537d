#include "kernels/cudnn/handles.h"

#include <cuda_runtime_api.h>

#include <map>
#include <memory>

#include "core/check.h"
#include "core/driver/cuda/current.h"
#include "core/driver/cuda/driver.h"
#include "core/driver/cuda/undisturbed.h"
#include "kernels/cudnn/library.h"

namespace heddle::cudnn {
namespace {

/// The handle of one stream, or that with which plans are made for a GPU.
struct Slot {
    std::mutex mutex;
    cudnnHandle_t handle = nullptr;
    cudaStream_t stream = nullptr;
};

std::mutex table_mutex;

cudnnHandle_t create(int ordinal) {
    const cuda::Current current(ordinal);
    const cuda::Undisturbed undisturbed;
    cudnnHandle_t handle = nullptr;
    library().check(library().create(&handle), "cudnnCreate");
    return handle;
}

template <class Key>
Slot& slot_of(const Key& key) {
    static auto& slots = *new std::map<Key, std::unique_ptr<Slot>>;
    const std::lock_guard lock(table_mutex);
    auto& slot = slots[key];
    if (!slot) slot = std::make_unique<Slot>();
    return *slot;
}

}  // namespace

int compute_capability(int ordinal) {
    int major = 0, minor = 0;
    const bool known = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal) == cudaSuccess &&
                       cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal) == cudaSuccess;
    check(known, "cuDNN: device {} does not tell its compute capability", ordinal);
    return major * 10 + minor;
}

PlanningHandle::PlanningHandle(int ordinal) {
    Slot& slot = slot_of(ordinal);
    lock_ = std::unique_lock(slot.mutex);
    if (!slot.handle) slot.handle = create(ordinal);
    handle_ = slot.handle;
}

StreamHandle::StreamHandle(const KernelContext& context) {
    cuda::CudaDriver& driver = cuda::cuda_driver(context.device);
    const cudaStream_t stream = driver.stream_for_launch(context.stream, context.operation);
    Slot& slot = slot_of(std::pair(context.device.index, context.stream));
    lock_ = std::unique_lock(slot.mutex);
    if (!slot.handle) slot.handle = create(driver.ordinal());
    if (slot.stream != stream) {  // new, or a lent stream's number was given out again
        library().check(library().set_stream(slot.handle, stream), "cudnnSetStream");
        slot.stream = stream;
    }
    handle_ = slot.handle;
}

}  // namespace heddle::cudnn
