#pragma once

#include <cstddef>

namespace heddle::kernels {

/// From this size on, memory-bound CPU kernels write their outputs past the caches: what the next kernel would still
/// find in cache is worth less than the cost of writing through it (a cache reads a line before it is written).
/// Measured with batch norm on a core of an EPYC (1 MiB and 32 MiB of cache): with 8 MiB it takes two thirds of the
/// time, and together with a subsequent reader no longer than through the caches; with 2 MiB that were in cache before,
/// both together take a quarter longer.
inline constexpr std::size_t streamed_bytes = std::size_t{8} << 20;

/// Copies from the first cache to memory, past the caches where the processor has stores for that. After the last call
/// a thread must call `finish_stream`, before other threads may read.
void stream_out(const void* from, void* to, std::size_t bytes);
void finish_stream();

}  // namespace heddle::kernels
