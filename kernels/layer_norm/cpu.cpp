#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/layer_norm/implementations.h"

// A row stays in cache between its passes, so memory is read once and written once. Sums are taken in 16 partial ones,
// which fill a vector register, and joined in double.
namespace heddle::kernels {
namespace {

constexpr std::int64_t partials = 16;

struct Moments {
    float mean, inverse_deviation;
};

template <class Term>
[[gnu::always_inline]] inline double sum_of(std::int64_t size, const Term& term) {
    float sums[partials] = {};
    std::int64_t c = 0;
    for (; c + partials <= size; c += partials)
        for (std::int64_t j = 0; j < partials; ++j) sums[j] += term(c + j);
    for (std::int64_t j = 0; c + j < size; ++j) sums[j] += term(c + j);
    double total = 0;
    for (const float sum : sums) total += double(sum);
    return total;
}

HEDDLE_SIMD_CLONES Moments normalize_row(const float* x, const float* scale, const float* offset, float epsilon,
                                         float* y, std::int64_t size) {
    // About what rounding made of the mean; its small distance from the mean is taken off both moments.
    const auto about = static_cast<float>(sum_of(size, [=](std::int64_t c) { return x[c]; }) / double(size));
    const double correction = sum_of(size, [=](std::int64_t c) { return x[c] - about; }) / double(size);
    const double squares = sum_of(size, [=](std::int64_t c) { return (x[c] - about) * (x[c] - about); }) / double(size);
    const double variance = std::max(squares - correction * correction, 0.0);
    const auto inverse_deviation = static_cast<float>(1 / std::sqrt(variance + double(epsilon)));
    const auto shift = static_cast<float>(correction);
    if (scale && offset)
        for (std::int64_t c = 0; c < size; ++c)
            y[c] = (x[c] - about - shift) * inverse_deviation * scale[c] + offset[c];
    else
        for (std::int64_t c = 0; c < size; ++c)
            y[c] = (x[c] - about - shift) * inverse_deviation * (scale ? scale[c] : 1.0f) + (offset ? offset[c] : 0.0f);
    return {static_cast<float>(double(about) + correction), inverse_deviation};
}

/// dx of a row; scale is never null here.
HEDDLE_SIMD_CLONES void data_gradient_of_row(const float* x, const float* dy, const float* scale, Moments moments,
                                             float* dx, std::int64_t size) {
    const auto [mean, inverse_deviation] = moments;
    const auto sum = static_cast<float>(sum_of(size, [=](std::int64_t c) { return dy[c] * scale[c]; }) / double(size));
    const auto product = static_cast<float>(
        sum_of(size, [=](std::int64_t c) { return dy[c] * scale[c] * ((x[c] - mean) * inverse_deviation); }) /
        double(size));
#pragma GCC ivdep
    for (std::int64_t c = 0; c < size; ++c)
        dx[c] = (dy[c] * scale[c] - sum - (x[c] - mean) * inverse_deviation * product) * inverse_deviation;
}

HEDDLE_SIMD_CLONES void add_vector_gradients(const float* x, const float* dy, Moments moments, float* dscale,
                                             float* doffset, std::int64_t size) {
    const auto [mean, inverse_deviation] = moments;
#pragma GCC ivdep
    for (std::int64_t c = 0; c < size; ++c) {
        dscale[c] += dy[c] * ((x[c] - mean) * inverse_deviation);
        doffset[c] += dy[c];
    }
}

const float* floats(const View& view) { return view ? view.as<float>() : nullptr; }

void forward(const LayerNormForward& args, KernelContext&) {
    const std::int64_t size = args.x.shape.back(), rows = args.x.elements() / size;
    parallel_for(rows, std::max<std::int64_t>(1, 16384 / size), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t row = first; row < last; ++row) {
            const Moments moments =
                normalize_row(args.x.as<float>() + row * size, floats(args.scale), floats(args.offset), args.epsilon,
                              args.y.as<float>() + row * size, size);
            args.mean.as<float>()[row] = moments.mean;
            args.inverse_deviation.as<float>()[row] = moments.inverse_deviation;
        }
    });
}

/// Rows whose gradients of the vectors are added up in float; such sums are joined in double, in order, so that the
/// bits do not depend on the number of threads.
constexpr std::int64_t rows_of_part = 64;

std::int64_t parts_of(const LayerNormBackward& args) {
    const std::int64_t rows = args.x.elements() / args.x.shape.back();
    return (rows + rows_of_part - 1) / rows_of_part;
}

std::size_t workspace(const LayerNormBackward& args) {
    return static_cast<std::size_t>((2 * parts_of(args) + 1) * args.x.shape.back()) * sizeof(float);
}

void backward(const LayerNormBackward& args, KernelContext& context) {
    const std::int64_t size = args.x.shape.back(), rows = args.x.elements() / size, parts = parts_of(args);
    auto* ones = static_cast<float*>(context.workspace);
    float *dscale = ones + size, *doffset = dscale + parts * size;
    const float* scale = args.scale ? args.scale.as<float>() : ones;
    if (!args.scale) std::fill_n(ones, size, 1.0f);
    const bool vectors = args.dscale || args.doffset;
    const std::int64_t grain = std::max<std::int64_t>(1, 16384 / (size * rows_of_part));
    parallel_for(parts, grain, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t part = first; part < last; ++part) {
            if (vectors) {
                std::fill_n(dscale + part * size, size, 0.0f);
                std::fill_n(doffset + part * size, size, 0.0f);
            }
            for (std::int64_t row = part * rows_of_part; row < std::min(rows, (part + 1) * rows_of_part); ++row) {
                const float *x = args.x.as<float>() + row * size, *dy = args.dy.as<float>() + row * size;
                const Moments moments{args.mean.as<float>()[row], args.inverse_deviation.as<float>()[row]};
                if (vectors) add_vector_gradients(x, dy, moments, dscale + part * size, doffset + part * size, size);
                if (args.dx) data_gradient_of_row(x, dy, scale, moments, args.dx.as<float>() + row * size, size);
            }
        }
    });
    if (!vectors) return;
    for (std::int64_t c = 0; c < size; ++c) {
        double scale_sum = 0, offset_sum = 0;
        for (std::int64_t part = 0; part < parts; ++part) {
            scale_sum += double(dscale[part * size + c]);
            offset_sum += double(doffset[part * size + c]);
        }
        if (args.dscale) args.dscale.as<float>()[c] = static_cast<float>(scale_sum);
        if (args.doffset) args.doffset.as<float>()[c] = static_cast<float>(offset_sum);
    }
}

}  // namespace

void add_cpu(KernelTable<LayerNormForward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const LayerNormForward& args) { return only_f32(args.x.dtype); },
               .run = forward});
}

void add_cpu(KernelTable<LayerNormBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const LayerNormBackward& args) { return only_f32(args.x.dtype); },
               .workspace_bytes = workspace,
               .run = backward});
}

}  // namespace heddle::kernels
