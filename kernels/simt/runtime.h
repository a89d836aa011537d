#pragma once

// What the simulator's headers ask of its runtime: the host's half of the vocabulary (docs/simulator.md). Exported.
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <tuple>
#include <type_traits>

namespace heddle::simt {

/// A place in a kernel's source: the default argument of everything that can fail or wait.
using Location = std::source_location;

/// What is launched: the operation is for messages.
struct Launch {
    const char* operation = "";
    dim3 grid = {}, block = {};
    std::size_t shared_bytes = 0;  ///< of dynamic shared memory
};

/// Throws `Error` where a GPU would refuse the launch: too many threads, blocks or bytes.
void check_launch(const Launch& launch);

/// Runs every thread of a grid with `thread(call)`, and returns when all are done. Throws `Error` at the first thing
/// found wrong, with operation, place, block and thread.
void run_grid(const Launch& launch, void (*thread)(const void* call), const void* call);

template <class... Parameters>
void run_grid(const Launch& launch, void (*kernel)(Parameters...), const std::tuple<Parameters...>& arguments) {
    struct Call {
        void (*kernel)(Parameters...);
        const std::tuple<Parameters...>& arguments;
    };
    const Call call{kernel, arguments};
    run_grid(
        launch,
        [](const void* opaque) {
            const Call& each = *static_cast<const Call*>(opaque);
            std::apply(each.kernel, each.arguments);
        },
        static_cast<const void*>(&call));
}

/// Ends the grid with an `Error` that names the place, the block and the thread.
[[noreturn]] void fail(Location at, const std::string& message);

// Shared memory. ------------------------------------------------------------------------------------------------------

/// One HEDDLE_SHARED of a kernel.
struct SharedArray {
    const char* name;
    const char* file;
    int line;
};
/// The array's place in the running block; the same for all of its threads.
void* shared_array(const SharedArray& array, std::size_t bytes, std::size_t alignment);
void* shared_dynamic();

[[noreturn]] void fail_misaligned(const void* address, std::size_t bytes, Location at);
/// An access of `bytes` bytes at once needs an address that they divide.
inline void check_aligned(const void* address, std::size_t bytes, Location at = Location::current()) {
    if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0) [[unlikely]]
        fail_misaligned(address, bytes, at);
}

// Waiting for other threads. ------------------------------------------------------------------------------------------

/// What a barrier tells all threads about the predicates that they brought.
struct Votes {
    int count;
    bool all, any;
};
Votes block_barrier(bool predicate, Location at);

/// The operands of a warp's lanes in one collective.
inline constexpr std::size_t operand_bytes = 64;
struct alignas(64) Operands {
    unsigned char lane[32][operand_bytes];
};
/// Runs once, when all lanes are there; what it writes is what the lanes read.
using Combine = void (*)(Operands& operands);

/// Gives this lane's operand, waits for the other lanes of `mask` to give theirs in the same place, and returns them
/// all. Lanes that are not there give NaN. Valid until this lane's next collective but one.
const Operands& warp_exchange(unsigned mask, const void* operand, std::size_t bytes, const char* name, Location at,
                              Combine combine = nullptr);
/// Waits for the lanes of `mask`, and orders what they have written to memory.
void warp_barrier(unsigned mask, Location at);
unsigned lane_index();
[[noreturn]] void fail_width(int width, const char* name, Location at);

// Memory. -------------------------------------------------------------------------------------------------------------

/// cp.async: `bytes` of `to` are NaN until the copy's group is waited for.
void copy_async(void* to_shared, const void* from, unsigned bytes, bool wanted, Location at = Location::current());
void copy_async_commit(Location at = Location::current());
void copy_async_wait(unsigned groups, Location at = Location::current());

/// For the race detector: a fence before an atomic operation releases, one after it acquires (whole device, or block).
void note_fence(bool device, Location at = Location::current());
void note_atomic(void* address);

// Matrix products. ----------------------------------------------------------------------------------------------------

void matrix_multiply_add(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], bool half,
                         Location at = Location::current());

}  // namespace heddle::simt
