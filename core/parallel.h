#pragma once

#include <cstdint>

#include "core/export.h"

namespace heddle {

/// Heddle's CPU threads are OpenMP's (oneDNN shares them). `HEDDLE_THREADS`, else OpenMP's own default, says how many;
/// the host program's number of OpenMP threads is never changed.
HEDDLE_API int thread_count();
/// 0 goes back to the default.
HEDDLE_API void set_thread_count(int count);

/// While it lives, `thread_count()` is 1 on this thread, so that what it runs stays on it: for a thread that works
/// beside the training step and must not take its cores.
class HEDDLE_API SerialScope {
  public:
    SerialScope();
    ~SerialScope();
    SerialScope(const SerialScope&) = delete;
    SerialScope& operator=(const SerialScope&) = delete;
};

/// Flushes denormals to zero on this thread while it lives and restores the caller's floating-point mode. The worker
/// threads, which a host program's own OpenMP regions share, flush them from the first operation on.
class HEDDLE_API FlushDenormals {
  public:
    FlushDenormals();
    ~FlushDenormals();
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;

  private:
    unsigned saved_;
};

namespace detail {
/// Calls `part(context, index)` for index 0 .. parts - 1, each on a thread of its own (OpenMP stays out of this
/// header).
HEDDLE_API void run_parts(int parts, void (*part)(const void* context, int index), const void* context);
}  // namespace detail

/// Runs `body(first, last)` over [0, count) on the threads, in one contiguous part per thread (so results are the same
/// for the same thread count); a thread gets at least `grain` items, so small loops run on the caller alone.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) {
    const std::int64_t wanted = grain > 0 ? (count + grain - 1) / grain : count;
    const int parts = wanted > 1 ? static_cast<int>(wanted < thread_count() ? wanted : thread_count()) : 1;
    if (parts <= 1) {
        if (count > 0) body(std::int64_t{0}, count);
        return;
    }
    const auto part = [&](int index) { body(count * index / parts, count * (index + 1) / parts); };
    detail::run_parts(
        parts, [](const void* context, int index) { (*static_cast<const decltype(part)*>(context))(index); }, &part);
}

/// On a function (not a template or lambda): compiled for AVX-512, AVX2+FMA and the baseline; the loader picks. All it
/// inlines is vectorised with it. For the inner loop of a CPU kernel. Sanitizers cannot run its resolver: off there.
#if !defined(__x86_64__) || !defined(__GNUC__) || defined(__clang__) || defined(__SANITIZE_ADDRESS__) || \
    defined(__SANITIZE_THREAD__) || defined(HEDDLE_NO_CLONES)
#define HEDDLE_SIMD_CLONES
#elif defined(HEDDLE_NO_AVX512)
#define HEDDLE_SIMD_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define HEDDLE_SIMD_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
}  // namespace heddle
