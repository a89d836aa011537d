#pragma once

#include <cstddef>

namespace heddle::kernels {

/// Outputs from this size on are written past the caches by the CPU kernels that wait for memory: what the next kernel
/// would still find in cache is worth less than what the writing costs (a cache reads a line before it is written).
/// Measured with batch norm on a core of an EPYC (1 MiB and 32 MiB of cache): with 8 MiB it takes two thirds of the
/// time, and with a reader after it no longer than through the caches; with 2 MiB that were in cache before, it and the
/// reader take a quarter longer.
inline constexpr std::size_t streamed_bytes = std::size_t{8} << 20;

/// Copies from the first cache to memory, past the caches where the processor has stores for that. After the last call
/// a thread must call `finish_stream`, before other threads may read.
void stream_out(const void* from, void* to, std::size_t bytes);
void finish_stream();

}  // namespace heddle::kernels
