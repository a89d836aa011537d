#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/row_sums.h"
#include "kernels/softmax/implementations.h"
#include "kernels/vector_math.h"

// One pass for the maximum, one for exponentials and their sum, one to scale; a row stays in cache between them.
namespace heddle::kernels {
namespace {

// `next`: the row that is read after this one, or null. It is asked for once this one is in the cache: 8192 rows of
// 1000 take 0.78 of the time, log softmax 0.96 (two cores of a Zen 5).

HEDDLE_SIMD_CLONES void softmax_row(const float* x, const float* next, float* y, std::int64_t classes) {
    const float largest = largest_of(x, classes);
    if (next) ask_for(next, classes);
    for (std::int64_t c = 0; c < classes; ++c) y[c] = vec::exp(x[c] - largest);
    const float scale = 1.0f / sum_of(classes, [=](std::int64_t c) { return y[c]; });
    for (std::int64_t c = 0; c < classes; ++c) y[c] *= scale;
}

HEDDLE_SIMD_CLONES void log_softmax_row(const float* x, const float* next, float* y, std::int64_t classes) {
    const float largest = largest_of(x, classes);
    if (next) ask_for(next, classes);
    const float log_sum = std::log(sum_of(classes, [=](std::int64_t c) { return vec::exp(x[c] - largest); }));
    // In this order: the sum of a large maximum and a small logarithm would round the latter away.
    for (std::int64_t c = 0; c < classes; ++c) y[c] = (x[c] - largest) - log_sum;
}

HEDDLE_SIMD_CLONES void softmax_backward_row(const float* y, const float* dy, float* dx, std::int64_t classes) {
    const float sum = sum_of(classes, [=](std::int64_t c) { return dy[c] * y[c]; });
    for (std::int64_t c = 0; c < classes; ++c) dx[c] = y[c] * (dy[c] - sum);
}

HEDDLE_SIMD_CLONES void log_softmax_backward_row(const float* y, const float* dy, float* dx, std::int64_t classes) {
    const float sum = sum_of(classes, [=](std::int64_t c) { return dy[c]; });
    for (std::int64_t c = 0; c < classes; ++c) dx[c] = dy[c] - vec::exp(y[c]) * sum;
}

/// Rows per thread so that a thread gets at least some 16k elements.
std::int64_t row_grain(std::int64_t classes) {
    return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(classes, 1));
}

void forward(const SoftmaxForward& args, KernelContext&) {
    const std::int64_t classes = args.x.shape.back(), rows = args.x.elements() / std::max<std::int64_t>(classes, 1);
    const auto row = args.log ? log_softmax_row : softmax_row;
    if (args.x.dtype == DType::bf16)
        return parallel_for(rows, row_grain(classes), [&](std::int64_t first, std::int64_t last) {
            std::vector<float> x(static_cast<std::size_t>(classes)), y(x.size());
            for (std::int64_t r = first; r < last; ++r) {
                widen(args.x.as<BFloat16>() + r * classes, x.data(), classes);
                row(x.data(), nullptr, y.data(), classes);
                narrow(y.data(), args.y.as<BFloat16>() + r * classes, classes);
            }
        });
    parallel_for(rows, row_grain(classes), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t r = first; r < last; ++r) {
            const float* x = args.x.as<float>() + r * classes;
            row(x, r + 1 < last ? x + classes : nullptr, args.y.as<float>() + r * classes, classes);
        }
    });
}

void backward(const SoftmaxBackward& args, KernelContext&) {
    const std::int64_t classes = args.y.shape.back(), rows = args.y.elements() / std::max<std::int64_t>(classes, 1);
    const auto row = args.log ? log_softmax_backward_row : softmax_backward_row;
    if (args.y.dtype == DType::bf16)
        return parallel_for(rows, row_grain(classes), [&](std::int64_t first, std::int64_t last) {
            std::vector<float> y(static_cast<std::size_t>(classes)), dy(y.size()), dx(y.size());
            for (std::int64_t r = first; r < last; ++r) {
                widen(args.y.as<BFloat16>() + r * classes, y.data(), classes);
                widen(args.dy.as<BFloat16>() + r * classes, dy.data(), classes);
                row(y.data(), dy.data(), dx.data(), classes);
                narrow(dx.data(), args.dx.as<BFloat16>() + r * classes, classes);
            }
        });
    parallel_for(rows, row_grain(classes), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t r = first; r < last; ++r)
            row(args.y.as<float>() + r * classes, args.dy.as<float>() + r * classes, args.dx.as<float>() + r * classes,
                classes);
    });
}

}  // namespace

void add_cpu(KernelTable<SoftmaxForward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const SoftmaxForward& args) { return f32_or_bf16(args.x.dtype); },
               .run = forward});
}

void add_cpu(KernelTable<SoftmaxBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const SoftmaxBackward& args) { return f32_or_bf16(args.y.dtype); },
               .run = backward});
}

}  // namespace heddle::kernels
