#pragma once

#include <cstdint>

#include "kernels/table.h"
#include "kernels/view.h"

/// Random tensors from Philox 4x32-10 (core/random.h). Element i is made from word i % 4 of block i / 4 of the stream,
/// so that results depend on nothing but the state and the index: not on threads, implementation or device. Uniforms,
/// masks and permutations agree in every bit; normals to the accuracy of logarithm and cosine.
namespace heddle::kernels {

/// The stream of one operation: `Generator::seed()` and `Generator::next()`.
struct RandomState {
    std::uint64_t seed = 0;
    std::uint64_t offset = 0;
    /// Added to `offset` where given, read when the kernel runs, in the memory of the device: what a captured graph
    /// advances between replays.
    const std::uint64_t* device_offset = nullptr;
};

/// y uniform in [low, high), in steps of (high - low) / 2^24; 16 bits are the f32 value rounded, but below high. y:
/// floating.
struct RandomUniform {
    RandomState state;
    double low = 0;
    double high = 1;
    View y;
};
HEDDLE_API KernelTable<RandomUniform>& random_uniform();

/// y normal (Box and Muller, on the words of a block in pairs; 5.77 deviations reach the farthest value). y: floating.
struct RandomNormal {
    RandomState state;
    double mean = 0;
    double deviation = 1;
    View y;
};
HEDDLE_API KernelTable<RandomNormal>& random_normal();

/// y normal under the condition that it lies within two deviations of the mean: the distribution that Keras obtains by
/// drawing again, here by the inverse of the distribution function. `deviation` is that of the normal before it is cut;
/// the result's is 0.8796 of it. y: floating.
struct RandomTruncatedNormal {
    RandomState state;
    double mean = 0;
    double deviation = 1;
    View y;
};
HEDDLE_API KernelTable<RandomTruncatedNormal>& random_truncated_normal();

/// y (i64, [n]) = a permutation of 0 .. n - 1 (Fisher and Yates; the bias of a choice among k is below k / 2^64).
struct RandomPermutation {
    RandomState state;
    View y;
};
HEDDLE_API KernelTable<RandomPermutation>& random_permutation();

/// mask = 1 with probability 1 - rate; y = x / (1 - rate) where mask is 1, else 0 (also for infinite x). 0 <= rate <= 1
/// (1 drops everything). x, y: one floating dtype; mask: u8, the same shape; y may be x.
struct DropoutForward {
    RandomState state;
    float rate = 0.5f;
    View x;
    View y;
    View mask;
};
HEDDLE_API KernelTable<DropoutForward>& dropout_forward();

/// dx = dy / (1 - rate) where mask is 1, else 0. dx may be dy.
struct DropoutBackward {
    float rate = 0.5f;
    View mask;
    View dy;
    View dx;
};
HEDDLE_API KernelTable<DropoutBackward>& dropout_backward();

}  // namespace heddle::kernels
