#include "core/cuda.h"

#include "core/check.h"
#include "core/stream.h"

namespace heddle {

StreamId lend_cuda_stream(Device device, void* stream) {
    check(device.kind == DeviceKind::cuda, "lend_cuda_stream: expected a cuda device, got {}", device);
    const StreamId id = driver(device).lend_stream(stream);
    scheduler(device).lend(id);
    return id;
}

void return_cuda_stream(Device device, StreamId stream) {
    check(device.kind == DeviceKind::cuda, "return_cuda_stream: expected a cuda device, got {}", device);
    scheduler(device).take_back(stream);
}

void* cuda_stream(Device device, StreamId stream) {
    check(device.kind == DeviceKind::cuda, "cuda_stream: expected a cuda device, got {}", device);
    return driver(device).native_stream(stream);
}

}  // namespace heddle
