#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/optim/implementations.h"

// A step reads and writes every tensor once, so memory bandwidth is its cost. One parallel region spans all tensors: a
// small network has dozens that are too small to be worth one each.
namespace heddle::kernels {
namespace {

constexpr std::int64_t step_grain = 16384;  // elements: some 5 us of work, several times the cost of waking a thread
constexpr std::int64_t norm_block = 8192;   // elements per partial sum, whatever the number of threads

float scalar(const View& view) { return *view.as<float>(); }
float scalar_or_one(const View& view) { return view ? scalar(view) : 1.0f; }
bool is_set(const View& flag) { return flag && scalar(flag) != 0; }

/// The address of element `first` of tensor k; null where the list is empty.
float* at(const TensorList& list, std::size_t k, std::int64_t first) {
    return list.empty() ? nullptr : list[k].as<float>() + first;
}

/// Calls `body(k, first, count)` for ranges that together cover every tensor, on the threads.
template <class Body>
void each_range(const TensorList& tensors, const Body& body) {
    std::int64_t total = 0;
    for (const View& tensor : tensors) total += tensor.elements();
    parallel_for(total, step_grain, [&](std::int64_t first, std::int64_t last) {
        std::int64_t start = 0;  // of tensor k in the concatenation of all
        for (std::size_t k = 0; k < tensors.size() && start < last; ++k) {
            const std::int64_t end = start + tensors[k].elements();
            const std::int64_t from = std::max(first, start), to = std::min(last, end);
            if (from < to) body(k, from - start, to - from);
            start = end;
        }
    });
}

struct SgdFactors {
    float rate, scale, momentum, weight_decay;
};

HEDDLE_SIMD_CLONES void sgd_plain(float* __restrict p, const float* __restrict gradient, std::int64_t count,
                                  SgdFactors f) {
    for (std::int64_t i = 0; i < count; ++i) p[i] -= f.rate * (gradient[i] * f.scale + f.weight_decay * p[i]);
}

HEDDLE_SIMD_CLONES void sgd_momentum(float* __restrict p, const float* __restrict gradient, float* __restrict v,
                                     std::int64_t count, SgdFactors f) {
    for (std::int64_t i = 0; i < count; ++i) {
        v[i] = f.momentum * v[i] + (gradient[i] * f.scale + f.weight_decay * p[i]);
        p[i] -= f.rate * v[i];
    }
}

HEDDLE_SIMD_CLONES void sgd_nesterov(float* __restrict p, const float* __restrict gradient, float* __restrict v,
                                     std::int64_t count, SgdFactors f) {
    for (std::int64_t i = 0; i < count; ++i) {
        const float g = gradient[i] * f.scale + f.weight_decay * p[i];
        v[i] = f.momentum * v[i] + g;
        p[i] -= f.rate * (g + f.momentum * v[i]);
    }
}

void step(const SgdStep& args, KernelContext&) {
    if (is_set(args.skip)) return;
    const SgdFactors factors{scalar(args.learning_rate), scalar_or_one(args.gradient_scale), args.momentum,
                             args.weight_decay};
    each_range(args.parameters, [&](std::size_t k, std::int64_t first, std::int64_t count) {
        float* p = at(args.parameters, k, first);
        const float* g = at(args.gradients, k, first);
        float* v = at(args.momenta, k, first);
        if (!v)
            sgd_plain(p, g, count, factors);
        else if (args.nesterov)
            sgd_nesterov(p, g, v, count, factors);
        else
            sgd_momentum(p, g, v, count, factors);
    });
}

struct AdamFactors {
    float scale;
    float l2;    // of the decay that is added to the gradient
    float keep;  // of the decay that shrinks the parameter
    float beta1, rest1, beta2, rest2;
    float rate;           // of m, with the first bias correction
    float gradient_rate;  // of the gradient: NAdam
    float root;           // 1 / sqrt of the second bias correction
    float epsilon;
};

template <bool amsgrad, bool nesterov = false>
[[gnu::always_inline]] inline void adam_range(float* __restrict p, const float* __restrict gradient,
                                              float* __restrict m, float* __restrict v, float* __restrict largest,
                                              std::int64_t count, const AdamFactors& f) {
    for (std::int64_t i = 0; i < count; ++i) {
        const float g = gradient[i] * f.scale + f.l2 * p[i];
        m[i] = f.beta1 * m[i] + f.rest1 * g;
        v[i] = f.beta2 * v[i] + f.rest2 * g * g;
        float used = v[i];
        if constexpr (amsgrad) used = largest[i] = largest[i] > used ? largest[i] : used;
        float direction = f.rate * m[i];
        if constexpr (nesterov) direction += f.gradient_rate * g;
        p[i] = f.keep * p[i] - direction / (std::sqrt(used) * f.root + f.epsilon);
    }
}

HEDDLE_SIMD_CLONES void adam(float* p, const float* gradient, float* m, float* v, std::int64_t count, AdamFactors f) {
    adam_range<false>(p, gradient, m, v, nullptr, count, f);
}

HEDDLE_SIMD_CLONES void adam_largest(float* p, const float* gradient, float* m, float* v, float* largest,
                                     std::int64_t count, AdamFactors f) {
    adam_range<true>(p, gradient, m, v, largest, count, f);
}

HEDDLE_SIMD_CLONES void nadam(float* p, const float* gradient, float* m, float* v, std::int64_t count, AdamFactors f) {
    adam_range<false, true>(p, gradient, m, v, nullptr, count, f);
}

HEDDLE_SIMD_CLONES void adamax(float* __restrict p, const float* __restrict gradient, float* __restrict m,
                               float* __restrict v, std::int64_t count, AdamFactors f) {
    for (std::int64_t i = 0; i < count; ++i) {
        const float g = gradient[i] * f.scale + f.l2 * p[i];
        m[i] = f.beta1 * m[i] + f.rest1 * g;
        const float old = f.beta2 * v[i], now = std::abs(g) + f.epsilon;
        v[i] = old > now ? old : now;
        p[i] = f.keep * p[i] - f.rate * m[i] / v[i];
    }
}

struct AdamRates {
    double first, gradient;
};

/// What m and the gradient are multiplied by in step t, before the learning rate.
AdamRates rates_of(const AdamStep& args, double t) {
    if (args.kind != AdamKind::nadam) return {1 / (1 - std::pow(args.beta1, t)), 0};
    const double q = std::pow(0.96, args.momentum_decay);
    const auto momentum = [&](double power) { return args.beta1 * (1 - 0.5 * power); };
    double product = 1, power = q;  // q^i
    // The factors are below beta1: what is left of the product soon no longer counts beside 1.
    for (double i = 1; i <= t && product > 1e-20; ++i, power *= q) product *= momentum(power);
    const double now = momentum(std::pow(q, t)), next = momentum(std::pow(q, t + 1));
    return {next / (1 - product * next), (1 - now) / (1 - product)};
}

void step(const AdamStep& args, KernelContext&) {
    if (is_set(args.skip)) return;
    const double rate = double(scalar(args.learning_rate)), t = double(scalar(args.step));
    const AdamRates rates = rates_of(args, t);
    const double decay = double(args.weight_decay);
    const AdamFactors factors{.scale = scalar_or_one(args.gradient_scale),
                              .l2 = args.decoupled ? 0 : args.weight_decay,
                              .keep = args.decoupled ? static_cast<float>(1 - rate * decay) : 1,
                              .beta1 = static_cast<float>(args.beta1),
                              .rest1 = static_cast<float>(1 - args.beta1),
                              .beta2 = static_cast<float>(args.beta2),
                              .rest2 = static_cast<float>(1 - args.beta2),
                              .rate = static_cast<float>(rate * rates.first),
                              .gradient_rate = static_cast<float>(rate * rates.gradient),
                              .root = static_cast<float>(1 / std::sqrt(1 - std::pow(args.beta2, t))),
                              .epsilon = args.epsilon};
    each_range(args.parameters, [&](std::size_t k, std::int64_t first, std::int64_t count) {
        float* p = at(args.parameters, k, first);
        const float* g = at(args.gradients, k, first);
        float *m = at(args.first, k, first), *v = at(args.second, k, first);
        if (args.kind == AdamKind::nadam)
            nadam(p, g, m, v, count, factors);
        else if (args.kind == AdamKind::adamax)
            adamax(p, g, m, v, count, factors);
        else if (args.max_second.empty())
            adam(p, g, m, v, count, factors);
        else
            adam_largest(p, g, m, v, at(args.max_second, k, first), count, factors);
    });
}

struct RmspropFactors {
    float rate, scale, rho, rest, momentum, epsilon, weight_decay;
};
struct RmspropState {
    float *square, *momentum, *average;
};

template <bool centered, bool with_momentum>
[[gnu::always_inline]] inline void rmsprop_range(float* __restrict p, const float* __restrict gradient,
                                                 const RmspropState& state, std::int64_t count,
                                                 const RmspropFactors& f) {
    float* __restrict s = state.square, * __restrict b = state.momentum, * __restrict a = state.average;
    for (std::int64_t i = 0; i < count; ++i) {
        const float g = gradient[i] * f.scale + f.weight_decay * p[i];
        s[i] = f.rho * s[i] + f.rest * g * g;
        float spread = s[i];
        if constexpr (centered) {
            a[i] = f.rho * a[i] + f.rest * g;
            spread -= a[i] * a[i];
            spread = spread < 0 ? 0 : spread;
        }
        float update = g / (std::sqrt(spread) + f.epsilon);
        if constexpr (with_momentum) update = b[i] = f.momentum * b[i] + update;
        p[i] -= f.rate * update;
    }
}

HEDDLE_SIMD_CLONES void rmsprop(float* p, const float* gradient, RmspropState state, std::int64_t count,
                                RmspropFactors f) {
    if (state.average)
        state.momentum ? rmsprop_range<true, true>(p, gradient, state, count, f)
                       : rmsprop_range<true, false>(p, gradient, state, count, f);
    else
        state.momentum ? rmsprop_range<false, true>(p, gradient, state, count, f)
                       : rmsprop_range<false, false>(p, gradient, state, count, f);
}

HEDDLE_SIMD_CLONES void adadelta(float* __restrict p, const float* __restrict gradient, float* __restrict s,
                                 float* __restrict d, std::int64_t count, RmspropFactors f) {
    for (std::int64_t i = 0; i < count; ++i) {
        const float g = gradient[i] * f.scale + f.weight_decay * p[i];
        s[i] = f.rho * s[i] + f.rest * g * g;
        const float u = g * std::sqrt(d[i] + f.epsilon) / std::sqrt(s[i] + f.epsilon);
        d[i] = f.rho * d[i] + f.rest * u * u;
        p[i] -= f.rate * u;
    }
}

void step(const RmspropStep& args, KernelContext&) {
    if (is_set(args.skip)) return;
    const RmspropFactors factors{.rate = scalar(args.learning_rate),
                                 .scale = scalar_or_one(args.gradient_scale),
                                 .rho = args.accumulate ? 1 : static_cast<float>(args.rho),
                                 .rest = args.accumulate ? 1 : static_cast<float>(1 - args.rho),
                                 .momentum = args.momentum,
                                 .epsilon = args.epsilon,
                                 .weight_decay = args.weight_decay};
    each_range(args.parameters, [&](std::size_t k, std::int64_t first, std::int64_t count) {
        if (!args.update_average.empty())
            return adadelta(at(args.parameters, k, first), at(args.gradients, k, first),
                            at(args.square_average, k, first), at(args.update_average, k, first), count, factors);
        const RmspropState state{at(args.square_average, k, first), at(args.momenta, k, first),
                                 args.centered ? at(args.gradient_average, k, first) : nullptr};
        rmsprop(at(args.parameters, k, first), at(args.gradients, k, first), state, count, factors);
    });
}

HEDDLE_SIMD_CLONES double sum_of_squares(const float* x, std::int64_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < count; ++i) sum += double(x[i]) * double(x[i]);
    return sum;
}

std::int64_t block_count(const View& tensor) { return (tensor.elements() + norm_block - 1) / norm_block; }

std::int64_t block_count(const GradientNorm& args) {
    std::int64_t blocks = 0;
    for (const View& gradient : args.gradients) blocks += block_count(gradient);
    return blocks;
}

/// Every block's sum goes to the workspace; the caller's thread adds them in order.
void norm(const GradientNorm& args, KernelContext& context) {
    auto* partial = static_cast<double*>(context.workspace);
    const std::int64_t blocks = block_count(args);
    parallel_for(blocks, 2, [&](std::int64_t first, std::int64_t last) {
        std::int64_t start = 0;  // the first block of the tensor
        for (const View& gradient : args.gradients) {
            const std::int64_t end = start + block_count(gradient);
            for (std::int64_t block = std::max(first, start); block < std::min(last, end); ++block) {
                const std::int64_t from = (block - start) * norm_block;
                partial[block] =
                    sum_of_squares(gradient.as<float>() + from, std::min(norm_block, gradient.elements() - from));
            }
            start = end;
        }
    });
    double sum = 0;
    for (std::int64_t block = 0; block < blocks; ++block) sum += partial[block];
    *args.result.as<float>() = static_cast<float>(std::sqrt(sum));
}

Support all_f32(const TensorList& list) {
    for (const View& tensor : list)
        if (const Support support = only_f32(tensor.dtype); !support) return support;
    return Support::yes();
}

template <class Step>
void add_step(KernelTable<Step>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const Step& args) { return all_f32(args.parameters); },
               .run = step});
}

}  // namespace

void add_cpu(KernelTable<SgdStep>& table) { add_step(table); }
void add_cpu(KernelTable<AdamStep>& table) { add_step(table); }
void add_cpu(KernelTable<RmspropStep>& table) { add_step(table); }

void add_cpu(KernelTable<GradientNorm>& table) {
    table.add(
        {.name = "cpu",
         .priority = priority::plain,
         .supports = [](const GradientNorm& args) { return all_f32(args.gradients); },
         .workspace_bytes =
             [](const GradientNorm& args) { return static_cast<std::size_t>(block_count(args)) * sizeof(double); },
         .run = norm});
}

}  // namespace heddle::kernels
