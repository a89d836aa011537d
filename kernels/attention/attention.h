#pragma once

#include "kernels/table.h"
#include "kernels/view.h"

/// Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762) that keeps no matrix of scores: forward saves
/// one number a query, and backward makes the weights anew from it (Dao et al., "FlashAttention", 2022,
/// arXiv:2205.14135). Heads are independent of each other. All operands but the mask and the sums have one floating
/// dtype; sums are f32 where that has 16 bits. Sizes are at least 1, numbers of queries and keys may be 0.
///
/// Query q may see key k where k <= q + keys - queries, if causal (so the last query sees all keys), and where
/// mask[batch, k] is not 0, if there is a mask.
namespace heddle::kernels {

/// score(q, k) = scale * query[q] · key[k]; weights = softmax of a query's scores over the keys that it may see;
/// output[q] = sum over k of weight(q, k) * value[k]. A query that may see no key gets zeros.
struct AttentionForward {
    View query;      ///< [batch, queries, heads, size]
    View key;        ///< [batch, keys, heads, size]
    View value;      ///< [batch, keys, heads, value size]
    View mask = {};  ///< boolean [batch, keys]; absent: all keys count
    bool causal = false;
    float scale = 1;
    View output;    ///< [batch, queries, heads, value size]
    View log_sums;  ///< [batch, heads, queries]: log of the sum of e^score; 0 where no key is seen

    auto members() const { return std::tie(query, key, value, mask, causal, scale, output, log_sums); }
};
HEDDLE_API KernelTable<AttentionForward>& attention_forward();

/// With p(q, k) = e^(score(q, k) - log_sum(q)) where q may see k, else 0, and
/// g(q, k) = scale * p(q, k) * (doutput[q] · value[k] - doutput[q] · output[q]):
///   dquery[q] = sum over k of g(q, k) * key[k],  dkey[k] = sum over q of g(q, k) * query[q],
///   dvalue[k] = sum over q of p(q, k) * doutput[q].
struct AttentionBackward {
    View query;
    View key;
    View value;
    View mask = {};
    bool causal = false;
    float scale = 1;
    View output;    ///< as forward gave it
    View log_sums;  ///< as forward gave it
    View doutput;   ///< the shape of output
    View dquery;    ///< the shape of query
    View dkey;      ///< the shape of key
    View dvalue;    ///< the shape of value

    auto members() const {
        return std::tie(query, key, value, mask, causal, scale, output, log_sums, doutput, dquery, dkey, dvalue);
    }
};
HEDDLE_API KernelTable<AttentionBackward>& attention_backward();

}  // namespace heddle::kernels
