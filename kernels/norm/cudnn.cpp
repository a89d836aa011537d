#include <bit>

#include "kernels/cudnn/implementation.h"
#include "kernels/cudnn/register.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/norm/norm.h"

// Batch normalisation by cuDNN, with the residual and ReLU fused.
namespace heddle::cudnn {
namespace {

using namespace kernels;

std::int64_t rows(const View& x) { return x.elements() / x.shape.back(); }

bool relu(FusedActivation activation) { return activation == FusedActivation::relu; }

/// What a graph depends on: extents, dtype, activation, and which operands are there.
template <std::size_t n>
PlanKey key_of(const View& x, FusedActivation activation, const std::array<View, n>& operands) {
    PlanKey key;
    key << static_cast<std::int64_t>(x.dtype) << x.shape << relu(activation);
    for (const View& view : operands) key << view.present;
    return key;
}

std::int64_t bits(float value) { return std::bit_cast<std::int32_t>(value); }

Support declines_vectors(const View& scale, const View& offset) {
    return scale && offset ? Support::yes() : Support::no("cuDNN's batch normalisation has a scale and an offset");
}

struct Forward {
    using Args = BatchNormForward;
    static Support declines(const Args& args) {
        if (args.running_mean.present != args.running_variance.present)
            return Support::no("cuDNN keeps the running mean and the running variance, or none");
        if (args.running_mean && rows(args.x) == 1) return Support::no("a single row has no unbiased variance");
        return declines_vectors(args.scale, args.offset);
    }
    static std::array<View, 11> operands(const Args& args) {
        return {args.x,
                args.scale,
                args.offset,
                args.residual,
                args.running_mean,
                args.running_variance,
                args.y,
                args.mean,
                args.inverse_deviation,
                args.running_mean,
                args.running_variance};
    }
    static const Planned& plan(const Args& args) {
        static Plans& plans = *new Plans;
        const PlanKey key = key_of(args.x, args.activation, operands(args))
                            << bits(args.epsilon) << bits(args.momentum);
        return plans.find(args.y, key, [&](Graph& graph) {
            const auto x = graph.image(args.x.shape), scale = graph.vector(args.scale),
                       offset = graph.vector(args.offset);
            const auto residual = args.residual ? graph.image(args.residual.shape) : Graph::Tensor();
            Graph::Running running;
            if (args.running_mean)
                running = {graph.vector(args.running_mean), graph.vector(args.running_variance),
                           graph.constant(args.momentum)};
            const auto [normalised, mean, inverse_deviation, next_mean, next_variance] =
                graph.batch_norm(x, scale, offset, args.epsilon, running);
            auto y = normalised;
            if (residual) y = graph.add(y, residual);
            if (relu(args.activation)) y = graph.relu(y);
            graph.output(y);
            graph.output(mean, args.mean.dtype);
            graph.output(inverse_deviation, args.mean.dtype);
            if (!args.running_mean) return;
            graph.output(next_mean, args.mean.dtype);
            graph.output(next_variance, args.mean.dtype);
        });
    }
};

/// cuDNN's running variance takes the unbiased variance of the batch, n / (n - 1) times the biased one. Where the
/// caller keeps the biased one (Keras), everything is that much larger while cuDNN works on it.
Implementation<BatchNormForward> forward() {
    auto result = implementation<Forward>();
    result.run = [](const BatchNormForward& args, KernelContext& context) {
        const auto& scaling = *scalar_binary().find("native", DeviceKind::cuda);
        const bool biased = args.running_variance && !args.unbiased_running_variance;
        const double n = static_cast<double>(rows(args.x)), larger = n / (n - 1);
        const View& variance = args.running_variance;
        if (biased) scaling.run({BinaryOp::multiply, larger, false, variance, variance}, context);
        implementation<Forward>().run(args, context);
        if (biased) scaling.run({BinaryOp::multiply, 1 / larger, false, variance, variance}, context);
    };
    return result;
}

/// cuDNN has no batch normalisation with fixed statistics; it is a few operations element by element.
struct Inference {
    using Args = BatchNormInference;
    static Support declines(const Args&) { return Support::yes(); }
    static std::array<View, 7> operands(const Args& args) {
        return {args.x, args.mean, args.variance, args.scale, args.offset, args.residual, args.y};
    }
    static const Planned& plan(const Args& args) {
        static Plans& plans = *new Plans;
        const PlanKey key = key_of(args.x, args.activation, operands(args)) << bits(args.epsilon);
        return plans.find(args.y, key, [&](Graph& graph) {
            const auto x = graph.image(args.x.shape), mean = graph.vector(args.mean),
                       variance = graph.vector(args.variance);
            const auto scale = args.scale ? graph.vector(args.scale) : Graph::Tensor();
            const auto offset = args.offset ? graph.vector(args.offset) : Graph::Tensor();
            const auto residual = args.residual ? graph.image(args.residual.shape) : Graph::Tensor();
            const auto inverse_deviation = graph.inverse_root(graph.add(variance, graph.constant(args.epsilon)));
            auto y = graph.multiply(graph.subtract(x, mean), inverse_deviation);
            if (scale) y = graph.multiply(y, scale);
            if (offset) y = graph.add(y, offset);
            if (residual) y = graph.add(y, residual);
            if (relu(args.activation)) y = graph.relu(y);
            graph.output(y);
        });
    }
};

struct Backward {
    using Args = BatchNormBackward;
    static Support declines(const Args& args) {
        if (!args.training) return Support::no("cuDNN's gradient is that of training, not of fixed statistics");
        if (!args.scale) return Support::no("cuDNN's batch normalisation has a scale");
        if (!args.dx && !args.dscale && !args.doffset) return Support::no("no gradient that needs the batch is wanted");
        if (args.dresidual && !relu(args.activation)) return Support::no("dresidual without ReLU is a copy of dy");
        return Support::yes();
    }
    static std::array<View, 10> operands(const Args& args) {
        const Shape& channels = args.mean.shape;
        const DType wide = args.mean.dtype;
        return {args.dy,
                relu(args.activation) ? args.y : View(),
                args.x,
                args.scale,
                args.mean,
                args.inverse_deviation,
                args.dresidual,
                args.dx ? args.dx : unwanted(args.x.shape, args.x.dtype),
                args.dscale ? args.dscale : unwanted(channels, wide),
                args.doffset ? args.doffset : unwanted(channels, wide)};
    }
    static const Planned& plan(const Args& args) {
        static Plans& plans = *new Plans;
        const PlanKey key = key_of(args.x, args.activation, operands(args));
        return plans.find(args.x, key, [&](Graph& graph) {
            const auto dy = graph.image(args.dy.shape);
            const auto y = relu(args.activation) ? graph.image(args.y.shape) : Graph::Tensor();
            const auto x = graph.image(args.x.shape), scale = graph.vector(args.scale), mean = graph.vector(args.mean),
                       inverse_deviation = graph.vector(args.inverse_deviation);
            const auto g = y ? graph.relu_backward(dy, y) : dy;
            if (args.dresidual) graph.output(g);
            const auto [dx, dscale, doffset] = graph.batch_norm_backward(g, x, scale, mean, inverse_deviation);
            graph.output(dx);
            graph.output(dscale, args.mean.dtype);
            graph.output(doffset, args.mean.dtype);
        });
    }
};

}  // namespace

void register_batch_norm() {
    batch_norm_forward().add(forward());
    batch_norm_inference().add(implementation<Inference>());
    batch_norm_backward().add(implementation<Backward>());
}

}  // namespace heddle::cudnn
