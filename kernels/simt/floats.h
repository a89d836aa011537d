#pragma once

#include "kernels/simt/global.h"

// f32 numbers beside elements of a type that may be narrower: V of them in global memory, in accesses of up to 16
// bytes.
HEDDLE_KERNELS_BEGIN

template <int V>
__device__ inline void store_wide(float* to, const float (&value)[V]) {
    constexpr int part = V < 4 ? V : 4;
    HEDDLE_UNROLL
    for (int i = 0; i < V; i += part) {
        Vector<float, part> vector;
        HEDDLE_UNROLL
        for (int v = 0; v < part; ++v) vector[v] = value[i + v];
        store_vector_global(to + i, vector);
    }
}
template <int V>
__device__ inline void load_wide(const float* from, float (&value)[V]) {
    constexpr int part = V < 4 ? V : 4;
    HEDDLE_UNROLL
    for (int i = 0; i < V; i += part) {
        const Vector<float, part> vector = load_vector<part>(from + i);
        HEDDLE_UNROLL
        for (int v = 0; v < part; ++v) value[i + v] = vector[v];
    }
}

HEDDLE_KERNELS_END
