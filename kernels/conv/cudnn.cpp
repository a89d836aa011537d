#include <algorithm>

#include "kernels/conv/conv.h"
#include "kernels/cudnn/implementation.h"
#include "kernels/cudnn/register.h"
#include "kernels/matmul/matmul.h"

// Convolution by cuDNN. Bias, residual and ReLU are fused into the forward pass; the bias's gradient is the native
// kernel's.
namespace heddle::cudnn {
namespace {

using namespace kernels;

PlanKey key_of(DType dtype, const Shape& x, const Shape& w, const Conv2dParams& params) {
    return PlanKey() << static_cast<std::int64_t>(dtype) << x << w << params.stride << params.dilation << params.padding
                     << params.groups;
}

struct Forward {
    using Args = Conv2dForward;
    static Support declines(const Args&) { return Support::yes(); }
    static bool relu(const Args& args) { return args.activation == FusedActivation::relu; }
    /// cuDNN has kernels for convolution, and for convolution with bias, with or without an addend, and ReLU. For ReLU
    /// alone it would compile one, which took 16 s of a processor for a small case in f32.
    static bool with_bias(const Args& args) { return args.bias || args.residual || relu(args); }
    static std::array<View, 5> operands(const Args& args) {
        const View bias = args.bias || !with_bias(args) ? args.bias : zeros({args.w.shape[0]}, args.w.dtype);
        return {args.x, args.w, bias, args.residual, args.y};
    }
    static const Planned& plan(const Args& args) {
        static Plans& plans = *new Plans;
        const PlanKey key = key_of(args.x.dtype, args.x.shape, args.w.shape, args.params)
                            << with_bias(args) << args.residual.present << relu(args);
        return plans.find(args.y, key, [&](Graph& graph) {
            const auto x = graph.image(args.x.shape), w = graph.filters(args.w.shape);
            const auto bias = with_bias(args) ? graph.vector(args.w.shape[0], args.w.dtype) : Graph::Tensor();
            const auto residual = args.residual ? graph.image(args.y.shape) : Graph::Tensor();
            auto y = graph.conv(x, w, args.params, args.y.shape);
            if (residual) y = graph.add(y, residual);
            if (bias) y = graph.add(y, bias);
            if (relu(args)) y = graph.relu(y);
            graph.output(y);
        });
    }
};

struct BackwardData {
    using Args = Conv2dBackwardData;
    static Support declines(const Args&) { return Support::yes(); }
    static std::array<View, 3> operands(const Args& args) { return {args.dy, args.w, args.dx}; }
    static const Planned& plan(const Args& args) {
        static Plans& plans = *new Plans;
        const PlanKey key = key_of(args.dx.dtype, args.dx.shape, args.w.shape, args.params);
        return plans.find(args.dx, key, [&](Graph& graph) {
            const auto dy = graph.image(args.dy.shape), w = graph.filters(args.w.shape);
            graph.output(graph.conv_backward_data(dy, w, args.params, args.dx.shape));
        });
    }
};

struct BackwardWeights {
    using Args = Conv2dBackwardWeights;
    static Support declines(const Args&) { return Support::yes(); }
    static std::array<View, 3> operands(const Args& args) { return {args.dy, args.x, args.dw}; }
    static const Planned& plan(const Args& args) {
        static Plans& plans = *new Plans;
        const PlanKey key = key_of(args.x.dtype, args.x.shape, args.dw.shape, args.params);
        return plans.find(args.dw, key, [&](Graph& graph) {
            const auto dy = graph.image(args.dy.shape), x = graph.image(args.x.shape);
            graph.output(graph.conv_backward_weights(dy, x, args.params, args.dw.shape));
        });
    }
};

const Implementation<BiasGradient>& native_bias_gradient() { return *bias_gradient().find("native", DeviceKind::cuda); }

/// dbias after dw, in the same workspace.
Implementation<Conv2dBackwardWeights> backward_weights() {
    auto result = implementation<BackwardWeights>();
    result.workspace_bytes = [](const Conv2dBackwardWeights& args) {
        const std::size_t bytes = implementation<BackwardWeights>().workspace_bytes(args);
        if (!args.dbias) return bytes;
        return std::max(bytes, native_bias_gradient().workspace_bytes({.dy = args.dy, .dbias = args.dbias}));
    };
    result.run = [](const Conv2dBackwardWeights& args, KernelContext& context) {
        implementation<BackwardWeights>().run(args, context);
        if (args.dbias) native_bias_gradient().run({.dy = args.dy, .dbias = args.dbias}, context);
    };
    return result;
}

}  // namespace

void register_conv() {
    conv2d_forward().add(implementation<Forward>());
    conv2d_backward_data().add(implementation<BackwardData>());
    conv2d_backward_weights().add(backward_weights());
}

}  // namespace heddle::cudnn
