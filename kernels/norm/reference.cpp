#include <cmath>

#include "kernels/dispatch.h"
#include "kernels/norm/implementations.h"

// One channel after the other; all sums in f64.
namespace heddle::kernels {
namespace {

template <class T>
double channel_value(const View& vector, std::int64_t channel, double absent) {
    return vector ? double(vector.as<T>()[channel]) : absent;
}

double activate(FusedActivation activation, double value) {
    return activation == FusedActivation::relu && value < 0 ? 0 : value;
}

template <class T>
void forward(const BatchNormForward& args) {
    const std::int64_t channels = args.x.shape.back(), count = args.x.elements(), rows = count / channels;
    const T* x = args.x.as<T>();
    for (std::int64_t c = 0; c < channels; ++c) {
        double sum = 0, squares = 0;
        for (std::int64_t i = c; i < count; i += channels) sum += x[i];
        const double mean = sum / double(rows);
        for (std::int64_t i = c; i < count; i += channels) squares += (x[i] - mean) * (x[i] - mean);
        const double variance = squares / double(rows), inverse_deviation = 1 / std::sqrt(variance + args.epsilon);
        args.mean.as<T>()[c] = static_cast<T>(mean);
        args.inverse_deviation.as<T>()[c] = static_cast<T>(inverse_deviation);

        const double taken = args.momentum, kept = 1 - taken;
        if (args.running_mean) {
            T& running = args.running_mean.as<T>()[c];
            running = static_cast<T>(kept * running + taken * mean);
        }
        if (args.running_variance) {
            const bool unbiased = args.unbiased_running_variance && rows > 1;
            T& running = args.running_variance.as<T>()[c];
            running = static_cast<T>(kept * running + taken * (unbiased ? squares / double(rows - 1) : variance));
        }

        const double scale = channel_value<T>(args.scale, c, 1), offset = channel_value<T>(args.offset, c, 0);
        for (std::int64_t i = c; i < count; i += channels) {
            const double normalized = (x[i] - mean) * inverse_deviation;
            const double residual = args.residual ? double(args.residual.as<T>()[i]) : 0;
            args.y.as<T>()[i] = static_cast<T>(activate(args.activation, normalized * scale + offset + residual));
        }
    }
}

template <class T>
void inference(const BatchNormInference& args) {
    const std::int64_t channels = args.x.shape.back(), count = args.x.elements();
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t c = i % channels;
        const double deviation = std::sqrt(double(args.variance.as<T>()[c]) + args.epsilon);
        const double normalized = (double(args.x.as<T>()[i]) - args.mean.as<T>()[c]) / deviation;
        const double residual = args.residual ? double(args.residual.as<T>()[i]) : 0;
        const double value =
            normalized * channel_value<T>(args.scale, c, 1) + channel_value<T>(args.offset, c, 0) + residual;
        args.y.as<T>()[i] = static_cast<T>(activate(args.activation, value));
    }
}

template <class T>
void backward(const BatchNormBackward& args) {
    const std::int64_t channels = args.x.shape.back(), count = args.x.elements(), rows = count / channels;
    const T* x = args.x.as<T>();
    const T* dy = args.dy.as<T>();
    const auto masked = [&](std::int64_t i) {
        return args.activation == FusedActivation::none || args.y.as<T>()[i] > 0 ? double(dy[i]) : 0.0;
    };
    for (std::int64_t c = 0; c < channels; ++c) {
        const double mean = args.mean.as<T>()[c], inverse_deviation = args.inverse_deviation.as<T>()[c];
        double dscale = 0, doffset = 0;
        for (std::int64_t i = c; i < count; i += channels) {
            doffset += masked(i);
            dscale += masked(i) * (x[i] - mean) * inverse_deviation;
        }
        if (args.dscale) args.dscale.as<T>()[c] = static_cast<T>(dscale);
        if (args.doffset) args.doffset.as<T>()[c] = static_cast<T>(doffset);

        const double factor = channel_value<T>(args.scale, c, 1) * inverse_deviation;
        for (std::int64_t i = c; i < count; i += channels) {
            const double g = masked(i), normalized = (x[i] - mean) * inverse_deviation;
            const double through_statistics = args.training ? (doffset + normalized * dscale) / double(rows) : 0;
            if (args.dresidual) args.dresidual.as<T>()[i] = static_cast<T>(g);
            if (args.dx) args.dx.as<T>()[i] = static_cast<T>(factor * (g - through_statistics));
        }
    }
}

}  // namespace

void add_reference(KernelTable<BatchNormForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const BatchNormForward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const BatchNormForward& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { forward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<BatchNormInference>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const BatchNormInference& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const BatchNormInference& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { inference<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<BatchNormBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const BatchNormBackward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const BatchNormBackward& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { backward<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
