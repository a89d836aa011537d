#include "kernels/rnn/cpu_product.h"

#include <algorithm>

#include "core/check.h"

namespace heddle::kernels {

/// The primitive, with weights in its own layout, and the way there.
struct StepProductPlan {
    dnnl::matmul::primitive_desc product;
    dnnl::memory::desc weights;  // as they come
    dnnl::reorder::primitive_desc packing;
};

namespace {

constexpr std::size_t padded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

StepProductPlan make_plan(std::int64_t rows, std::int64_t n, std::int64_t k, bool transposed, bool accumulate) {
    const onednn::ThreadScope scope;
    using Dims = dnnl::memory::dims;
    constexpr auto f32 = dnnl::memory::data_type::f32;
    const dnnl::memory::desc a({rows, k}, f32, Dims{k, 1}), c({rows, n}, f32, Dims{n, 1}),
        weights({k, n}, f32, transposed ? Dims{1, k} : Dims{n, 1});
    dnnl::primitive_attr attributes = onednn::user_scratchpad();
    dnnl::post_ops after;
    if (accumulate) after.append_sum(1);
    attributes.set_post_ops(after);
    const dnnl::matmul::primitive_desc product({a, onednn::any_layout(weights), c}, attributes, onednn::engine());
    return {product,
            weights,
            {onednn::engine(), weights, onednn::engine(), product.weights_desc(), onednn::user_scratchpad()}};
}

}  // namespace

StepProduct::StepProduct(std::int64_t rows, std::int64_t n, std::int64_t k, bool transposed, bool accumulate,
                         std::int64_t steps)
    : rows_(rows), n_(n), k_(k), transposed_(transposed), accumulate_(accumulate) {
    // A primitive takes 2 microseconds to start, sgemm 0.3; and packing costs about as much as two products.
    if (rows * n * k < (1 << 15) || steps < 4) return;
    static auto& cache = *new PlanCache<StepProductPlan>;  // never destroyed, as oneDNN's engine
    onednn::Key key;
    key << rows << n << k << transposed << accumulate;
    plan_ = cache.find_or_make(key, [&] { return make_plan(rows, n, k, transposed, accumulate); });
}

StepProduct::~StepProduct() = default;

std::size_t StepProduct::workspace_bytes() const {
    if (!plan_) return 0;
    const std::size_t scratch =
        std::max(plan_->product.scratchpad_desc().get_size(), plan_->packing.scratchpad_desc().get_size());
    return padded(plan_->product.weights_desc().get_size()) + padded(scratch);
}

void StepProduct::prepare(float* a, float* weights, float* c, void* workspace) {
    a_ = a;
    weights_ = weights;
    c_ = c;
    if (!plan_) return;
    const dnnl::engine& engine = onednn::engine();
    const dnnl::memory packed(plan_->product.weights_desc(), engine, workspace);
    void* const scratch = static_cast<std::byte*>(workspace) + padded(packed.get_desc().get_size());
    dnnl::reorder(plan_->packing)
        .execute(onednn::stream(), {{DNNL_ARG_FROM, {plan_->weights, engine, weights}},
                                    {DNNL_ARG_TO, packed},
                                    {DNNL_ARG_SCRATCHPAD, {plan_->packing.scratchpad_desc(), engine, scratch}}});
    arguments_ = {{DNNL_ARG_SRC, {plan_->product.src_desc(), engine, a}},
                  {DNNL_ARG_WEIGHTS, packed},
                  {DNNL_ARG_DST, {plan_->product.dst_desc(), engine, c}},
                  {DNNL_ARG_SCRATCHPAD, {plan_->product.scratchpad_desc(), engine, scratch}}};
    product_ = dnnl::matmul(plan_->product);
}

void StepProduct::run() {
    if (plan_) {
        product_.execute(onednn::stream(), arguments_);
        return;
    }
    const auto status = dnnl_sgemm('N', transposed_ ? 'T' : 'N', rows_, n_, k_, 1, a_, k_, weights_,
                                   transposed_ ? k_ : n_, accumulate_ ? 1.0f : 0.0f, c_, n_);
    check(status == dnnl_success, "rnn: oneDNN's sgemm failed (status {})", static_cast<int>(status));
}

}  // namespace heddle::kernels
