#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/attention/attention.h"
#include "ops/autograd/grad_mode.h"
#include "ops/autograd/node.h"
#include "ops/copy.h"
#include "ops/detail/random_state.h"
#include "ops/detail/run.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/random.h"
#include "ops/softmax.h"

// Attention is computed by a kernel that stores no scores, or, if the weights are wanted, by matrix products and a
// softmax, which store batch * heads * queries * keys scores.
namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;

void check_operands(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& options) {
    constexpr const char* op = "attention";
    for (const Tensor* tensor : {&query, &key, &value})
        require(tensor->defined() && tensor->rank() == 4 && is_floating(tensor->dtype()) &&
                    tensor->dtype() == query.dtype() && tensor->device() == query.device(),
                op, "expected floating [batch, time, heads, size] of one dtype and device, got {}", *tensor);
    require(query.size(3) >= 1 && value.size(3) >= 1, op, "expected heads of at least 1 number, got {} and {}", query,
            value);
    require(key.size(0) == query.size(0) && key.size(2) == query.size(2) && key.size(3) == query.size(3), op,
            "queries {} and keys {} differ in batch, heads or size", query.shape(), key.shape());
    require(value.shape().range(0, 3) == key.shape().range(0, 3), op,
            "keys {} and values {} differ in batch, time or heads", key.shape(), value.shape());
    require(!options.mask.defined() ||
                (options.mask.dtype() == DType::boolean && options.mask.shape() == Shape{key.size(0), key.size(1)}),
            op, "expected a boolean mask [{}, {}], got {}", key.size(0), key.size(1), options.mask);
    require(options.dropout >= 0 && options.dropout < 1, op, "dropout of {} is outside 0 .. 1", options.dropout);
}

/// Boolean, of a shape that broadcasts to [batch, heads, queries, keys]; undefined where every pair counts.
Tensor allowed_pairs(std::int64_t queries, std::int64_t keys, const AttentionOptions& options, Device device) {
    Tensor allowed;
    if (options.causal) {
        const Tensor query = Tensor::arange(queries, {DType::i32, device}).reshape(Shape{queries, 1});
        const Tensor key = Tensor::arange(keys, {DType::i32, device}).reshape(Shape{1, keys});
        allowed = less(key, query + static_cast<double>(keys - queries + 1)).reshape(Shape{1, 1, queries, keys});
    }
    if (!options.mask.defined()) return allowed;
    const Tensor mask = options.mask.reshape(Shape{options.mask.size(0), 1, 1, keys});
    if (!allowed.defined()) return mask;
    return greater(allowed.to(DType::f32) * mask.to(DType::f32), Tensor::scalar(0, {.device = device}));
}

/// By the kernels of `kernels/attention/`.
Tensor fused(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask, bool causal, float scale,
             float rate) {
    kernels::AttentionDropout dropout{.rate = rate};
    if (rate > 0) dropout.state = take_random_state(default_generator(), query.device());
    const Shape& q = query.shape();
    Tensor output = Tensor::empty(Shape{q[0], q[1], q[2], value.size(3)}, query.options());
    const Tensor log_sums = Tensor::empty(Shape{q[0], q[2], q[1]}, {wide(query.dtype()), query.device()});
    run(kernels::attention_forward(),
        {.query = view(query),
         .key = view(key),
         .value = view(value),
         .mask = view(mask),
         .causal = causal,
         .scale = scale,
         .dropout = dropout,
         .output = view(output),
         .log_sums = view(log_sums)},
        {&query, &key, &value, &mask}, {&output, &log_sums});
    if (!autograd::wants_record({&query, &key, &value})) return output;
    autograd::record(
        "attention", {&query, &key, &value}, output,
        [query = Saved(query), key = Saved(key), value = Saved(value), mask = Saved(mask), output = Saved(output),
         log_sums = Saved(log_sums), causal, scale, dropout](Gradients& g) {
            const Tensor& doutput = g.dy();
            const auto like = [](const Tensor& x) { return Tensor::empty(x.shape(), x.options()); };
            Tensor dquery = like(query.get()), dkey = like(key.get()), dvalue = like(value.get());
            run(kernels::attention_backward(),
                {.query = view(query.get()),
                 .key = view(key.get()),
                 .value = view(value.get()),
                 .mask = view(mask.get()),
                 .causal = causal,
                 .scale = scale,
                 .dropout = dropout,
                 .output = view(output.get()),
                 .log_sums = view(log_sums.get()),
                 .doutput = view(doutput),
                 .dquery = view(dquery),
                 .dkey = view(dkey),
                 .dvalue = view(dvalue)},
                {&query.get(), &key.get(), &value.get(), &mask.get(), &output.get(), &log_sums.get(), &doutput},
                {&dquery, &dkey, &dvalue});
            if (g.wants(0)) g.dx(0) = std::move(dquery);
            if (g.wants(1)) g.dx(1) = std::move(dkey);
            if (g.wants(2)) g.dx(2) = std::move(dvalue);
        });
    return output;
}

}  // namespace

Attended attention(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& options) {
    check_operands(query, key, value, options);
    const double scale = options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(query.size(3)));
    // The kernels for GPUs take heads of up to 128; wider ones go through products and a softmax.
    const bool fits = std::max(query.size(3), value.size(3)) <= 128 || query.device().kind == DeviceKind::cpu;
    if (!options.weights && fits) {
        // The kernels take the scale as a float: in f64 it is multiplied in before.
        const bool wide_scale = query.dtype() == DType::f64;
        return {fused(wide_scale ? query * scale : query, key, value, options.mask, options.causal,
                      wide_scale ? 1.0f : static_cast<float>(scale), options.dropout),
                Tensor()};
    }
    const Tensor q = permute(query, {0, 2, 1, 3}) * scale, k = permute(key, {0, 2, 1, 3});
    Tensor scores = matmul(q, k, {.transpose_b = true});
    const Tensor allowed = allowed_pairs(query.size(1), key.size(1), options, query.device());
    // A large number and not infinity: a row in which nothing is allowed must not become NaN.
    const double lowest = query.dtype() == DType::f16 ? -6e4 : -1e30;
    if (allowed.defined()) scores = where(allowed, scores, Tensor::scalar(lowest, query.options()));
    Tensor weights = softmax(scores);
    // Only with a mask, or more queries than keys, can a query see nothing.
    if (options.mask.defined() || (options.causal && query.size(1) > key.size(1)))
        weights = where(allowed, weights, Tensor::scalar(0, query.options()));
    const Tensor kept = options.dropout > 0 ? dropout(weights, options.dropout, true) : weights;
    return {permute(matmul(kept, permute(value, {0, 2, 1, 3})), {0, 2, 1, 3}), options.weights ? weights : Tensor()};
}

}  // namespace heddle::ops
