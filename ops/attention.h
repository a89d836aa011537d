#pragma once

#include "core/tensor.h"

namespace heddle::ops {

struct AttentionOptions {
    bool causal = false;  ///< query i sees keys 0 .. i (counted so that the last query sees all keys)
    Tensor mask = {};     ///< boolean [batch, keys]: which keys count; undefined: all
    float scale = 0;      ///< of the scores; 0: 1 / sqrt(size)
    float dropout = 0;    ///< the fraction of the weights that is dropped, the others being scaled up; give it in
                          ///< training alone. It takes an offset of the default generator. Without `weights` it is
                          ///< rounded to a multiple of 2^-16
    bool weights = true;  ///< whether `Attended::weights` is wanted. If not, the scores of all pairs are never kept:
                          ///< memory grows with the length and not with its square (on a GPU: for heads of up to 128)
};

struct Attended {
    Tensor output;   ///< [batch, queries, heads, value size]
    Tensor weights;  ///< [batch, heads, queries, keys], before dropout; undefined where not wanted
};

/// Scaled dot-product attention (Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762) of each head:
/// query [batch, queries, heads, size], key [batch, keys, heads, size], value [batch, keys, heads, value size]. A query
/// that may see no key gets zeros.
HEDDLE_API Attended attention(const Tensor& query, const Tensor& key, const Tensor& value,
                              const AttentionOptions& options = {});

}  // namespace heddle::ops
