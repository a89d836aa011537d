#include "core/driver/cuda/driver.h"

#include <algorithm>

#include "core/check.h"
#include "core/driver/cuda/current.h"
#include "core/driver/cuda/devices.h"
#include "core/driver/cuda/undisturbed.h"

namespace heddle::cuda {
namespace {

cudaMemcpyKind kind_of(CopyKind kind) {
    switch (kind) {
        case CopyKind::host_to_device:
            return cudaMemcpyHostToDevice;
        case CopyKind::device_to_host:
            return cudaMemcpyDeviceToHost;
        case CopyKind::device_to_device:
            return cudaMemcpyDefault;  // the other end may be on another GPU
    }
    return cudaMemcpyDefault;
}

}  // namespace

CudaDriver::CudaDriver(int index, int ordinal)
    : device_{DeviceKind::cuda, static_cast<std::int8_t>(index)}, ordinal_(ordinal), errors_(device_) {
    create_stream();  // number 0
}

std::string CudaDriver::description() const { return describe(ordinal_); }

void* CudaDriver::allocate(std::size_t bytes) {
    errors_.check();
    const Current current(ordinal_);
    const Undisturbed undisturbed;
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, std::max<std::size_t>(bytes, 1));
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        return nullptr;
    }
    errors_.check(error, "cudaMalloc");
    return memory;
}

// Functions that release something are called by destructors: after the device has failed they do nothing.
void CudaDriver::free(void* memory) {
    if (errors_.ended()) return;
    const Current current(ordinal_);
    const Undisturbed undisturbed;
    errors_.check(cudaFree(memory), "cudaFree");
}

void* CudaDriver::allocate_pinned(std::size_t bytes) {
    errors_.check();
    const Current current(ordinal_);
    const Undisturbed undisturbed;
    void* memory = nullptr;
    const cudaError_t error = cudaHostAlloc(&memory, std::max<std::size_t>(bytes, 1), cudaHostAllocPortable);
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        return nullptr;
    }
    errors_.check(error, "cudaHostAlloc");
    return memory;
}

void CudaDriver::free_pinned(void* memory) {
    if (errors_.ended()) return;
    const Undisturbed undisturbed;
    errors_.check(cudaFreeHost(memory), "cudaFreeHost");
}

std::size_t CudaDriver::total_memory() const {
    const Current current(ordinal_);
    std::size_t available = 0, total = 0;
    errors_.check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
    return total;
}

std::size_t CudaDriver::free_memory() const {
    const Current current(ordinal_);
    std::size_t available = 0, total = 0;
    errors_.check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
    return available;
}

void CudaDriver::copy(void* to, const void* from, std::size_t bytes, CopyKind kind, StreamId stream) {
    if (bytes == 0) return;
    const cudaStream_t queue = stream_for_launch(stream, "copy");
    errors_.check(cudaMemcpyAsync(to, from, bytes, kind_of(kind), queue), "cudaMemcpyAsync");
}

void CudaDriver::fill_zero(void* memory, std::size_t bytes, StreamId stream) {
    if (bytes == 0) return;
    const cudaStream_t queue = stream_for_launch(stream, "fill_zero");
    errors_.check(cudaMemsetAsync(memory, 0, bytes, queue), "cudaMemsetAsync");
}

void CudaDriver::launch(StreamId stream, const char* name, const std::function<void()>& work) {
    stream_for_launch(stream, name);
    work();
}

cudaStream_t CudaDriver::stream_for_launch(StreamId stream, const char* operation) {
    errors_.check();
    int current = -1;
    if (cudaGetDevice(&current) != cudaSuccess || current != ordinal_)
        errors_.check(cudaSetDevice(ordinal_), "cudaSetDevice");
    errors_.queued(stream, operation);
    return streams_.at(stream);
}

StreamId CudaDriver::create_stream() {
    errors_.check();
    const Current current(ordinal_);
    cudaStream_t stream = nullptr;
    errors_.check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return streams_.add(stream);
}

void CudaDriver::destroy_stream(StreamId stream) {
    if (errors_.ended()) return;
    synchronize(stream);
    const cudaStream_t handle = streams_.remove(stream);
    const std::lock_guard lock(lent_mutex_);
    if (lent_.erase(stream) == 0) errors_.check(cudaStreamDestroy(handle), "cudaStreamDestroy");
}

StreamId CudaDriver::lend_stream(void* native) {
    errors_.check();
    const auto handle = static_cast<cudaStream_t>(native);
    int ordinal = ordinal_;
    if (native) errors_.check(cudaStreamGetDevice(handle, &ordinal), "cudaStreamGetDevice");
    heddle::check(ordinal == ordinal_, "lend_stream: the stream belongs to CUDA's device {}, not to {} (device {})",
                  ordinal, device_, ordinal_);
    if (const std::int64_t known = streams_.find(handle); known >= 0) return static_cast<StreamId>(known);
    const StreamId stream = streams_.add(handle);
    const std::lock_guard lock(lent_mutex_);
    lent_.insert(stream);
    return stream;
}

void CudaDriver::synchronize(StreamId stream) {
    errors_.check();
    const std::uint64_t queued = errors_.position();
    errors_.check(cudaStreamSynchronize(streams_.at(stream)), "cudaStreamSynchronize");
    errors_.succeeded(stream, queued);
}

EventId CudaDriver::create_event() {
    errors_.check();
    const Current current(ordinal_);
    cudaEvent_t event = nullptr;
    errors_.check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    return events_.add(event);
}

void CudaDriver::destroy_event(EventId event) {
    if (errors_.ended()) return;
    errors_.check(cudaEventDestroy(events_.remove(event)), "cudaEventDestroy");
}

void CudaDriver::record(EventId event, StreamId stream) {
    errors_.check();
    errors_.check(cudaEventRecord(events_.at(event), streams_.at(stream)), "cudaEventRecord");
}

void CudaDriver::wait(StreamId stream, EventId event) {
    errors_.check();
    errors_.check(cudaStreamWaitEvent(streams_.at(stream), events_.at(event), cudaEventWaitDefault),
                  "cudaStreamWaitEvent");
}

bool CudaDriver::query(EventId event) {
    errors_.check();
    const Undisturbed undisturbed;
    const cudaError_t error = cudaEventQuery(events_.at(event));
    if (error == cudaErrorNotReady) {
        cudaGetLastError();
        return false;
    }
    errors_.check(error, "cudaEventQuery");
    return true;
}

EventId CudaDriver::create_timer() {
    errors_.check();
    const Current current(ordinal_);
    cudaEvent_t event = nullptr;
    errors_.check(cudaEventCreateWithFlags(&event, cudaEventDefault), "cudaEventCreateWithFlags");
    return events_.add(event);
}

double CudaDriver::seconds_between(EventId from, EventId to) {
    errors_.check();
    float milliseconds = 0;
    errors_.check(cudaEventElapsedTime(&milliseconds, events_.at(from), events_.at(to)), "cudaEventElapsedTime");
    return static_cast<double>(milliseconds) * 1e-3;
}

CudaDriver& cuda_driver(Device device) { return static_cast<CudaDriver&>(driver(device)); }

}  // namespace heddle::cuda
