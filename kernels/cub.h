#pragma once

#include <string>

#include "core/driver/cuda/current.h"
#include "core/driver/cuda/devices.h"
#include "core/error.h"
#include "kernels/simt/native.h"

// What the implementations by CUB and Thrust share. CUB's calls come in pairs: without temporary memory a call says how
// much it needs and does nothing, with it the call does the work. The answer depends on the GPU that is current, so
// that it can be had where there is one alone (else CUB says cudaErrorInvalidDevice).
HEDDLE_KERNELS_BEGIN

/// Answers of such calls are rounded up to this, which is what pieces of a workspace are aligned to.
inline constexpr std::size_t piece = 256;
constexpr std::size_t whole_pieces(std::size_t bytes) { return (bytes + piece - 1) / piece * piece; }

/// The temporary memory that `call(nullptr, bytes)` asks for on the GPU that `memory` lies in. For `workspace_bytes`,
/// which sees no device. Throws `Error` where CUB refuses.
template <class Call>
std::size_t temporary_bytes(const char* operation, const void* memory, const Call& call) {
    const int ordinal = ::heddle::cuda::ordinal_of(memory);
    if (ordinal < 0) fail(std::string(operation) + ": expected memory of a GPU");
    const ::heddle::cuda::Current current(ordinal);
    std::size_t bytes = 0;
    if (const cudaError_t error = call(nullptr, bytes); error != cudaSuccess)
        fail(std::string(operation) + ": CUB: " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")");
    return whole_pieces(bytes);
}

/// A workspace cut into pieces, from the front on.
class Pieces {
  public:
    explicit Pieces(const KernelContext& context)
        : next_(static_cast<char*>(context.workspace)), end_(next_ + context.workspace_bytes) {}

    template <class T>
    T* take(std::int64_t count) {
        T* memory = reinterpret_cast<T*>(next_);
        next_ += whole_pieces(static_cast<std::size_t>(count) * sizeof(T));
        if (next_ > end_) fail("a workspace is " + std::to_string(next_ - end_) + " bytes too small");
        return memory;
    }
    void* rest() const { return next_; }
    std::size_t rest_bytes() const { return static_cast<std::size_t>(end_ - next_); }

  private:
    char *next_, *end_;
};

HEDDLE_KERNELS_END
