#pragma once

#include "kernels/random/random.h"
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

/// Dropout of the weights: in the sums over values a weight counts as itself times keep(q, k), which is 0 with
/// probability `rate`, else 1 / (1 - rate). The rate is rounded to a multiple of 2^-16, which both mean. Sums of
/// weights are those without dropout.
///
/// What is dropped depends on nothing but the state and the weight's place, so that every implementation drops the same
/// weights, and backward those that forward dropped: it is given the same state. With n = first_head + b * heads + head
/// of head `head` of sequence b, block
///   2^32 * (n * ceil(queries / 16) * 8 + q / 16 * 8 + q % 8) + k / 32 * 8 + k % 8   (whole divisions; modulo 2^64)
/// of the stream (core/random.h) decides on eight weights: of queries q and q + 8 and of keys k, k + 8, k + 16, k + 24.
/// Of word k % 32 / 8 the lower half is for the queries with q % 16 < 8, the upper half for the others, and the weight
/// is kept where that half is at least rate * 2^16. (A thread that holds fragments of matrix instructions holds these
/// eight weights, in tiles of queries by keys and, but for one shape of tile, of keys by queries; and neighbouring
/// lanes of a vector hold those of neighbouring keys.)
struct AttentionDropout {
    float rate = 0;  ///< 0 <= rate <= 1; 0: none is dropped, 1: all are
    RandomState state = {};
    std::int64_t first_head = 0;  ///< for a part of a problem: the number of its first head in the whole

    /// Calls are tuned with and without, whatever the rate is.
    auto members() const { return std::make_tuple(rate > 0); }
};

/// score(q, k) = scale * query[q] · key[k]; weights = softmax of a query's scores over the keys that it may see;
/// output[q] = sum over k of keep(q, k) * weight(q, k) * value[k]. A query that may see no key gets zeros.
struct AttentionForward {
    View query;      ///< [batch, queries, heads, size]
    View key;        ///< [batch, keys, heads, size]
    View value;      ///< [batch, keys, heads, value size]
    View mask = {};  ///< boolean [batch, keys]; absent: all keys count
    bool causal = false;
    float scale = 1;
    AttentionDropout dropout = {};  ///< without: keep(q, k) = 1
    View output;                    ///< [batch, queries, heads, value size]
    View log_sums;                  ///< [batch, heads, queries]: log of the sum of e^score; 0 where no key is seen

    auto members() const { return std::tie(query, key, value, mask, causal, scale, dropout, output, log_sums); }
};
HEDDLE_API KernelTable<AttentionForward>& attention_forward();

/// With p(q, k) = e^(score(q, k) - log_sum(q)) where q may see k, else 0, and
/// g(q, k) = scale * p(q, k) * (keep(q, k) * doutput[q] · value[k] - doutput[q] · output[q]):
///   dquery[q] = sum over k of g(q, k) * key[k],  dkey[k] = sum over q of g(q, k) * query[q],
///   dvalue[k] = sum over q of keep(q, k) * p(q, k) * doutput[q].
struct AttentionBackward {
    View query;
    View key;
    View value;
    View mask = {};
    bool causal = false;
    float scale = 1;
    AttentionDropout dropout = {};  ///< as forward had it
    View output;                    ///< as forward gave it
    View log_sums;                  ///< as forward gave it
    View doutput;                   ///< the shape of output
    View dquery;                    ///< the shape of query
    View dkey;                      ///< the shape of key
    View dvalue;                    ///< the shape of value

    auto members() const {
        return std::tie(query, key, value, mask, causal, scale, dropout, output, log_sums, doutput, dquery, dkey,
                        dvalue);
    }
};
HEDDLE_API KernelTable<AttentionBackward>& attention_backward();

}  // namespace heddle::kernels
