#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "kernels/attention/cpu_dropout.h"
#include "kernels/attention/cpu_heads.h"
#include "kernels/attention/implementations.h"
#include "kernels/dispatch.h"
#include "kernels/register_block.h"
#include "kernels/row_sums.h"
#include "kernels/vector_math.h"

// The backward step with register-blocked products. A block of keys is combined with all queries, one block of queries
// at a time. The five products of such a tile find their operands in the second-level cache for any number of keys, and
// operands are packed once per head, where sgemm packs them for every product. Operands of a head are copied into
// contiguous rows of whole vectors: in place, heads * size apart, they would compete for a few sets of the cache.
//
// Floor: 5 products of 2 * queries * keys * size operations per head, half of that if causal.
namespace heddle::kernels {
namespace {

using namespace block;

/// Chosen so that a tile's operands fit into 1 MiB of second-level cache; not tuned.
constexpr std::int64_t block_queries = 64, block_keys = 128;

std::int64_t whole_vectors(std::int64_t columns) { return (columns + lanes - 1) / lanes * lanes; }

/// The right operand: its rows are `step` apart, and its panels of 32 columns `panel_step`.
struct Right {
    const float* data;
    std::int64_t step, panel_step;
};

/// c [rows, columns] = l right [+ c], for columns that fill whole vectors.
HEDDLE_SIMD_CLONES void multiply(const Left& l, const Right& right, bool accumulate, float* c, std::int64_t c_step,
                                 std::int64_t rows, std::int64_t columns, std::int64_t depth) {
    for_each_block_of_columns(columns, [&]<class V, int vectors>(std::int64_t column) HEDDLE_INLINE_LAMBDA {
        constexpr std::int64_t height = block_height<V, vectors>;
        const float* from = right.data + column / panel * right.panel_step + column % panel;
        for (std::int64_t row = 0; row < rows; row += height) {
            float* to = c + row * c_step + column;
            multiply_rows<vectors, height, V>(std::min(height, rows - row),
                                              {l.data + row * l.row_step, l.row_step, l.depth_step}, from, right.step,
                                              accumulate ? Addend{to, c_step} : Addend{}, to, c_step, depth);
        }
    });
}

template <bool masked, bool drops>
[[gnu::always_inline]] inline void gradients_of(float* scores, float* dp, const std::uint8_t* mask, const float* kept,
                                                float log_sum, float through, float scale, std::int64_t seen) {
#pragma GCC ivdep
    for (std::int64_t k = 0; k < seen; ++k) {
        const float weight = vec::exp(scores[k] * scale - log_sum), p = !masked || mask[k] ? weight : 0.0f;
        const float factor = drops ? kept[k] : 1.0f;
        scores[k] = p * factor;
        dp[k] = p * (dp[k] * factor - through) * scale;
    }
}

/// Scores before their scale become weights p, and dp, the gradients of the weights, those of these scores:
/// p * (dp - through) * scale. With dropout dp and, in the end, p are multiplied by keep(q, k). Only the first `seen`
/// count, and of them those that the mask names; the others of the `count` get 0.
HEDDLE_SIMD_CLONES void gradient_row(float* scores, float* dp, const std::uint8_t* mask, const float* kept,
                                     float log_sum, float through, float scale, std::int64_t seen, std::int64_t count) {
    if (kept) {
        if (mask)
            gradients_of<true, true>(scores, dp, mask, kept, log_sum, through, scale, seen);
        else
            gradients_of<false, true>(scores, dp, mask, kept, log_sum, through, scale, seen);
    } else if (mask) {
        gradients_of<true, false>(scores, dp, mask, kept, log_sum, through, scale, seen);
    } else {
        gradients_of<false, false>(scores, dp, mask, kept, log_sum, through, scale, seen);
    }
    for (std::int64_t k = seen; k < count; ++k) scores[k] = dp[k] = 0;
}

HEDDLE_SIMD_CLONES float dot(const float* a, const float* b, std::int64_t size) {
    return sum_of(size, [=](std::int64_t c) { return a[c] * b[c]; });
}

/// A thread's memory: the queries of a whole head, and everything else for one block of keys.
struct Scratch {
    const std::int64_t size, value_size;  ///< of a head, whole vectors
    const std::int64_t keys;              ///< of a block, whole panels
    const std::int64_t step;              ///< of weights and gradients: an odd number of lines, so that columns of them
                                          ///< are spread over the cache
    std::size_t floats = 0;
    float *query, *doutput, *dquery;     ///< [queries, size or value size]
    float* through;                      ///< [queries]: doutput · output
    float *key, *dkey, *dvalue;          ///< [keys, size or value size]
    float *key_columns, *value_columns;  ///< their transposes in panels
    float *weights, *gradients;          ///< [block of queries, keys]
    float* row;                          ///< bf16: a wide row
    float* kept;                         ///< factors of dropout

    Scratch(const AttentionBackward& args, const AttentionExtents& e, float* memory)
        : size(whole_vectors(e.size)),
          value_size(whole_vectors(e.value_size)),
          keys((std::min(block_keys, e.keys) + panel - 1) / panel * panel),
          step(keys + lanes) {
        const auto take = [&](std::int64_t count) {
            float* const piece = memory ? memory + floats : nullptr;
            floats += static_cast<std::size_t>(whole_vectors(count));
            return piece;
        };
        query = take(e.queries * size);
        doutput = take(e.queries * value_size);
        dquery = take(e.queries * size);
        through = take(e.queries);
        key = take(keys * size);
        dkey = take(keys * size);
        dvalue = take(keys * value_size);
        key_columns = take(keys * e.size);
        value_columns = take(keys * e.value_size);
        weights = take(block_queries * step);
        gradients = take(block_queries * step);
        row = take(std::max(size, value_size));
        kept = take(WeightDropout::wanted(args.dropout) ? 2 * whole_kept_keys(keys) : 0);
    }
};

void copy_row(const float* from, float* to, std::int64_t count) { std::copy_n(from, count, to); }
void copy_row(const BFloat16* from, float* to, std::int64_t count) { widen(from, to, count); }
void copy_row(const float* from, BFloat16* to, std::int64_t count) { narrow(from, to, count); }

/// Rows [first, first + count) of a head, `step` apart; 0 behind their ends.
template <class T>
void read(const Head<T>& head, std::int64_t first, std::int64_t count, float* to, std::int64_t step) {
    for (std::int64_t i = 0; i < count; ++i, to += step) {
        copy_row(head.row(first + i), to, head.size);
        std::fill(to + head.size, to + step, 0.0f);
    }
}

template <class T>
void write(const float* from, std::int64_t step, const Head<T>& head, std::int64_t first, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) copy_row(from + i * step, head.row(first + i), head.size);
}

/// A row becomes column `column` of a matrix in panels.
void put_column(const float* row, std::int64_t size, float* panels, std::int64_t column) {
    float* to = panels + column / panel * panel * size + column % panel;
    for (std::int64_t c = 0; c < size; ++c) to[c * panel] = row[c];
}

template <class T>
struct Gradients {
    const AttentionBackward& args;
    const AttentionExtents e;
    const std::int64_t task;
    const Scratch s;

    void run() const {
        const Head<T> output(args.output, task), value(args.value, task), key(args.key, task);
        read(Head<T>(args.query, task), 0, e.queries, s.query, s.size);
        read(Head<T>(args.doutput, task), 0, e.queries, s.doutput, s.value_size);
        for (std::int64_t q = 0; q < e.queries; ++q)
            s.through[q] = dot(s.doutput + q * s.value_size, widened(output.row(q), s.row, e.value_size), e.value_size);
        std::fill_n(s.dquery, e.queries * s.size, 0.0f);
        for (std::int64_t first = 0; first < e.keys; first += block_keys) {
            const std::int64_t keys = std::min(block_keys, e.keys - first);
            read(key, first, keys, s.key, s.size);
            if (keys < s.keys) {
                std::fill_n(s.key_columns, s.keys * e.size, 0.0f);
                std::fill_n(s.value_columns, s.keys * e.value_size, 0.0f);
            }
            for (std::int64_t k = 0; k < keys; ++k) {
                put_column(s.key + k * s.size, e.size, s.key_columns, k);
                put_column(widened(value.row(first + k), s.row, e.value_size), e.value_size, s.value_columns, k);
            }
            std::fill_n(s.dkey, keys * s.size, 0.0f);
            std::fill_n(s.dvalue, keys * s.value_size, 0.0f);
            for (std::int64_t q = 0; q < e.queries; q += block_queries) {
                const std::int64_t queries = std::min(block_queries, e.queries - q);
                const std::int64_t seen = std::min(e.seen_by(q + queries - 1) - first, keys);
                if (seen > 0) meet(q, queries, first, seen);
            }
            write(s.dkey, s.size, Head<T>(args.dkey, task), first, keys);
            write(s.dvalue, s.value_size, Head<T>(args.dvalue, task), first, keys);
        }
        write(s.dquery, s.size, Head<T>(args.dquery, task), 0, e.queries);
    }

    /// Adds the contributions of queries [q, q + queries) with the first `keys` of the block that begins at `first`.
    void meet(std::int64_t q, std::int64_t queries, std::int64_t first, std::int64_t keys) const {
        const float *query = s.query + q * s.size, *doutput = s.doutput + q * s.value_size;
        float* const dquery = s.dquery + q * s.size;
        const std::int64_t columns = (keys + panel - 1) / panel * panel;
        multiply({query, s.size, 1}, {s.key_columns, panel, panel * e.size}, false, s.weights, s.step, queries, columns,
                 e.size);
        multiply({doutput, s.value_size, 1}, {s.value_columns, panel, panel * e.value_size}, false, s.gradients, s.step,
                 queries, columns, e.value_size);
        const std::uint8_t* const mask = mask_of(args.mask, task / e.heads);
        const auto to_gradients = [&](std::int64_t i, const float* factors) {
            gradient_row(s.weights + i * s.step, s.gradients + i * s.step, mask ? mask + first : nullptr, factors,
                         args.log_sums.as<float>()[task * e.queries + q + i], s.through[q + i], args.scale,
                         std::clamp<std::int64_t>(e.seen_by(q + i) - first, 0, keys), columns);
        };
        for_each_kept_row(args.dropout, e.queries, task, q, queries, first, keys, s.kept, to_gradients);
        multiply({s.gradients, s.step, 1}, {s.key, s.size, panel}, true, dquery, s.size, queries, s.size, keys);
        multiply({s.gradients, 1, s.step}, {query, s.size, panel}, true, s.dkey, s.size, keys, s.size, queries);
        multiply({s.weights, 1, s.step}, {doutput, s.value_size, panel}, true, s.dvalue, s.value_size, keys,
                 s.value_size, queries);
    }
};

std::size_t workspace(const AttentionBackward& args) {
    const AttentionExtents e(args);
    return heads_workspace_bytes(e, Scratch(args, e, nullptr).floats);
}

void backward(const AttentionBackward& args, KernelContext& context) {
    const AttentionExtents e(args);
    with_f32_or_bf16(args.query.dtype, [&](auto zero) {
        for_heads(e, Scratch(args, e, nullptr).floats, context, [&](std::int64_t task, float* scratch) {
            Gradients<decltype(zero)>{args, e, task, Scratch(args, e, scratch)}.run();
        });
    });
}

}  // namespace

void add_cpu_blocks(KernelTable<AttentionBackward>& table) {
    table.add({.name = "cpu_blocks",
               .priority = priority::plain + 5,
               .supports =
                   [](const AttentionBackward& args) {
                       if (!has_vectors()) return Support::no("a processor without AVX2");
                       return f32_or_bf16(args.query.dtype);
                   },
               .workspace_bytes = workspace,
               .run = backward});
}

}  // namespace heddle::kernels
