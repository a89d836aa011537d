#include <vector>

#include "core/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/lanes.h"
#include "kernels/norm/cpu_statistics.h"
#include "kernels/norm/implementations.h"
#include "kernels/stream.h"

// Two passes over memory: the sums (and the masked gradient, where wanted), then dx, which goes through each thread's
// part backwards, so that it begins with what is still in cache. Of y the second pass needs the signs alone, which the
// first leaves it; a large dx is written past the caches. Floor: x and dy read twice, y once, dx written once.
namespace heddle::kernels {
namespace {

bool is_relu(const BatchNormBackward& args) { return args.activation == FusedActivation::relu; }

/// Whether the first pass leaves signs to the second: not where it stores the masked gradient anyhow.
bool leaves_signs(const BatchNormBackward& args, const Strips& strips) {
    return is_relu(args) && args.training && args.dx && !args.dresidual && strips.strip % lanes == 0;
}

std::int64_t sign_words_of_chunk(const Strips& strips) { return sign_words(strips.chunk_rows * strips.channels); }

std::size_t workspace(const BatchNormBackward& args) {
    const Strips strips = strips_of(args.x);
    const std::int64_t words = leaves_signs(args, strips) ? strips.chunks * sign_words_of_chunk(strips) : 0;
    return static_cast<std::size_t>(2 * strips.chunks * strips.channels) * sizeof(double) +
           static_cast<std::size_t>(4 * strips.strip) * sizeof(float) +
           static_cast<std::size_t>(words) * sizeof(std::uint32_t);
}

template <class T>
const T* offset_by(const View& view, std::int64_t elements) {
    return view ? view.as<T>() + elements : nullptr;
}

HEDDLE_SIMD_CLONES void join_chunks(const Strips& strips, double* totals) { join_totals(strips, totals); }

template <class T>
void backward_in(const BatchNormBackward& args, KernelContext& context) {
    const Strips strips = strips_of(args.x);
    const std::int64_t channels = strips.channels;
    auto* sums = static_cast<double*>(context.workspace);
    double* products = sums + strips.chunks * channels;
    auto* mean = reinterpret_cast<float*>(products + strips.chunks * channels);
    float *factor = mean + strips.strip, *slope = factor + strips.strip, *constant = slope + strips.strip;
    const bool by_signs = leaves_signs(args, strips);
    auto* const signs = reinterpret_cast<std::uint32_t*>(constant + strips.strip);
    const std::int64_t words = sign_words_of_chunk(strips);
    const View y = is_relu(args) ? args.y : View();

    // Without signs the first pass stores the masked gradient where it can (a new array of its own would cost more than
    // reading y twice); the second then reads it instead of dy and y.
    const bool in_place = args.dx && args.dx.data == args.dy.data;
    const View stored = args.dresidual ? args.dresidual : (in_place && args.training && !by_signs ? args.dx : View());

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
                const std::int64_t count = strips.rows_in(chunk) * channels;
                Mask<T> mask{.y = offset_by<T>(y, start)};
                if (by_signs) {
                    find_signs(count, mask.y, signs + chunk * words);
                    mask = {.signs = signs + chunk * words};
                }
                add_gradients(strips, count, args.x.as<T>() + start, mask, args.dy.as<T>() + start, mean, sum.data(),
                              product.data(), store ? stored.as<T>() + start : nullptr);
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
    const View gradient = stored ? stored : args.dy, masked_by = stored ? View() : y;
    const auto run = [&](std::int64_t chunk, std::int64_t first, std::int64_t count, T* dx) {
        const std::int64_t start = strips.first_row(chunk) * channels + first;
        const T *g = gradient.as<T>() + start, *mask = offset_by<T>(masked_by, start);
        if (!through_statistics) return scaled_gradient(strips, count, mask, g, factor, dx);
        data_gradient(strips, count, args.x.as<T>() + start,
                      by_signs ? Mask<T>{.signs = signs + chunk * words, .first = first} : Mask<T>{.y = mask}, g, mean,
                      factor, slope, constant, dx);
    };
    const bool streamed =
        static_cast<std::size_t>(args.dx.elements()) * sizeof(T) >= streamed_bytes && args.dx.data != gradient.data;
    // What is computed before it is streamed out: whole strips, in the first cache.
    const std::int64_t part = std::max<std::int64_t>(2048 / strips.strip, 1) * strips.strip;
    parallel_for(strips.chunks, 1, [&](std::int64_t first, std::int64_t last) {
        std::vector<T> parts(static_cast<std::size_t>(streamed ? part : 0));
        for (std::int64_t chunk = last - 1; chunk >= first; --chunk) {
            T* const dx = args.dx.as<T>() + strips.first_row(chunk) * channels;
            const std::int64_t end = strips.rows_in(chunk) * channels;
            if (!streamed) run(chunk, 0, end, dx);
            for (std::int64_t i = 0; streamed && i < end; i += part) {
                const std::int64_t count = std::min(part, end - i);
                run(chunk, i, count, parts.data());
                stream_out(parts.data(), dx + i, static_cast<std::size_t>(count) * sizeof(T));
            }
        }
        if (streamed) finish_stream();
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
