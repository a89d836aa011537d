#include "kernels/conv/cpu_plans.h"

#include <array>
#include <string_view>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"

namespace heddle::kernels {
namespace {

using dnnl::memory;

/// A convolution in oneDNN's terms: layouts outside (the caller's) and inside (what the primitive is asked to take).
struct Problem {
    memory::desc x, w, y, bias;
    memory::desc inner_x, inner_w, inner_y;
    memory::dims stride, dilation, begin, end;
    dnnl::algorithm algorithm;

    Problem(const ConvOperands& operands, const View& bias_view, const Conv2dParams& params, ConvAlgorithm wanted)
        : x(onednn::images(operands.x.shape, operands.x.dtype)),
          w(onednn::filters(operands.w.shape, params.groups, operands.w.dtype)),
          y(onednn::images(operands.y.shape, operands.y.dtype)),
          inner_x(x),
          inner_w(onednn::any_layout(w)),
          inner_y(y),
          stride{params.stride[0], params.stride[1]},
          dilation{params.dilation[0] - 1, params.dilation[1] - 1},  // oneDNN counts the gaps
          begin{params.padding[0], params.padding[2]},
          algorithm(dnnl::algorithm::convolution_direct) {
        // What the padding at the end must be for oneDNN's own check: exactly what the last window reaches.
        for (int axis = 0; axis < 2; ++axis) {
            const auto a = static_cast<std::size_t>(axis);
            const std::int64_t reach = (operands.y.shape[1 + axis] - 1) * params.stride[a] +
                                       (operands.w.shape[1 + axis] - 1) * params.dilation[a] + 1;
            end.push_back(reach - operands.x.shape[1 + axis] - begin[a]);
        }
        if (bias_view) bias = onednn::dense(bias_view.shape, bias_view.dtype);
        if (wanted == ConvAlgorithm::winograd) {
            algorithm = dnnl::algorithm::convolution_winograd;
            inner_x = memory::desc(x.dims(), x.data_type(), memory::format_tag::nChw16c);
            inner_y = memory::desc(y.dims(), y.data_type(), memory::format_tag::nChw16c);
        }
    }

    bool has_bias() const { return !bias.is_zero(); }
};

/// The hint that oneDNN wants for a backward primitive.
dnnl::convolution_forward::primitive_desc forward_hint(const Problem& p) {
    return {{dnnl::prop_kind::forward_training, p.algorithm, p.inner_x, p.inner_w, p.inner_y, p.stride, p.dilation,
             p.begin, p.end},
            onednn::user_scratchpad(),
            onednn::engine()};
}

ConvPlan make(const Conv2dForward& args, ConvAlgorithm algorithm) {
    const Problem p(operands(args), args.bias, args.params, algorithm);
    // Always the training kind: in inference Winograd wants its weights in a layout for which there is no reorder.
    const auto kind = dnnl::prop_kind::forward_training;
    const auto descriptor = p.has_bias()
                                ? dnnl::convolution_forward::desc(kind, p.algorithm, p.inner_x, p.inner_w, p.bias,
                                                                  p.inner_y, p.stride, p.dilation, p.begin, p.end)
                                : dnnl::convolution_forward::desc(kind, p.algorithm, p.inner_x, p.inner_w, p.inner_y,
                                                                  p.stride, p.dilation, p.begin, p.end);
    const dnnl::convolution_forward::primitive_desc description(descriptor, onednn::user_scratchpad(),
                                                                onednn::engine());
    std::vector<onednn::Plan::Operand> list{{DNNL_ARG_SRC, p.x}, {DNNL_ARG_WEIGHTS, p.w}, {DNNL_ARG_DST, p.y, true}};
    if (p.has_bias()) list.push_back({DNNL_ARG_BIAS, p.bias});
    return {{dnnl::convolution_forward(description), description, std::move(list)}};
}

ConvPlan make(const Conv2dBackwardData& args, ConvAlgorithm algorithm) {
    const Problem p(operands(args), View(), args.params, algorithm);
    const dnnl::convolution_backward_data::primitive_desc description(
        {p.algorithm, p.inner_x, p.inner_w, p.inner_y, p.stride, p.dilation, p.begin, p.end}, onednn::user_scratchpad(),
        onednn::engine(), forward_hint(p));
    return {{dnnl::convolution_backward_data(description),
             description,
             {{DNNL_ARG_DIFF_DST, p.y}, {DNNL_ARG_WEIGHTS, p.w}, {DNNL_ARG_DIFF_SRC, p.x, true}}}};
}

ConvPlan make(const Conv2dBackwardWeights& args, ConvAlgorithm algorithm) {
    const Problem p(operands(args), args.dbias, args.params, algorithm);
    using Descriptor = dnnl::convolution_backward_weights::desc;
    const Descriptor descriptor =
        p.has_bias()
            ? Descriptor(p.algorithm, p.inner_x, p.inner_w, p.bias, p.inner_y, p.stride, p.dilation, p.begin, p.end)
            : Descriptor(p.algorithm, p.inner_x, p.inner_w, p.inner_y, p.stride, p.dilation, p.begin, p.end);
    const dnnl::convolution_backward_weights::primitive_desc description(descriptor, onednn::user_scratchpad(),
                                                                         onednn::engine(), forward_hint(p));
    // Seen with oneDNN 2.6.3; the next kernel that it would offer for these fails, too.
    if (std::string_view(description.impl_info_str()) == "jit_1x1:avx2" && args.dw.shape[3] < 8 &&
        args.params.stride != Conv2dParams().stride)
        return {{}, "oneDNN's AVX2 kernel for one tap with a stride gives wrong sums of fewer than 8 channels"};
    std::vector<onednn::Plan::Operand> list{
        {DNNL_ARG_SRC, p.x}, {DNNL_ARG_DIFF_DST, p.y}, {DNNL_ARG_DIFF_WEIGHTS, p.w, true}};
    if (p.has_bias()) list.push_back({DNNL_ARG_DIFF_BIAS, p.bias, true});
    return {{dnnl::convolution_backward_weights(description), description, std::move(list)}};
}

template <class T>
[[gnu::always_inline]] inline void relu_in(T* y, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) store(y[i], load(y[i]) < 0 ? 0 : load(y[i]));
}
HEDDLE_SIMD_CLONES void relu(float* y, std::int64_t count) { relu_in(y, count); }
HEDDLE_SIMD_CLONES void relu(BFloat16* y, std::int64_t count) { relu_in(y, count); }

/// y = activation(y + addend)
template <class T>
[[gnu::always_inline]] inline void add_in(T* y, const T* addend, bool relu, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        const float value = load(y[i]) + load(addend[i]);
        store(y[i], relu && value < 0 ? 0 : value);
    }
}
HEDDLE_SIMD_CLONES void add(float* y, const float* addend, bool relu, std::int64_t count) {
    add_in(y, addend, relu, count);
}
HEDDLE_SIMD_CLONES void add(BFloat16* y, const BFloat16* addend, bool relu, std::int64_t count) {
    add_in(y, addend, relu, count);
}

/// Bytes for the convolution where it cannot go to y, which holds the residual.
std::size_t copy_bytes(const Conv2dForward& args) {
    if (!args.residual || args.residual.data != args.y.data) return 0;
    return (static_cast<std::size_t>(args.y.elements()) * size_of(args.y.dtype) + 63) / 64 * 64;
}

template <class Args>
std::shared_ptr<const ConvPlan> cached(const Args& args, std::int64_t variant, ConvAlgorithm algorithm) {
    static auto& cache = *new PlanCache<ConvPlan>;  // one per operation; never destroyed, as oneDNN's engine
    const ConvOperands o = operands(args);
    onednn::Key key;
    key << o.x.shape << o.w.shape << o.y.shape << args.params.stride << args.params.dilation << args.params.padding
        << args.params.groups << static_cast<std::int64_t>(o.x.dtype) << variant
        << static_cast<std::int64_t>(algorithm);
    return cache.find_or_make(key, [&]() -> ConvPlan {
        const onednn::ThreadScope scope;
        try {
            return make(args, algorithm);
        } catch (const dnnl::error& error) {
            if (error.status != dnnl_unimplemented) throw;
            return {{}, "oneDNN has no such convolution"};
        }
    });
}

}  // namespace

std::shared_ptr<const ConvPlan> conv_plan(const Conv2dForward& args, ConvAlgorithm algorithm) {
    return cached(args, args.bias ? 1 : 0, algorithm);
}

std::shared_ptr<const ConvPlan> conv_plan(const Conv2dBackwardData& args, ConvAlgorithm algorithm) {
    return cached(args, 0, algorithm);
}

std::shared_ptr<const ConvPlan> conv_plan(const Conv2dBackwardWeights& args, ConvAlgorithm algorithm) {
    return cached(args, args.dbias ? 1 : 0, algorithm);
}

std::size_t conv_workspace_bytes(const Conv2dForward& args, ConvAlgorithm algorithm) {
    return copy_bytes(args) + conv_plan(args, algorithm)->plan.workspace_bytes();
}

std::size_t conv_workspace_bytes(const Conv2dBackwardData& args, ConvAlgorithm algorithm) {
    return conv_plan(args, algorithm)->plan.workspace_bytes();
}

std::size_t conv_workspace_bytes(const Conv2dBackwardWeights& args, ConvAlgorithm algorithm) {
    return conv_plan(args, algorithm)->plan.workspace_bytes();
}

void run_conv_plan(const Conv2dForward& args, KernelContext& context, ConvAlgorithm algorithm) {
    const std::size_t copy = copy_bytes(args);
    void* const convolved = copy > 0 ? context.workspace : args.y.data;
    const View addend = copy > 0 ? View(convolved, args.y.shape, args.y.dtype) : args.residual;
    conv_plan(args, algorithm)
        ->plan.run(std::array{args.x.data, args.w.data, convolved, args.bias.data},
                   static_cast<std::byte*>(context.workspace) + copy);
    // oneDNN's own ReLU turns NaN into 0, which would hide a diverging model.
    const bool with_relu = args.activation == FusedActivation::relu;
    if (!with_relu && !addend) return;
    with_f32_or_bf16(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        parallel_for(args.y.elements(), 16384, [&](std::int64_t first, std::int64_t last) {
            T* const y = args.y.as<T>() + first;
            addend ? add(y, addend.as<T>() + first, with_relu, last - first) : relu(y, last - first);
        });
    });
}

void run_conv_plan(const Conv2dBackwardData& args, KernelContext& context, ConvAlgorithm algorithm) {
    conv_plan(args, algorithm)->plan.run(std::array{args.dy.data, args.w.data, args.dx.data}, context.workspace);
}

void run_conv_plan(const Conv2dBackwardWeights& args, KernelContext& context, ConvAlgorithm algorithm) {
    conv_plan(args, algorithm)
        ->plan.run(std::array{args.x.data, args.dy.data, args.dw.data, args.dbias.data}, context.workspace);
}

}  // namespace heddle::kernels
