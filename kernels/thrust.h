#pragma once

#include <thrust/execution_policy.h>
#include <thrust/system_error.h>

#include "kernels/cub.h"

// Thrust on a context's stream: it neither waits for the stream nor allocates, so that it can be captured.
HEDDLE_KERNELS_BEGIN

/// Of implementations that are there to be compared with, and used where they are asked for by name.
inline constexpr int below_native = priority::plain - 1;

/// What Thrust gets for its temporary arrays: the same piece of the workspace for each, one at a time.
class ThrustMemory {
  public:
    using value_type = char;

    ThrustMemory(void* memory, std::size_t bytes) : memory_(static_cast<char*>(memory)), bytes_(bytes) {}

    char* allocate(std::ptrdiff_t bytes) {
        if (taken_ || static_cast<std::size_t>(bytes) > bytes_)
            fail("Thrust asks for " + std::to_string(bytes) + " bytes of temporary memory, the workspace has " +
                 std::to_string(bytes_) + (taken_ ? ", and they are taken" : ""));
        taken_ = true;
        return memory_;
    }
    void deallocate(char*, std::size_t) { taken_ = false; }

  private:
    char* memory_;
    std::size_t bytes_;
    bool taken_ = false;
};

/// Calls `body(policy)`.
template <class Body>
void with_thrust(const KernelContext& context, ThrustMemory memory, const Body& body) {
    try {
        body(thrust::cuda::par_nosync(memory).on(stream_of(context)));
    } catch (const thrust::system_error& error) {
        fail_launch(context, static_cast<cudaError_t>(error.code().value()));
    }
}

HEDDLE_KERNELS_END
