#include "kernels/bf16_memory.h"

#include "core/parallel.h"

namespace heddle::kernels {

HEDDLE_SIMD_CLONES void widen(const BFloat16* from, float* to, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) to[i] = load(from[i]);
}

HEDDLE_SIMD_CLONES void narrow(const float* from, BFloat16* to, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) store(to[i], from[i]);
}

}  // namespace heddle::kernels
