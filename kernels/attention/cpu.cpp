#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/parallel.h"
#include "kernels/attention/cpu_dropout.h"
#include "kernels/attention/cpu_heads.h"
#include "kernels/attention/implementations.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/onednn.h"
#include "kernels/row_sums.h"
#include "kernels/vector_math.h"

// Products of one head at a time by oneDNN's sgemm, which reads heads in place: rows of a head are heads * size
// elements apart. A block of queries is multiplied with all keys that it may see; its scores stay in cache up to some
// 2,000 keys, and softmax needs no second pass. Floor: 2 products forward and 5 backward of
// 2 * queries * keys * size operations per head, half of that if causal. A bf16 head is converted to f32 first, and its
// results back at the end.
namespace heddle::kernels {
namespace {

constexpr std::int64_t block_queries = 64;

struct Matrix {
    float* data;
    std::int64_t step;

    Matrix from(std::int64_t row) const { return {data + row * step, step}; }
};

/// Heads in f32: in place, or, for bf16, as f32 copies in the scratch memory.
class WideHeads {
  public:
    explicit WideHeads(float* scratch) : free_(scratch) {}

    Matrix read(const Head<float>& head) { return write(head); }
    Matrix read(const Head<BFloat16>& head) {
        const Matrix copy = write(head);
        for (std::int64_t row = 0; row < head.rows; ++row)
            widen(head.data + row * head.step, copy.from(row).data, head.size);
        return copy;
    }
    /// A place for results, until `put_back`.
    Matrix write(const Head<float>& head) { return {head.data, head.step}; }
    Matrix write(const Head<BFloat16>& head) {
        float* const first = free_;
        free_ += head.rows * head.size;
        return {first, head.size};
    }
    static void put_back(const Matrix&, const Head<float>&) {}
    static void put_back(const Matrix& from, const Head<BFloat16>& head) {
        for (std::int64_t row = 0; row < head.rows; ++row)
            narrow(from.from(row).data, head.data + row * head.step, head.size);
    }

  private:
    float* free_;
};

/// c [m, n] = alpha * op(a) op(b) [+ c], on the calling thread.
void multiply(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
              const Matrix& a, const Matrix& b, bool accumulate, const Matrix& c) {
    const auto status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a.data, a.step,
                                   b.data, b.step, accumulate ? 1.0f : 0.0f, c.data, c.step);
    check(status == dnnl_success, "attention: oneDNN's sgemm failed (status {})", static_cast<int>(status));
}

/// Turns scores into weights, in place; returns the log of their sum. Only the first `seen` that the mask allows count;
/// the others of the `count` get 0.
HEDDLE_SIMD_CLONES float softmax_row(float* scores, const std::uint8_t* mask, std::int64_t seen, std::int64_t count) {
    const float nothing = -__builtin_inff();
    if (mask)
        for (std::int64_t k = 0; k < seen; ++k) scores[k] = mask[k] ? scores[k] : nothing;
    const float largest = largest_of(scores, seen);
    if (largest == nothing) {
        for (std::int64_t k = 0; k < count; ++k) scores[k] = 0;
        return 0;
    }
    for (std::int64_t k = 0; k < seen; ++k) scores[k] = vec::exp(scores[k] - largest);
    const float sum = sum_of(seen, [=](std::int64_t k) { return scores[k]; }), factor = 1 / sum;
    for (std::int64_t k = 0; k < seen; ++k) scores[k] *= factor;
    for (std::int64_t k = seen; k < count; ++k) scores[k] = 0;
    return largest + std::log(sum);
}

HEDDLE_SIMD_CLONES void multiply_row(float* weights, const float* factors, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t k = 0; k < count; ++k) weights[k] *= factors[k];
}

/// Turns scores into weights p, and dp, the gradients of the weights, into those of the unscaled scores:
/// p * (dp - through) * scale. With dropout dp and, in the end, p are multiplied by keep(q, k).
HEDDLE_SIMD_CLONES void gradient_row(float* scores, float* dp, const std::uint8_t* mask, const float* kept,
                                     float log_sum, float through, float scale, std::int64_t seen, std::int64_t count) {
    for (std::int64_t k = 0; k < seen; ++k) scores[k] = vec::exp(scores[k] - log_sum);
    if (mask)
        for (std::int64_t k = 0; k < seen; ++k) scores[k] = mask[k] ? scores[k] : 0.0f;
    for (std::int64_t k = seen; k < count; ++k) scores[k] = 0;
    if (kept) {
#pragma GCC ivdep
        for (std::int64_t k = 0; k < count; ++k) {
            dp[k] = scores[k] * (dp[k] * kept[k] - through) * scale;
            scores[k] *= kept[k];
        }
    } else {
#pragma GCC ivdep
        for (std::int64_t k = 0; k < count; ++k) dp[k] = scores[k] * (dp[k] - through) * scale;
    }
}

HEDDLE_SIMD_CLONES float dot(const float* a, const float* b, std::int64_t size) {
    return sum_of(size, [=](std::int64_t c) { return a[c] * b[c]; });
}

void clear(const Matrix& matrix, std::int64_t rows, std::int64_t size) {
    for (std::int64_t row = 0; row < rows; ++row) std::fill_n(matrix.from(row).data, size, 0.0f);
}

/// Floats of scratch of one block of queries, for each matrix of scores.
std::size_t block_floats(const AttentionExtents& e) {
    return static_cast<std::size_t>(std::min(block_queries, e.queries) * e.keys + 15) / 16 * 16;
}
/// For factors of dropout.
std::size_t kept_floats(const AttentionDropout& dropout, const AttentionExtents& e) {
    return WeightDropout::wanted(dropout) ? static_cast<std::size_t>(2 * whole_kept_keys(e.keys)) : 0;
}

/// Floats of scratch of one head: its blocks' matrices of scores, factors of dropout, and the wide copies.
std::size_t head_floats(const AttentionForward& args) {
    const AttentionExtents e(args);
    const std::int64_t copies = (e.queries + e.keys) * (e.size + e.value_size);
    return block_floats(e) + kept_floats(args.dropout, e) +
           (args.query.dtype == DType::f32 ? 0 : static_cast<std::size_t>(copies));
}
std::size_t head_floats(const AttentionBackward& args) {
    const AttentionExtents e(args);
    const std::int64_t copies = 2 * (e.queries + e.keys) * (e.size + e.value_size);
    return 2 * block_floats(e) + kept_floats(args.dropout, e) +
           (args.query.dtype == DType::f32 ? 0 : static_cast<std::size_t>(copies));
}

template <class Args>
std::size_t workspace(const Args& args) {
    return heads_workspace_bytes(AttentionExtents(args), head_floats(args));
}

/// A block of queries: how many there are, and how many keys its last one may see.
struct Block {
    std::int64_t first, queries, keys;

    Block(const AttentionExtents& e, std::int64_t query)
        : first(query), queries(std::min(block_queries, e.queries - query)), keys(e.seen_by(query + queries - 1)) {}
};

template <class T>
void forward_in(const AttentionForward& args, KernelContext& context) {
    const AttentionExtents e(args);
    for_heads(e, head_floats(args), context, [&](std::int64_t task, float* scratch) {
        const onednn::ThreadScope scope;
        float* const kept = scratch + block_floats(e);
        WideHeads heads(kept + kept_floats(args.dropout, e));
        const Head<T> result(args.output, task);
        const Matrix query = heads.read(Head<T>(args.query, task)), key = heads.read(Head<T>(args.key, task)),
                     value = heads.read(Head<T>(args.value, task)), output = heads.write(result);
        const std::uint8_t* mask = mask_of(args.mask, task / e.heads);
        for (std::int64_t q = 0; q < e.queries; q += block_queries) {
            const Block block(e, q);
            const Matrix scores{scratch, std::max<std::int64_t>(block.keys, 1)};
            if (block.keys > 0)
                multiply(false, true, block.queries, block.keys, e.size, args.scale, query.from(q), key, false, scores);
            const auto to_weights = [&](std::int64_t i, const float* factors) {
                args.log_sums.as<float>()[task * e.queries + q + i] =
                    softmax_row(scores.from(i).data, mask, e.seen_by(q + i), block.keys);
                if (factors) multiply_row(scores.from(i).data, factors, e.seen_by(q + i));
            };
            for_each_kept_row(args.dropout, e.queries, task, q, block.queries, 0, block.keys, kept, to_weights);
            if (block.keys > 0)
                multiply(false, false, block.queries, e.value_size, block.keys, 1, scores, value, false,
                         output.from(q));
            else
                clear(output.from(q), block.queries, e.value_size);
        }
        heads.put_back(output, result);
    });
}

void forward(const AttentionForward& args, KernelContext& context) {
    with_f32_or_bf16(args.query.dtype, [&](auto zero) { forward_in<decltype(zero)>(args, context); });
}

template <class T>
void backward_in(const AttentionBackward& args, KernelContext& context) {
    const AttentionExtents e(args);
    for_heads(e, head_floats(args), context, [&](std::int64_t task, float* scratch) {
        const onednn::ThreadScope scope;
        float* const kept = scratch + 2 * block_floats(e);
        WideHeads heads(kept + kept_floats(args.dropout, e));
        const Head<T> query_result(args.dquery, task), key_result(args.dkey, task), value_result(args.dvalue, task);
        const Matrix query = heads.read(Head<T>(args.query, task)), key = heads.read(Head<T>(args.key, task)),
                     value = heads.read(Head<T>(args.value, task)), output = heads.read(Head<T>(args.output, task)),
                     doutput = heads.read(Head<T>(args.doutput, task)), dquery = heads.write(query_result),
                     dkey = heads.write(key_result), dvalue = heads.write(value_result);
        const std::uint8_t* mask = mask_of(args.mask, task / e.heads);
        clear(dkey, e.keys, e.size);
        clear(dvalue, e.keys, e.value_size);
        for (std::int64_t q = 0; q < e.queries; q += block_queries) {
            const Block block(e, q);
            if (block.keys == 0) {
                clear(dquery.from(q), block.queries, e.size);
                continue;
            }
            const Matrix p{scratch, block.keys}, g{scratch + block_floats(e), block.keys};
            multiply(false, true, block.queries, block.keys, e.size, args.scale, query.from(q), key, false, p);
            multiply(false, true, block.queries, block.keys, e.value_size, 1, doutput.from(q), value, false, g);
            const auto to_gradients = [&](std::int64_t i, const float* factors) {
                gradient_row(p.from(i).data, g.from(i).data, mask, factors,
                             args.log_sums.as<float>()[task * e.queries + q + i],
                             dot(doutput.from(q + i).data, output.from(q + i).data, e.value_size), args.scale,
                             e.seen_by(q + i), block.keys);
            };
            for_each_kept_row(args.dropout, e.queries, task, q, block.queries, 0, block.keys, kept, to_gradients);
            multiply(false, false, block.queries, e.size, block.keys, 1, g, key, false, dquery.from(q));
            multiply(true, false, block.keys, e.size, block.queries, 1, g, query.from(q), true, dkey);
            multiply(true, false, block.keys, e.value_size, block.queries, 1, p, doutput.from(q), true, dvalue);
        }
        heads.put_back(dquery, query_result);
        heads.put_back(dkey, key_result);
        heads.put_back(dvalue, value_result);
    });
}

void backward(const AttentionBackward& args, KernelContext& context) {
    with_f32_or_bf16(args.query.dtype, [&](auto zero) { backward_in<decltype(zero)>(args, context); });
}

}  // namespace

void add_cpu(KernelTable<AttentionForward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const AttentionForward& args) { return f32_or_bf16(args.query.dtype); },
               .workspace_bytes = workspace<AttentionForward>,
               .run = forward});
}

void add_cpu(KernelTable<AttentionBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const AttentionBackward& args) { return f32_or_bf16(args.query.dtype); },
               .workspace_bytes = workspace<AttentionBackward>,
               .run = backward});
}

}  // namespace heddle::kernels
