#pragma once

#include <cstdint>

#include "kernels/rnn/rnn.h"

namespace heddle::kernels {

/// One step of one row in f32, forward: pointers to its rows of the operands of `RnnForward`.
struct ForwardRow {
    const float* sums;       ///< W x + V h; gru: W x
    const float* of_state;   ///< gru: V h
    const float* bias;       ///< b + d; of gru's n only b, and d behind the gates
    float *hidden, *memory;  ///< the state: before, then behind the step (memory: lstm's cell state)
    float *gates, *previous_hidden, *previous_cell, *candidate, *y;
};
using ForwardStep = void (*)(const ForwardRow& row, std::int64_t units);
ForwardStep forward_step(RnnCell cell);

/// The same, backward.
struct BackwardRow {
    const float *gates, *previous_hidden, *previous_cell, *candidate, *dy;
    float *dhidden, *dmemory;  ///< of the state behind the step; then before it, but for what goes through V
    float* of_inputs;          ///< the gradients of W x + b
    float* of_states;          ///< those of V h + d, where they differ: gru
};
using BackwardStep = void (*)(const BackwardRow& row, std::int64_t units);
BackwardStep backward_step(RnnCell cell);

}  // namespace heddle::kernels
