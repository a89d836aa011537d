#include <vector>

#include "core/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/norm/cpu_loops.h"
#include "kernels/norm/implementations.h"

// Two passes over memory: the sums (and the masked gradient, where wanted), then dx, which goes through each thread's
// part backwards, so that it begins with what is still in cache.
namespace heddle::kernels {
namespace {

Strips strips_of(const BatchNormBackward& args) {
    const std::int64_t channels = args.x.shape.back();
    return Strips(channels > 0 ? args.x.elements() / channels : 0, channels);
}

std::size_t workspace(const BatchNormBackward& args) {
    const Strips strips = strips_of(args);
    return static_cast<std::size_t>(2 * strips.chunks * strips.channels) * sizeof(double) +
           static_cast<std::size_t>(4 * strips.strip) * sizeof(float);
}

template <class T>
const T* offset_by(const View& view, std::int64_t elements) {
    return view ? view.as<T>() + elements : nullptr;
}

HEDDLE_SIMD_CLONES void join_chunks(const Strips& strips, double* totals) { join_totals(strips, totals); }

template <class T>
void backward_in(const BatchNormBackward& args, KernelContext& context) {
    const Strips strips = strips_of(args);
    const std::int64_t channels = strips.channels;
    auto* sums = static_cast<double*>(context.workspace);
    double* products = sums + strips.chunks * channels;
    auto* mean = reinterpret_cast<float*>(products + strips.chunks * channels);
    float *factor = mean + strips.strip, *slope = factor + strips.strip, *constant = slope + strips.strip;
    const View y = args.activation == FusedActivation::relu ? args.y : View();

    // The first pass stores the masked gradient where it can (a new array of its own would cost more than reading y
    // twice); the second then reads it instead of dy and y.
    const bool in_place = args.dx && args.dx.data == args.dy.data;
    const View stored = args.dresidual ? args.dresidual : (in_place && args.training ? args.dx : View());

    std::copy_n(args.mean.as<float>(), channels, mean);
    repeat_first_row(strips, mean);
    const bool through_statistics = args.training && args.dx;
    if (through_statistics || args.dscale || args.doffset || args.dresidual) {
        const bool store = stored && (y || stored.data != args.dy.data);
        parallel_for(strips.chunks, 1, [&](std::int64_t first, std::int64_t last) {
            std::vector<float> sum(static_cast<std::size_t>(strips.strip)), product(sum.size());
            for (std::int64_t chunk = first; chunk < last; ++chunk) {
                const std::int64_t start = strips.first_row(chunk) * channels;
                std::fill(sum.begin(), sum.end(), 0.0f);
                std::fill(product.begin(), product.end(), 0.0f);
                add_gradients(strips, strips.rows_in(chunk) * channels, args.x.as<T>() + start, offset_by<T>(y, start),
                              args.dy.as<T>() + start, mean, sum.data(), product.data(),
                              store ? stored.as<T>() + start : nullptr);
                fold(strips, sum.data(), sums + chunk * channels);
                fold(strips, product.data(), products + chunk * channels);
            }
        });
        join_chunks(strips, sums);
        join_chunks(strips, products);
    }
    for (std::int64_t c = 0; c < channels; ++c) {
        const double inverse_deviation = args.inverse_deviation.as<float>()[c];
        const double scaled = (args.scale ? args.scale.as<float>()[c] : 1.0f) * inverse_deviation;
        factor[c] = static_cast<float>(scaled);
        if (args.doffset) args.doffset.as<float>()[c] = static_cast<float>(sums[c]);
        if (args.dscale) args.dscale.as<float>()[c] = static_cast<float>(products[c] * inverse_deviation);
        if (through_statistics) {
            const double per_row = scaled / double(strips.rows);
            slope[c] = static_cast<float>(per_row * products[c] * inverse_deviation * inverse_deviation);
            constant[c] = static_cast<float>(per_row * sums[c]);
        }
    }
    if (!args.dx) return;

    repeat_first_row(strips, factor);
    if (through_statistics) {
        repeat_first_row(strips, slope);
        repeat_first_row(strips, constant);
    }
    const View gradient = stored ? stored : args.dy, mask = stored ? View() : y;
    parallel_for(strips.chunks, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t chunk = last - 1; chunk >= first; --chunk) {
            const std::int64_t start = strips.first_row(chunk) * channels;
            const std::int64_t count = strips.rows_in(chunk) * channels;
            const T *g = gradient.as<T>() + start, *masked_by = offset_by<T>(mask, start);
            T* dx = args.dx.as<T>() + start;
            if (through_statistics)
                data_gradient(strips, count, args.x.as<T>() + start, masked_by, g, mean, factor, slope, constant, dx);
            else
                scaled_gradient(strips, count, masked_by, g, factor, dx);
        }
    });
}

void backward(const BatchNormBackward& args, KernelContext& context) {
    with_f32_or_bf16(args.x.dtype, [&](auto zero) { backward_in<decltype(zero)>(args, context); });
}

}  // namespace

void add_cpu(KernelTable<BatchNormBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::fast,
               .supports = [](const BatchNormBackward& args) { return f32_or_bf16(args.x.dtype); },
               .workspace_bytes = workspace,
               .run = backward});
}

}  // namespace heddle::kernels
