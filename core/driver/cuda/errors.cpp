#include "core/driver/cuda/errors.h"

#include <algorithm>

#include "core/check.h"

namespace heddle::cuda {
namespace {

constexpr std::size_t most_named = 8;

std::string text_of(cudaError_t error) {
    return fmt::format("{} ({})", cudaGetErrorString(error), cudaGetErrorName(error));
}

}  // namespace

bool ends_process(cudaError_t error) {
    switch (error) {
        case cudaErrorIllegalAddress:
        case cudaErrorLaunchTimeout:
        case cudaErrorLaunchFailure:
        case cudaErrorAssert:
        case cudaErrorHardwareStackError:
        case cudaErrorIllegalInstruction:
        case cudaErrorMisalignedAddress:
        case cudaErrorInvalidAddressSpace:
        case cudaErrorInvalidPc:
        case cudaErrorECCUncorrectable:
        case cudaErrorNvlinkUncorrectable:
        case cudaErrorTensorMemoryLeak:
        case cudaErrorExternalDevice:
        case cudaErrorContained:
        case cudaErrorMpsClientTerminated:
            return true;
        default:
            return false;
    }
}

void ErrorLog::queued(StreamId stream, const char* operation) noexcept {
    const std::uint64_t position = next_.fetch_add(1, std::memory_order_acq_rel);
    Entry& entry = entries_[position % entries_.size()];
    entry.operation.store(operation, std::memory_order_relaxed);
    entry.stream.store(stream, std::memory_order_relaxed);
    entry.position.store(position, std::memory_order_release);
}

void ErrorLog::succeeded(StreamId stream, std::uint64_t position) {
    const std::lock_guard lock(mutex_);
    if (succeeded_.size() <= stream) succeeded_.resize(stream + 1);
    succeeded_[stream] = std::max(succeeded_[stream], position);
}

std::string ErrorLog::suspects() const {
    std::vector<const char*> names;  // newest first
    const std::uint64_t end = position(), count = std::min<std::uint64_t>(end, entries_.size());
    for (std::uint64_t i = 1; i <= count && names.size() < most_named; ++i) {
        const Entry& entry = entries_[(end - i) % entries_.size()];
        const StreamId stream = entry.stream;
        if (entry.position != end - i) continue;  // being written
        if (stream < succeeded_.size() && succeeded_[stream] > end - i) continue;
        if (std::find(names.begin(), names.end(), entry.operation.load()) == names.end())
            names.push_back(entry.operation);
    }
    if (names.empty()) return "nothing that Heddle queued is unfinished";
    if (names.size() == 1) return fmt::format("the operation was {}", names.front());
    std::reverse(names.begin(), names.end());
    return fmt::format("the operation was one of {} (newest last; CUDA_LAUNCH_BLOCKING=1 shows which)",
                       fmt::join(names, ", "));
}

void ErrorLog::fail(cudaError_t error, const std::string& call) {
    cudaGetLastError();  // so that a later call is not blamed for it
    check();
    if (!ends_process(error)) heddle::fail(fmt::format("{}: {}: {}", device_, call, text_of(error)));
    {
        const std::lock_guard lock(mutex_);
        if (ending_.empty())
            ending_ = fmt::format("{}: an operation failed on the GPU: {}; {}", device_, text_of(error), suspects());
        ended_.store(true, std::memory_order_release);
    }
    heddle::fail(fmt::format("{}. Found by {}; CUDA works again only in a new process", ending_, call));
}

void ErrorLog::fail_again() const {
    const std::lock_guard lock(mutex_);
    heddle::fail(fmt::format("{}. CUDA works again only in a new process", ending_));
}

}  // namespace heddle::cuda
