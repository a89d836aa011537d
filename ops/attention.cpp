#include "ops/attention.h"

#include <cmath>
#include <vector>

#include "ops/copy.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/random.h"
#include "ops/softmax.h"

// Composed of products and a softmax: the scores of all pairs are kept, batch * heads * queries * keys of them.
namespace heddle::ops {
namespace {

void check_operands(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& options) {
    constexpr const char* op = "attention";
    for (const Tensor* tensor : {&query, &key, &value})
        require(tensor->defined() && tensor->rank() == 4 && is_floating(tensor->dtype()) &&
                    tensor->dtype() == query.dtype() && tensor->device() == query.device(),
                op, "expected floating [batch, time, heads, size] of one dtype and device, got {}", *tensor);
    require(key.size(0) == query.size(0) && key.size(2) == query.size(2) && key.size(3) == query.size(3), op,
            "queries {} and keys {} differ in batch, heads or size", query.shape(), key.shape());
    require(value.shape().range(0, 3) == key.shape().range(0, 3), op,
            "keys {} and values {} differ in batch, time or heads", key.shape(), value.shape());
    require(!options.mask.defined() ||
                (options.mask.dtype() == DType::boolean && options.mask.shape() == Shape{key.size(0), key.size(1)}),
            op, "expected a boolean mask [{}, {}], got {}", key.size(0), key.size(1), options.mask);
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

}  // namespace

Attended attention(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& options) {
    check_operands(query, key, value, options);
    const double scale = options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(query.size(3)));
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
    return {permute(matmul(kept, permute(value, {0, 2, 1, 3})), {0, 2, 1, 3}), weights};
}

}  // namespace heddle::ops
