#include "kernels/rnn/cpu_product.h"

#include <algorithm>

#include "core/check.h"

namespace heddle::kernels {

/// The primitive, with weights in its own layout, and the way there.
struct PackedProductPlan {
    dnnl::matmul::primitive_desc product;
    dnnl::memory::desc weights;  // as they come
    dnnl::reorder::primitive_desc packing;
};

namespace {

constexpr std::size_t padded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

PackedProductPlan make_plan(std::int64_t rows, std::int64_t n, std::int64_t k, bool transposed, bool accumulate) {
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

PackedProduct::PackedProduct(std::int64_t rows, std::int64_t n, std::int64_t k, bool transposed, bool accumulate,
                             std::int64_t runs)
    : rows_(rows), n_(n), k_(k), transposed_(transposed), accumulate_(accumulate) {
    // A primitive takes 2 microseconds to start, sgemm 0.3; packing costs about as much as two products of few rows.
    if (n == 1 || rows * n * k < (1 << 15) || runs < (rows < 128 ? 4 : 2)) return;
    static auto& cache = *new PlanCache<PackedProductPlan>;  // never destroyed, as oneDNN's engine
    onednn::Key key;
    key << rows << n << k << transposed << accumulate;
    plan_ = cache.find_or_make(key, [&] { return make_plan(rows, n, k, transposed, accumulate); });
}

PackedProduct::~PackedProduct() = default;
PackedProduct::PackedProduct(PackedProduct&&) noexcept = default;

std::size_t PackedProduct::workspace_bytes() const {
    if (!plan_) return 0;
    const std::size_t scratch =
        std::max(plan_->product.scratchpad_desc().get_size(), plan_->packing.scratchpad_desc().get_size());
    return padded(plan_->product.weights_desc().get_size()) + padded(scratch);
}

void PackedProduct::prepare(const float* weights, void* workspace) {
    weights_ = weights;
    if (!plan_) return;
    const onednn::ThreadScope scope;
    const dnnl::engine& engine = onednn::engine();
    const dnnl::memory packed(plan_->product.weights_desc(), engine, workspace);
    void* const scratch = static_cast<std::byte*>(workspace) + padded(packed.get_desc().get_size());
    dnnl::reorder(plan_->packing)
        .execute(onednn::stream(), {{DNNL_ARG_FROM, {plan_->weights, engine, const_cast<float*>(weights)}},
                                    {DNNL_ARG_TO, packed},
                                    {DNNL_ARG_SCRATCHPAD, {plan_->packing.scratchpad_desc(), engine, scratch}}});
    arguments_ = {{DNNL_ARG_SRC, {plan_->product.src_desc(), engine, nullptr}},
                  {DNNL_ARG_WEIGHTS, packed},
                  {DNNL_ARG_DST, {plan_->product.dst_desc(), engine, nullptr}},
                  {DNNL_ARG_SCRATCHPAD, {plan_->product.scratchpad_desc(), engine, scratch}}};
    product_ = dnnl::matmul(plan_->product);
}

void PackedProduct::run(const float* a, float* c) {
    const onednn::ThreadScope scope;
    if (plan_) {
        arguments_.at(DNNL_ARG_SRC).set_data_handle(const_cast<float*>(a));
        arguments_.at(DNNL_ARG_DST).set_data_handle(c);
        product_.execute(onednn::stream(), arguments_);
        return;
    }
    if (k_ == 0 && !accumulate_) std::fill_n(c, rows_ * n_, 0.0f);
    if (rows_ * n_ * k_ == 0) return;
    const auto status = dnnl_sgemm('N', transposed_ ? 'T' : 'N', rows_, n_, k_, 1, a, k_, weights_,
                                   transposed_ ? k_ : n_, accumulate_ ? 1.0f : 0.0f, c, n_);
    check(status == dnnl_success, "rnn: oneDNN's sgemm failed (status {})", static_cast<int>(status));
}

}  // namespace heddle::kernels
