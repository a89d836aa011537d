#pragma once

// Barriers and fences (included by sim.h).
#include "kernels/simt/runtime.h"

inline void __syncthreads(heddle::simt::Location at = heddle::simt::Location::current()) {
    heddle::simt::block_barrier(false, at);
}
inline int __syncthreads_count(int predicate, heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::block_barrier(predicate != 0, at).count;
}
inline int __syncthreads_and(int predicate, heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::block_barrier(predicate != 0, at).all;
}
inline int __syncthreads_or(int predicate, heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::block_barrier(predicate != 0, at).any;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, heddle::simt::Location at = heddle::simt::Location::current()) {
    heddle::simt::warp_barrier(mask, at);
}

// One thread at a time runs on one core: what is left of a fence is that the compiler moves nothing across it.
inline void __threadfence_block(heddle::simt::Location at = heddle::simt::Location::current()) {
    heddle::simt::note_fence(false, at);
}
inline void __threadfence(heddle::simt::Location at = heddle::simt::Location::current()) {
    heddle::simt::note_fence(true, at);
}
inline void __threadfence_system(heddle::simt::Location at = heddle::simt::Location::current()) {
    heddle::simt::note_fence(true, at);
}
inline void __trap(heddle::simt::Location at = heddle::simt::Location::current()) {
    heddle::simt::fail(at, "__trap()");
}
