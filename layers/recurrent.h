#pragma once

#include <cstdint>
#include <string>

#include "layers/activation.h"
#include "layers/initializer.h"
#include "layers/layer.h"

// Recurrent layers over sequences [batch, time, features]. Weights have PyTorch's names and layouts: weight_ih_l0
// [gates units, features], weight_hh_l0 [gates units, units], bias_ih_l0, bias_hh_l0; gates lstm i f g o, gru r z n.
//
// If the input carries a mask (from Masking, or an Embedding with `mask_zero`), masked steps are skipped wherever they
// occur: their outputs are 0, and the last output and the state are those of the last step that counts. With `masked`
// the last input is the mask instead, [batch, time]: nonzero in the steps of each row's sequence, and 0 after its
// end.
namespace heddle {

struct SimpleRNNOptions {
    ActivationKind activation = Activation::tanh;  ///< or relu
    bool use_bias = true;
    bool return_sequences = false;  ///< every step's output [batch, time, units] instead of the last one [batch, units]
    bool return_state = false;      ///< one more output, the final state [batch, units]
    bool go_backwards = false;      ///< from the last step to the first; outputs stay in the order of the input
    bool masked = false;            ///< the last input says which steps count, as above
    Initializer kernel_initializer = Initializer::glorot_uniform;
    Initializer recurrent_initializer = Initializer::orthogonal;
    std::string name = {};
};

/// h' = f(W x + b + V h + d) (Elman 1990). Inputs {x}, or {x, initial state}; with `masked` one more.
class HEDDLE_API SimpleRNN : public Layer {
  public:
    explicit SimpleRNN(std::int64_t units, const SimpleRNNOptions& options = {});
};

struct LSTMOptions {
    bool unit_forget_bias = true;  ///< the forget gate's bias begins at 1, so that the cell remembers at first
    bool use_bias = true;
    bool return_sequences = false;  ///< every step's output [batch, time, units] instead of the last one [batch, units]
    bool return_state = false;      ///< one more output, the final state [batch, units], and the cell state
    bool go_backwards = false;      ///< from the last step to the first; outputs stay in the order of the input
    bool masked = false;            ///< the last input says which steps count, as above
    Initializer kernel_initializer = Initializer::glorot_uniform;
    Initializer recurrent_initializer = Initializer::orthogonal;
    std::string name = {};
};

/// Long short-term memory (Hochreiter and Schmidhuber 1997). Inputs {x}, or {x, initial state, initial cell state};
/// with `masked` one more.
class HEDDLE_API LSTM : public Layer {
  public:
    explicit LSTM(std::int64_t units, const LSTMOptions& options = {});
};

struct GRUOptions {
    bool use_bias = true;
    bool return_sequences = false;  ///< every step's output [batch, time, units] instead of the last one [batch, units]
    bool return_state = false;      ///< one more output, the final state [batch, units]
    bool go_backwards = false;      ///< from the last step to the first; outputs stay in the order of the input
    bool masked = false;            ///< the last input says which steps count, as above
    Initializer kernel_initializer = Initializer::glorot_uniform;
    Initializer recurrent_initializer = Initializer::orthogonal;
    std::string name = {};
};

/// Gated recurrent unit (Cho et al. 2014), in the form of PyTorch's and of Keras' `reset_after=True`. Inputs {x}, or
/// {x, initial state}; with `masked` one more.
class HEDDLE_API GRU : public Layer {
  public:
    explicit GRU(std::int64_t units, const GRUOptions& options = {});
};

struct BidirectionalOptions {
    enum class Merge { concat, sum, average } merge_mode = Merge::concat;
    std::string name = {};
};

/// A recurrent layer, which must not have been used before, in both directions, each with its own weights (on disk
/// "..._reverse", as in PyTorch); the outputs are merged. Takes no initial states and returns none.
class HEDDLE_API Bidirectional : public Layer {
  public:
    explicit Bidirectional(const Layer& layer, const BidirectionalOptions& options = {});
};

/// Applies a layer to every step separately: [batch, time, ...] as a batch of batch * time.
class HEDDLE_API TimeDistributed : public Layer {
  public:
    explicit TimeDistributed(const Layer& layer, const std::string& name = {});
};

}  // namespace heddle
