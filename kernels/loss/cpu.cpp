#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/loss/implementations.h"
#include "kernels/loss/labels.h"
#include "kernels/vector_math.h"

// Cross-entropy reads a row of logits from memory once; its passes (maximum, exponentials, gradient) find it in cache.
namespace heddle::kernels {
namespace {

[[gnu::always_inline]] inline float largest_of(const float* x, std::int64_t classes) {
    float largest = x[0];
#pragma omp simd reduction(max : largest)
    for (std::int64_t c = 1; c < classes; ++c) largest = x[c] > largest ? x[c] : largest;
    return largest;
}

/// sum_c (x_c - largest)
HEDDLE_SIMD_CLONES float shifted_total(const float* x, float largest, std::int64_t classes) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t c = 0; c < classes; ++c) total += x[c] - largest;
    return total;
}

/// sum_c q_c (log_sum - (x_c - largest)) of dense labels.
HEDDLE_SIMD_CLONES float dense_loss(const float* x, const float* labels, float smoothing, float largest, float log_sum,
                                    std::int64_t classes) {
    const float keep = 1 - smoothing, share = smoothing / static_cast<float>(classes);
    float loss = 0;
#pragma omp simd reduction(+ : loss)
    for (std::int64_t c = 0; c < classes; ++c) {
        const float q = keep * labels[c] + share, term = q * (log_sum - (x[c] - largest));
        loss += q == 0 ? 0 : term;
    }
    return loss;
}

struct Softmax {
    float largest, log_sum;
};

HEDDLE_SIMD_CLONES Softmax softmax_of(const float* x, std::int64_t classes) {
    const float largest = largest_of(x, classes);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t c = 0; c < classes; ++c) sum += vec::exp(x[c] - largest);
    return {largest, std::log(sum)};
}

float loss_of_row(const CrossEntropyForward& args, std::int64_t row, const float* x, std::int64_t classes,
                  Softmax softmax) {
    const auto [largest, log_sum] = softmax;
    const float smoothing = args.label_smoothing;
    if (is_floating(args.labels.dtype))
        return dense_loss(x, args.labels.as<float>() + row * classes, smoothing, largest, log_sum, classes);
    const std::int64_t label = label_at(args.labels, row);
    if (label == args.ignore_index) return 0;
    if (is_outside(label, classes, args.ignore_index)) return NAN;
    const float loss = log_sum - (x[label] - largest);
    if (smoothing == 0) return loss;
    const float mean = shifted_total(x, largest, classes) / static_cast<float>(classes);
    return (smoothing < 1 ? (1 - smoothing) * loss : 0) + smoothing * (log_sum - mean);
}

/// Rows per thread so that a thread gets at least some 8k exponentials.
std::int64_t row_grain(std::int64_t classes) {
    return std::max<std::int64_t>(1, 8192 / std::max<std::int64_t>(classes, 1));
}

void forward(const CrossEntropyForward& args, KernelContext&) {
    const std::int64_t classes = args.logits.shape.back();
    parallel_for(args.log_sum.elements(), row_grain(classes), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t row = first; row < last; ++row) {
            const float* x = args.logits.as<float>() + row * classes;
            const Softmax softmax = softmax_of(x, classes);
            args.log_sum.as<float>()[row] = softmax.log_sum;
            args.loss.as<float>()[row] = loss_of_row(args, row, x, classes, softmax);
        }
    });
}

// `simd`: dx may be x, but never overlaps it otherwise.

HEDDLE_SIMD_CLONES void sparse_gradient(const float* x, float* dx, std::int64_t label, float smoothing, float log_sum,
                                        float dloss, std::int64_t classes) {
    const float largest = largest_of(x, classes), share = smoothing / static_cast<float>(classes);
#pragma omp simd
    for (std::int64_t c = 0; c < classes; ++c) {
        const float q = share + (c == label ? 1 - smoothing : 0);
        dx[c] = (vec::exp(x[c] - largest - log_sum) - q) * dloss;
    }
}

HEDDLE_SIMD_CLONES void dense_gradient(const float* x, float* dx, const float* labels, float smoothing, float log_sum,
                                       float dloss, std::int64_t classes) {
    const float largest = largest_of(x, classes);
    const float keep = 1 - smoothing, share = smoothing / static_cast<float>(classes);
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t c = 0; c < classes; ++c) total += keep * labels[c] + share;
#pragma omp simd
    for (std::int64_t c = 0; c < classes; ++c)
        dx[c] = (vec::exp(x[c] - largest - log_sum) * total - (keep * labels[c] + share)) * dloss;
}

void backward(const CrossEntropyBackward& args, KernelContext&) {
    const std::int64_t classes = args.logits.shape.back();
    const bool same = args.dloss.elements() == 1, dense = is_floating(args.labels.dtype);
    parallel_for(args.log_sum.elements(), row_grain(classes), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t row = first; row < last; ++row) {
            const float* x = args.logits.as<float>() + row * classes;
            float* dx = args.dlogits.as<float>() + row * classes;
            const float log_sum = args.log_sum.as<float>()[row];
            const float dloss = args.dloss.as<float>()[same ? 0 : row] * args.scale;
            if (dense) {
                const float* labels = args.labels.as<float>() + row * classes;
                dense_gradient(x, dx, labels, args.label_smoothing, log_sum, dloss, classes);
                continue;
            }
            const std::int64_t label = label_at(args.labels, row);
            if (label == args.ignore_index)
                std::fill_n(dx, classes, 0.0f);
            else
                sparse_gradient(x, dx, label, args.label_smoothing, log_sum,
                                is_outside(label, classes, args.ignore_index) ? NAN : dloss, classes);
        }
    });
}

// Blocks are searched without branches; the place inside the first bad one is found again.
template <class Label>
std::int64_t first_bad(const LabelRange& args) {
    constexpr std::int64_t block = 4096;
    const Label* labels = args.labels.as<Label>();
    const std::int64_t rows = args.labels.elements(), classes = args.classes, ignored = args.ignore_index;
    const auto bad = [=](std::int64_t row) {
        const std::int64_t label = labels[row];
        return (label != ignored) & ((label < 0) | (label >= classes));
    };
    for (std::int64_t start = 0; start < rows; start += block) {
        const std::int64_t end = std::min(start + block, rows);
        int any = 0;
        for (std::int64_t row = start; row < end; ++row) any |= bad(row);
        for (std::int64_t row = start; any && row < end; ++row)
            if (bad(row)) return row;
    }
    return -1;
}

void find_bad_label(const LabelRange& args, KernelContext&) {
    std::int64_t& result = *args.result.as<std::int64_t>();
    if (args.labels.dtype == DType::i64)
        result = first_bad<std::int64_t>(args);
    else if (args.labels.dtype == DType::u8)
        result = first_bad<std::uint8_t>(args);
    else
        result = first_bad<std::int32_t>(args);
}

constexpr float least_probability = probability_margin, greatest_probability = 1 - probability_margin;

[[gnu::always_inline]] inline float clip_probability(float p) {
    const float low = p < least_probability ? least_probability : p;
    return low > greatest_probability ? greatest_probability : low;
}

HEDDLE_SIMD_CLONES void point_losses(PointLoss kind, float delta, const float* p, const float* t, float* loss,
                                     std::int64_t count) {
    const auto each = [=](auto formula) __attribute__((always_inline)) {
#pragma omp simd
        for (std::int64_t i = 0; i < count; ++i) loss[i] = formula(p[i], t[i]);
    };
    switch (kind) {
        case PointLoss::mse:
            return each([](float x, float y) { return (x - y) * (x - y); });
        case PointLoss::mae:
            return each([](float x, float y) { return vec::abs(x - y); });
        case PointLoss::huber:
            return each([=](float x, float y) {
                const float d = vec::abs(x - y);
                return d <= delta ? 0.5f * d * d : delta * (d - 0.5f * delta);
            });
        case PointLoss::bce_with_logits:
            return each([](float x, float y) { return (x > 0 ? x : 0) - x * y + vec::log1p(vec::exp(-vec::abs(x))); });
        case PointLoss::bce:
            return each([](float x, float y) {
                const float clipped = clip_probability(x);
                return -(y * vec::log(clipped) + (1 - y) * vec::log(1 - clipped));
            });
    }
}

/// dloss: one for each element, or the same one for all.
HEDDLE_SIMD_CLONES void point_gradients(PointLoss kind, float delta, const float* p, const float* t, const float* dloss,
                                        bool same, float scale, float* dp, std::int64_t count) {
    const auto each = [=](auto formula) __attribute__((always_inline)) {
        if (same) {
            const float factor = *dloss * scale;
#pragma omp simd
            for (std::int64_t i = 0; i < count; ++i) dp[i] = formula(p[i], t[i]) * factor;
        } else {
#pragma omp simd
            for (std::int64_t i = 0; i < count; ++i) dp[i] = formula(p[i], t[i]) * (dloss[i] * scale);
        }
    };
    switch (kind) {
        case PointLoss::mse:
            return each([](float x, float y) { return 2 * (x - y); });
        case PointLoss::mae:
            return each([](float x, float y) { return x > y ? 1.0f : (x < y ? -1.0f : x - y); });
        case PointLoss::huber:
            return each([=](float x, float y) {
                const float d = x - y, low = d < -delta ? -delta : d;
                return low > delta ? delta : low;
            });
        case PointLoss::bce_with_logits:
            return each([](float x, float y) {
                const float e = vec::exp(-vec::abs(x)), small = e / (1 + e);
                return (x > 0 ? 1 - small : small) - y;
            });
        case PointLoss::bce:
            return each([](float x, float y) {
                const bool inside = x >= least_probability && x <= greatest_probability;
                const float safe = inside ? x : 0.5f;
                return inside ? (x - y) / (safe * (1 - safe)) : 0;
            });
    }
}

std::int64_t point_grain(PointLoss kind) {
    return kind == PointLoss::bce_with_logits || kind == PointLoss::bce ? 16384 : 65536;
}

void point_forward(const PointLossForward& args, KernelContext&) {
    parallel_for(args.loss.elements(), point_grain(args.kind), [&](std::int64_t first, std::int64_t last) {
        point_losses(args.kind, args.delta, args.prediction.as<float>() + first, args.target.as<float>() + first,
                     args.loss.as<float>() + first, last - first);
    });
}

void point_backward(const PointLossBackward& args, KernelContext&) {
    const std::int64_t count = args.dprediction.elements();
    const bool same = args.dloss.elements() == 1;
    parallel_for(count, point_grain(args.kind), [&](std::int64_t first, std::int64_t last) {
        point_gradients(args.kind, args.delta, args.prediction.as<float>() + first, args.target.as<float>() + first,
                        args.dloss.as<float>() + (same ? 0 : first), same, args.scale,
                        args.dprediction.as<float>() + first, last - first);
    });
}

Support f32_with_labels(DType dtype, const View& labels) {
    if (const Support support = only_f32(dtype); !support) return support;
    if (is_floating(labels.dtype)) return only_f32(labels.dtype);
    return Support::yes();
}

}  // namespace

void add_cpu(KernelTable<CrossEntropyForward>& table) {
    table.add(
        {.name = "cpu",
         .priority = priority::plain,
         .supports = [](const CrossEntropyForward& args) { return f32_with_labels(args.logits.dtype, args.labels); },
         .run = forward});
}

void add_cpu(KernelTable<CrossEntropyBackward>& table) {
    table.add(
        {.name = "cpu",
         .priority = priority::plain,
         .supports = [](const CrossEntropyBackward& args) { return f32_with_labels(args.logits.dtype, args.labels); },
         .run = backward});
}

void add_cpu(KernelTable<LabelRange>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const LabelRange&) { return Support::yes(); },
               .run = find_bad_label});
}

void add_cpu(KernelTable<PointLossForward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const PointLossForward& args) { return only_f32(args.prediction.dtype); },
               .run = point_forward});
}

void add_cpu(KernelTable<PointLossBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const PointLossBackward& args) { return only_f32(args.dprediction.dtype); },
               .run = point_backward});
}

}  // namespace heddle::kernels
