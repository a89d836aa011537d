#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/elementwise/implementations.h"
#include "kernels/elementwise/loops.h"
#include "kernels/vector_math.h"

namespace heddle::kernels {
namespace {

constexpr float selu_alpha = 1.67326324f, selu_scale = 1.05070099f;
// The tanh form of GELU is x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)).
constexpr float gelu_slope = 1.59576912f, gelu_cubic = 0.044715f * 1.59576912f;

HEDDLE_SIMD_CLONES HEDDLE_FLATTEN void values(UnaryOp op, float alpha, const float* x, float* y, std::int64_t n) {
    switch (op) {
        case UnaryOp::negate:
            return map(x, y, n, [](float v) { return -v; });
        case UnaryOp::abs:
            return map(x, y, n, [](float v) { return vec::abs(v); });
        case UnaryOp::sign:
            return map(x, y, n, [](float v) {
                const float sign = static_cast<float>((v > 0) - (v < 0));
                return v != v ? v : sign;
            });
        case UnaryOp::square:
            return map(x, y, n, [](float v) { return v * v; });
        case UnaryOp::reciprocal:
            return map(x, y, n, [](float v) { return 1.0f / v; });
        case UnaryOp::sqrt:
            return map(x, y, n, [](float v) { return __builtin_sqrtf(v); });
        case UnaryOp::rsqrt:
            return map(x, y, n, [](float v) { return 1.0f / __builtin_sqrtf(v); });
        case UnaryOp::exp:
            return map(x, y, n, [](float v) { return vec::exp(v); });
        case UnaryOp::expm1:
            return map(x, y, n, [](float v) { return vec::expm1(v); });
        case UnaryOp::log:
            return map(x, y, n, [](float v) { return vec::log(v); });
        case UnaryOp::log1p:
            return map(x, y, n, [](float v) { return vec::log1p(v); });
        case UnaryOp::sin:
            return map(x, y, n, [](float v) { return vec::sin(v); });
        case UnaryOp::cos:
            return map(x, y, n, [](float v) { return vec::cos(v); });
        case UnaryOp::floor:
            return map(x, y, n, [](float v) { return __builtin_floorf(v); });
        case UnaryOp::ceil:
            return map(x, y, n, [](float v) { return __builtin_ceilf(v); });
        case UnaryOp::round:
            return map(x, y, n, [](float v) { return __builtin_rintf(v); });
        case UnaryOp::erf:
            return map(x, y, n, [](float v) { return vec::erf(v); });
        case UnaryOp::relu:
            return map(x, y, n, [](float v) { return v < 0 ? 0.0f : v; });
        case UnaryOp::leaky_relu:
            return map(x, y, n, [=](float v) { return v > 0 ? v : alpha * v; });
        case UnaryOp::elu:
            return map(x, y, n, [=](float v) { return v > 0 ? v : alpha * vec::expm1(v); });
        case UnaryOp::selu:
            return map(x, y, n, [](float v) { return selu_scale * (v > 0 ? v : selu_alpha * vec::expm1(v)); });
        case UnaryOp::sigmoid:
            return map(x, y, n, [](float v) { return vec::sigmoid(v); });
        case UnaryOp::tanh:
            return map(x, y, n, [](float v) { return vec::tanh(v); });
        case UnaryOp::gelu:
            return map(x, y, n, [](float v) { return v * vec::normal_distribution(v).cumulative; });
        case UnaryOp::gelu_tanh:
            return map(x, y, n, [](float v) { return v * vec::sigmoid(v * (gelu_slope + gelu_cubic * (v * v))); });
        case UnaryOp::silu:
            return map(x, y, n, [](float v) { return v * vec::sigmoid(v); });
        case UnaryOp::softplus:
            return map(x, y, n, [](float v) { return vec::softplus(v); });
        case UnaryOp::softsign:
            return map(x, y, n, [](float v) { return v / (1.0f + vec::abs(v)); });
    }
}

/// dx = dy * op'(s), where s is x or y, whichever `needs(op)` names (unused where neither).
HEDDLE_SIMD_CLONES HEDDLE_FLATTEN void derivatives(UnaryOp op, float alpha, const float* s, const float* dy, float* dx,
                                                   std::int64_t n) {
    switch (op) {
        case UnaryOp::negate:
            return map(dy, dx, n, [](float g) { return -g; });
        case UnaryOp::sign:
        case UnaryOp::floor:
        case UnaryOp::ceil:
        case UnaryOp::round:
            return map(dy, dx, n, [](float) { return 0.0f; });
        case UnaryOp::abs:
            return map(s, dy, dx, n, [](float x, float g) { return x > 0 ? g : (x < 0 ? -g : 0.0f); });
        case UnaryOp::square:
            return map(s, dy, dx, n, [](float x, float g) { return g * (2.0f * x); });
        case UnaryOp::reciprocal:
            return map(s, dy, dx, n, [](float y, float g) { return -g * (y * y); });
        case UnaryOp::sqrt:
            return map(s, dy, dx, n, [](float y, float g) { return g * (0.5f / y); });
        case UnaryOp::rsqrt:
            return map(s, dy, dx, n, [](float y, float g) { return g * (-0.5f * y * (y * y)); });
        case UnaryOp::exp:
            return map(s, dy, dx, n, [](float y, float g) { return g * y; });
        case UnaryOp::expm1:
            return map(s, dy, dx, n, [](float y, float g) { return g * (y + 1.0f); });
        case UnaryOp::log:
            return map(s, dy, dx, n, [](float x, float g) { return g / x; });
        case UnaryOp::log1p:
            return map(s, dy, dx, n, [](float x, float g) { return g / (1.0f + x); });
        case UnaryOp::sin:
            return map(s, dy, dx, n, [](float x, float g) { return g * vec::cos(x); });
        case UnaryOp::cos:
            return map(s, dy, dx, n, [](float x, float g) { return -g * vec::sin(x); });
        case UnaryOp::erf:
            return map(s, dy, dx, n, [](float x, float g) { return g * (1.12837917f * vec::exp(-x * x)); });
        case UnaryOp::relu:
            return map(s, dy, dx, n, [](float y, float g) { return y > 0 ? g : 0.0f; });
        case UnaryOp::leaky_relu:
            return map(s, dy, dx, n, [=](float y, float g) { return y > 0 ? g : alpha * g; });
        case UnaryOp::elu:
            return map(s, dy, dx, n, [=](float y, float g) { return g * (y > 0 ? 1.0f : y + alpha); });
        case UnaryOp::selu:
            return map(s, dy, dx, n,
                       [](float y, float g) { return g * (y > 0 ? selu_scale : y + selu_scale * selu_alpha); });
        case UnaryOp::sigmoid:
            return map(s, dy, dx, n, [](float y, float g) { return g * (y * (1.0f - y)); });
        case UnaryOp::tanh:
            return map(s, dy, dx, n, [](float y, float g) { return g * (1.0f - y * y); });
        case UnaryOp::gelu:
            return map(s, dy, dx, n, [](float x, float g) {
                const vec::NormalDistribution at = vec::normal_distribution(x);
                return g * (at.cumulative + x * at.density);
            });
        case UnaryOp::gelu_tanh:
            return map(s, dy, dx, n, [](float x, float g) {
                const float p = vec::sigmoid(x * (gelu_slope + gelu_cubic * (x * x)));
                return g * (p + x * (p * (1.0f - p)) * (gelu_slope + 3.0f * gelu_cubic * (x * x)));
            });
        case UnaryOp::silu:
            return map(s, dy, dx, n, [](float x, float g) {
                const float p = vec::sigmoid(x);
                return g * (p * (1.0f + x * (1.0f - p)));
            });
        case UnaryOp::softplus:
            return map(s, dy, dx, n, [](float x, float g) { return g * vec::sigmoid(x); });
        case UnaryOp::softsign:
            return map(s, dy, dx, n, [](float x, float g) {
                const float r = 1.0f / (1.0f + vec::abs(x));
                return g * (r * r);
            });
    }
}

bool is_cheap(UnaryOp op) {
    switch (op) {
        case UnaryOp::negate:
        case UnaryOp::abs:
        case UnaryOp::sign:
        case UnaryOp::square:
        case UnaryOp::floor:
        case UnaryOp::ceil:
        case UnaryOp::round:
        case UnaryOp::relu:
        case UnaryOp::leaky_relu:
            return true;
        default:
            return false;
    }
}

/// The reduction of the vector sine and cosine is good up to a limit; a block with an argument beyond it takes libm.
bool beyond_limit(const float* x, std::int64_t n) {
    float largest = 0;
    for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
    return largest > vec::trigonometric_limit;
}

template <class Fast, class Exact>
void guard_trigonometric(const float* x, std::int64_t first, std::int64_t last, const Fast& fast, const Exact& exact) {
    constexpr std::int64_t block = 1024;
    for (std::int64_t i = first; i < last; i += block) {
        const std::int64_t end = std::min(i + block, last);
        beyond_limit(x + i, end - i) ? exact(i, end) : fast(i, end);
    }
}

void unary_range(UnaryOp op, float alpha, const float* x, float* y, std::int64_t first, std::int64_t last) {
    const auto fast = [&](std::int64_t i, std::int64_t end) { values(op, alpha, x + i, y + i, end - i); };
    if (op != UnaryOp::sin && op != UnaryOp::cos) return fast(first, last);
    guard_trigonometric(x, first, last, fast, [&](std::int64_t i, std::int64_t end) {
        for (; i < end; ++i) y[i] = op == UnaryOp::sin ? std::sin(x[i]) : std::cos(x[i]);
    });
}

void backward_range(UnaryOp op, float alpha, const float* s, const float* dy, float* dx, std::int64_t first,
                    std::int64_t last) {
    const auto fast = [&](std::int64_t i, std::int64_t end) { derivatives(op, alpha, s + i, dy + i, dx + i, end - i); };
    if (op != UnaryOp::sin && op != UnaryOp::cos) return fast(first, last);
    guard_trigonometric(s, first, last, fast, [&](std::int64_t i, std::int64_t end) {
        for (; i < end; ++i) dx[i] = dy[i] * (op == UnaryOp::sin ? std::cos(s[i]) : -std::sin(s[i]));
    });
}

void run_unary(const Unary& args, KernelContext&) {
    const std::int64_t grain = is_cheap(args.op) ? cheap_grain : dear_grain;
    if (args.x.dtype == DType::bf16)
        return parallel_for(args.y.elements(), grain, [&](std::int64_t first, std::int64_t last) {
            map_widened(
                args.x.as<BFloat16>(), args.y.as<BFloat16>(), first, last,
                [&](const float* x, float* y, std::int64_t n) { unary_range(args.op, args.alpha, x, y, 0, n); });
        });
    parallel_for(args.y.elements(), grain, [&](std::int64_t first, std::int64_t last) {
        unary_range(args.op, args.alpha, args.x.as<float>(), args.y.as<float>(), first, last);
    });
}

void run_backward(const UnaryBackward& args, KernelContext&) {
    const View& source =
        needs(args.op) == DerivativeNeeds::x ? args.x : (needs(args.op) == DerivativeNeeds::y ? args.y : args.dy);
    const std::int64_t grain = is_cheap(args.op) ? cheap_grain : dear_grain;
    if (args.dx.dtype == DType::bf16)
        return parallel_for(args.dx.elements(), grain, [&](std::int64_t first, std::int64_t last) {
            map_widened(source.as<BFloat16>(), args.dy.as<BFloat16>(), args.dx.as<BFloat16>(), first, last,
                        [&](const float* s, const float* dy, float* dx, std::int64_t n) {
                            backward_range(args.op, args.alpha, s, dy, dx, 0, n);
                        });
        });
    parallel_for(args.dx.elements(), grain, [&](std::int64_t first, std::int64_t last) {
        backward_range(args.op, args.alpha, source.as<float>(), args.dy.as<float>(), args.dx.as<float>(), first, last);
    });
}

}  // namespace

void add_cpu(KernelTable<Unary>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const Unary& args) { return f32_or_bf16(args.x.dtype); },
               .run = run_unary});
}

void add_cpu(KernelTable<UnaryBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const UnaryBackward& args) { return f32_or_bf16(args.dy.dtype); },
               .run = run_backward});
}

}  // namespace heddle::kernels
