#pragma once

#include "core/tensor.h"
#include "kernels/rnn/rnn.h"

namespace heddle::ops {

using kernels::RnnCell;

struct RnnWeights {
    Tensor input;             ///< [gates * units, inputs]
    Tensor hidden;            ///< [gates * units, units]
    Tensor bias_input = {};   ///< [gates * units], or undefined
    Tensor bias_hidden = {};  ///< likewise
};

/// The state of a recurrent layer between steps, [batch, units]. Undefined: 0.
struct RnnState {
    Tensor hidden = {};
    Tensor cell = {};  ///< of RnnCell::lstm alone; f32 where the others have 16 bits
};

struct RnnOptions {
    bool reverse = false;  ///< from the last step to the first; the results stay in the order of x
    Tensor lengths = {};   ///< i32 [batch]: how many steps of each row count; undefined: all
};

struct RnnResult {
    Tensor y;        ///< [batch, time, units]
    RnnState state;  ///< behind the last step that counts
};

/// A recurrent layer over x [batch, time, inputs]. Formulas and the order of the gates: kernels/rnn/rnn.h (PyTorch's).
HEDDLE_API RnnResult rnn(RnnCell cell, const Tensor& x, const RnnWeights& weights, const RnnState& initial = {},
                         const RnnOptions& options = {});

}  // namespace heddle::ops
