#pragma once

#include <type_traits>

#include "kernels/rnn/rnn.h"
#include "kernels/simt/simt.h"

// The computation of one unit of one row in a step, forward and backward, after the products with the weights.
HEDDLE_KERNELS_BEGIN

/// The gates' functions as the mathematical library has them.
struct ExactFunctions {
    __device__ static float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
    __device__ static float tanh(float x) { return tanhf(x); }
};

/// With the GPU's fast exponential and reciprocal, four or five instructions each: errors below 1e-6, for results that
/// are rounded to 16 bits. For large arguments the exponential is infinite and the quotient 0.
struct FastFunctions {
    __device__ static float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }
    __device__ static float tanh(float x) { return 1.0f - __fdividef(2.0f, 1.0f + __expf(2.0f * x)); }
};

/// From sums[g] = (W x + b) and of_states[g] = (V h + d) to the gates, which take the place of the sums, and the state.
template <RnnCell cell, class Functions = ExactFunctions, int gates>
__device__ inline void advance(float (&sums)[gates], const float (&of_states)[gates], float& hidden, float& memory) {
    HEDDLE_UNROLL
    for (int g = 0; g < gates; ++g)
        if (cell != RnnCell::gru || g < 2) sums[g] += of_states[g];
    if constexpr (cell == RnnCell::relu) {
        hidden = sums[0] = sums[0] < 0 ? 0 : sums[0];
    } else if constexpr (cell == RnnCell::tanh) {
        hidden = sums[0] = Functions::tanh(sums[0]);
    } else if constexpr (cell == RnnCell::lstm) {
        sums[0] = Functions::sigmoid(sums[0]);
        sums[1] = Functions::sigmoid(sums[1]);
        sums[2] = Functions::tanh(sums[2]);
        sums[3] = Functions::sigmoid(sums[3]);
        memory = sums[1] * memory + sums[0] * sums[2];
        hidden = sums[3] * Functions::tanh(memory);
    } else {
        sums[0] = Functions::sigmoid(sums[0]);
        sums[1] = Functions::sigmoid(sums[1]);
        sums[2] = Functions::tanh(sums[2] + sums[0] * of_states[2]);
        hidden = (1 - sums[1]) * sums[2] + sums[1] * hidden;
    }
}

/// From d, the gradient of h', to those of the gates' sums; `dhidden` and `dmemory` become those before the step,
/// without the part that goes through V.
template <RnnCell cell, class Functions = ExactFunctions, int gates>
__device__ inline void retreat(const float (&gate)[gates], float before, float cell_before, float candidate, float d,
                               float (&of_inputs)[gates], float (&of_states)[gates], float& dhidden, float& dmemory) {
    dhidden = 0;
    if constexpr (cell == RnnCell::relu) {
        of_inputs[0] = gate[0] > 0 ? d : 0;
    } else if constexpr (cell == RnnCell::tanh) {
        of_inputs[0] = d * (1 - gate[0] * gate[0]);
    } else if constexpr (cell == RnnCell::lstm) {
        const float i = gate[0], f = gate[1], g = gate[2], o = gate[3];
        const float squashed = Functions::tanh(f * cell_before + i * g);
        const float dcell = dmemory + d * o * (1 - squashed * squashed);
        of_inputs[0] = dcell * g * i * (1 - i);
        of_inputs[1] = dcell * cell_before * f * (1 - f);
        of_inputs[2] = dcell * i * (1 - g * g);
        of_inputs[3] = d * squashed * o * (1 - o);
        dmemory = dcell * f;
    } else {
        const float r = gate[0], z = gate[1], n = gate[2], dn = d * (1 - z) * (1 - n * n);
        of_inputs[0] = dn * candidate * r * (1 - r);
        of_inputs[1] = d * (before - n) * z * (1 - z);
        of_inputs[2] = dn;
        dhidden = d * z;
    }
    HEDDLE_UNROLL
    for (int k = 0; k < gates; ++k)
        of_states[k] = cell == RnnCell::gru && k == 2 ? of_inputs[k] * gate[0] : of_inputs[k];
}

/// Calls `body(std::integral_constant<RnnCell, ...>)`.
template <class Body>
void with_cell(RnnCell cell, const Body& body) {
    switch (cell) {
        case RnnCell::relu:
            return body(std::integral_constant<RnnCell, RnnCell::relu>{});
        case RnnCell::tanh:
            return body(std::integral_constant<RnnCell, RnnCell::tanh>{});
        case RnnCell::lstm:
            return body(std::integral_constant<RnnCell, RnnCell::lstm>{});
        case RnnCell::gru:
            return body(std::integral_constant<RnnCell, RnnCell::gru>{});
    }
}

HEDDLE_KERNELS_END
