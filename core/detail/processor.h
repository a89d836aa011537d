#pragma once

/// What the processor can do. `-D HEDDLE_AVX512=OFF` builds a library that makes nothing of AVX-512, whatever the
/// processor has: the paths for others can so be tested and timed.
namespace heddle {

inline bool has_avx512() {
#if defined(HEDDLE_NO_AVX512) || !defined(__x86_64__)
    return false;
#else
    return __builtin_cpu_supports("avx512bw");  // and so with all that x86-64-v4 asks for
#endif
}

inline bool has_avx2() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

}  // namespace heddle
