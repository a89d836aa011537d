#include "kernels/pool/pool.h"

#include "kernels/cudnn/implementation.h"
#include "kernels/cudnn/register.h"

// Pooling by cuDNN, as far as it keeps the contract. Max pooling's index is Heddle's own: the position of the first
// maximum in the window, of a NaN if there is one. cuDNN states neither for its index, so max pooling that wants one,
// and the gradient that needs it, are left to the native kernels.
namespace heddle::cudnn {
namespace {

using namespace kernels;

PlanKey key_of(DType dtype, const Shape& x, const Pool2dParams& params) {
    return PlanKey() << static_cast<std::int64_t>(dtype) << x << params.kernel << params.stride << params.padding;
}

struct MaxForward {
    using Args = MaxPool2dForward;
    static Support declines(const Args& args) {
        return args.index ? Support::no("cuDNN does not say which of several maxima its index names") : Support::yes();
    }
    static std::array<View, 2> operands(const Args& args) { return {args.x, args.y}; }
    static const Planned& plan(const Args& args) {
        static Plans& plans = *new Plans;
        const bool relu = args.activation == FusedActivation::relu;
        return plans.find(args.y, key_of(args.x.dtype, args.x.shape, args.params) << relu, [&](Graph& graph) {
            auto y = graph.max_pool(graph.image(args.x.shape), args.params, args.y.shape);
            if (relu) y = graph.relu(y);
            graph.output(y);
        });
    }
};

struct AverageForward {
    using Args = AvgPool2dForward;
    static Support declines(const Args&) { return Support::yes(); }
    static std::array<View, 2> operands(const Args& args) { return {args.x, args.y}; }
    static const Planned& plan(const Args& args) {
        static Plans& plans = *new Plans;
        const PlanKey key = key_of(args.x.dtype, args.x.shape, args.params) << args.count_padding;
        return plans.find(args.y, key, [&](Graph& graph) {
            const auto x = graph.image(args.x.shape);
            graph.output(graph.average_pool(x, args.params, args.count_padding, args.y.shape));
        });
    }
};

struct AverageBackward {
    using Args = AvgPool2dBackward;
    static Support declines(const Args&) { return Support::yes(); }
    static std::array<View, 2> operands(const Args& args) { return {args.dy, args.dx}; }
    static const Planned& plan(const Args& args) {
        static Plans& plans = *new Plans;
        const PlanKey key = key_of(args.dx.dtype, args.dx.shape, args.params) << args.count_padding;
        return plans.find(args.dx, key, [&](Graph& graph) {
            const auto dy = graph.image(args.dy.shape);
            graph.output(graph.average_pool_backward(dy, args.params, args.count_padding, args.dx.shape));
        });
    }
};

}  // namespace

void register_pool() {
    max_pool2d_forward().add(implementation<MaxForward>());
    avg_pool2d_forward().add(implementation<AverageForward>());
    avg_pool2d_backward().add(implementation<AverageBackward>());
}

}  // namespace heddle::cudnn
