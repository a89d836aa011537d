#pragma once

#include <cstdint>

#include "kernels/table.h"
#include "kernels/view.h"

/// Recurrent layers over whole sequences [batch, time, features]. With x and h' the input and the state of a step, h
/// the state before it, W the input's weights and V the state's, b and d their biases, and * element by element:
///
///   relu, tanh   h' = f(W x + b + V h + d)                                               (Elman 1990)
///   lstm         i, f, o = sigmoid(W x + b + V h + d), g = tanh(W x + b + V h + d),
///                c' = f * c + i * g, h' = o * tanh(c')                                   (Hochreiter, Schmidhuber
///                1997)
///   gru          r, z = sigmoid(W x + b + V h + d), n = tanh(W x + b + r * (V h + d)),
///                h' = (1 - z) * n + z * h                                                (Cho et al. 2014, as in
///                cuDNN)
///
/// The rows of W, V, b and d are the gates one behind the other, in PyTorch's order: lstm i f g o, gru r z n. With
/// `lengths`, step t of a row counts only while t < lengths[row] (as PyTorch's packed sequences): beyond it y is 0 and
/// the state stays, so that the final state is that of the last valid step. `reverse` takes the steps from the last to
/// the first; y stays in the order of x.
///
/// All operands have one floating dtype, but for cell states, which are f32 where that has 16 bits.
namespace heddle::kernels {

enum class RnnCell : std::uint8_t { relu, tanh, lstm, gru };

constexpr std::int64_t gate_count(RnnCell cell) { return cell == RnnCell::lstm ? 4 : cell == RnnCell::gru ? 3 : 1; }

struct RnnForward {
    RnnCell cell = RnnCell::tanh;
    View x;                    ///< [batch, time, inputs]
    View weight_input;         ///< W: [gates * units, inputs]
    View weight_hidden;        ///< V: [gates * units, units]
    View bias_input = {};      ///< b: [gates * units]; absent: 0
    View bias_hidden = {};     ///< d: [gates * units]; absent: 0
    View initial_hidden = {};  ///< [batch, units]; absent: 0
    View initial_cell = {};    ///< [batch, units], lstm only; absent: 0
    View lengths = {};         ///< i32 [batch]; absent: every row has all steps
    bool reverse = false;
    View y;                ///< [batch, time, units]
    View hidden;           ///< [batch, units]: the final state
    View final_cell = {};  ///< [batch, units]: the final cell state; lstm only
    // Kept for the backward step; where a step does not count, the gates and the candidate are 0.
    View gates;               ///< [batch, time, gates * units]: the gates behind their functions
    View previous_hidden;     ///< [batch, time, units]: the state before each step
    View previous_cell = {};  ///< [batch, time, units]: the cell state before each step; lstm only
    View candidate = {};      ///< [batch, time, units]: V h + d of n; gru only

    auto members() const {
        return std::tie(cell, x, weight_input, weight_hidden, bias_input, bias_hidden, initial_hidden, initial_cell,
                        lengths, reverse, y, hidden, final_cell, gates, previous_hidden, previous_cell, candidate);
    }
};
HEDDLE_API KernelTable<RnnForward>& rnn_forward();

/// The gradients, from what the forward step was given and kept. Outputs that are absent are not wanted.
struct RnnBackward {
    RnnCell cell = RnnCell::tanh;
    View x;
    View weight_input;
    View weight_hidden;
    View lengths = {};
    bool reverse = false;
    View gates;
    View previous_hidden;
    View previous_cell = {};  ///< lstm only
    View candidate = {};      ///< gru only
    View dy = {};             ///< [batch, time, units]; absent: 0; ignored where a step does not count
    View dhidden = {};        ///< [batch, units], of the final state; absent: 0
    View dfinal_cell = {};    ///< [batch, units]; absent: 0
    View dx = {};
    View dweight_input = {};
    View dweight_hidden = {};
    View dbias_input = {};
    View dbias_hidden = {};
    View dinitial_hidden = {};
    View dinitial_cell = {};

    auto members() const {
        return std::tie(cell, x, weight_input, weight_hidden, lengths, reverse, gates, previous_hidden, previous_cell,
                        candidate, dy, dhidden, dfinal_cell, dx, dweight_input, dweight_hidden, dbias_input,
                        dbias_hidden, dinitial_hidden, dinitial_cell);
    }
};
HEDDLE_API KernelTable<RnnBackward>& rnn_backward();

}  // namespace heddle::kernels
