#pragma once

#include <cstdint>
#include <string>

#include "layers/initializer.h"
#include "layers/layer.h"

namespace heddle {

struct AttentionLayerOptions {
    bool use_scale = false;  ///< a trained factor of the scores ("scale"), as in Keras
    bool causal = false;     ///< a place sees itself and what is before it
    float dropout = 0;
    std::string name = {};
};

/// Dot-product attention without weights of its own (Luong et al. 2015), Keras' `Attention`: inputs {query, value} or
/// {query, value, key}, [batch, time, size] each; outputs the attended values [batch, queries, value size] and the
/// weights [batch, queries, keys]. As in Keras the scores are not divided by the root of the size, positions that are
/// masked in value get no weight, and masked queries give 0.
class HEDDLE_API Attention : public Layer {
  public:
    explicit Attention(const AttentionLayerOptions& options = {});
};

struct MultiHeadAttentionOptions {
    std::int64_t value_dim = 0;  ///< of each head's values; 0: key_dim
    float dropout = 0;           ///< of the weights, in training
    bool use_bias = true;
    bool causal = false;  ///< a place sees itself and what is before it
    bool masked = false;  ///< the last input says which keys count: [batch, keys], not 0 where one does
    Initializer kernel_initializer = Initializer::glorot_uniform;
    std::string name = {};
};

/// Multi-head attention (Vaswani et al. 2017): inputs {x} (self-attention), {query, value} or {query, value, key},
/// [batch, time, features] with one number of features; with `masked` one more. Output [batch, queries, features].
/// Without `masked`, the masks that value and key carry (ops/mask.h) say which keys count.
///
/// Weights as in torch.nn.MultiheadAttention, which reads them where heads * key_dim = features: in_proj_weight
/// [2 heads key_dim + heads value_dim, features] (queries, keys, values), in_proj_bias, out_proj.weight [features,
/// heads value_dim], out_proj.bias.
class HEDDLE_API MultiHeadAttention : public Layer {
  public:
    MultiHeadAttention(std::int64_t num_heads, std::int64_t key_dim, const MultiHeadAttentionOptions& options = {});
};

}  // namespace heddle
