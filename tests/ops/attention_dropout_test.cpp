#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "core/allocator.h"
#include "ops/attention.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/random.h"
#include "tests/ops/gradient_check.h"

// Dropout of attention's weights in its kernels. The weights that are kept are computed here by the rule that
// kernels/attention/attention.h states, and nothing else.
namespace heddle {
namespace {

using gradients::check_gradients;
using gradients::Inputs;
using gradients::uniform;

struct Place {
    std::int64_t batch = 1, heads = 1, queries = 1, keys = 1;

    Shape shape() const { return Shape{batch, heads, queries, keys}; }
};

/// keep(q, k) of all weights, [batch, heads, queries, keys].
std::vector<double> factors(const Place& p, float rate, std::uint64_t seed, std::uint64_t offset) {
    const double steps = std::round(static_cast<double>(rate) * 65536);
    std::vector<double> all;
    for (std::int64_t n = 0; n < p.batch * p.heads; ++n)
        for (std::int64_t q = 0; q < p.queries; ++q)
            for (std::int64_t k = 0; k < p.keys; ++k) {
                const std::int64_t row = n * ((p.queries + 15) / 16) * 8 + q / 16 * 8 + q % 8;
                const auto block = static_cast<std::uint64_t>((row << 32) + k / 32 * 8 + k % 8);
                const std::uint32_t word = Philox::block(seed, offset, block).word[k % 32 / 8];
                const std::uint32_t half = q % 16 < 8 ? word & 0xFFFF : word >> 16;
                all.push_back(half >= steps ? 65536 / (65536 - steps) : 0);
            }
    return all;
}

/// The output and the gradients of its sum of squares.
std::vector<double> results(std::vector<Tensor>& inputs, const std::function<Tensor()>& function) {
    for (Tensor& tensor : inputs) tensor = tensor.detach().clone().set_requires_grad();
    const Tensor output = function();
    ops::random_uniform(Shape{3});  // backward needs forward's bits, and not those that are next
    (output * output).sum().backward();
    std::vector<double> all = output.to_vector<double>();
    for (const Tensor& tensor : inputs)
        for (const double value : tensor.grad().to_vector<double>()) all.push_back(value);
    return all;
}

/// The kernels against a product, a softmax, the factors and a product.
void compare(DType dtype, const Place& p, bool causal, bool masked, double tolerance) {
    SCOPED_TRACE(fmt::format("{}, {} keys, causal {}, masked {}", to_string(dtype), p.keys, causal, masked));
    const auto random = [&](std::int64_t time, std::int64_t size, std::uint64_t seed) {
        return uniform({p.batch, time, p.heads, size}, -2, 2, seed).to(dtype);
    };
    std::vector<Tensor> in{random(p.queries, 9, 1), random(p.keys, 9, 2), random(p.keys, 5, 3)};
    Tensor mask;
    if (masked) {
        std::vector<std::uint8_t> counts;
        for (std::int64_t i = 0; i < p.batch * p.keys; ++i) counts.push_back(i % 3 != 1);
        mask = Tensor::from(counts, Shape{p.batch, p.keys}).to(DType::boolean);
    }
    constexpr float rate = 0.3f;
    set_seed(20261127);
    static_cast<void>(default_generator().next());
    const std::uint64_t offset = default_generator().offset();
    const std::vector<double> fused = results(in, [&] {
        return ops::attention(in[0], in[1], in[2],
                              {.causal = causal, .mask = mask, .scale = 0.375f, .dropout = rate, .weights = false})
            .output;
    });
    const Tensor keep = Tensor::from(factors(p, rate, 20261127, offset), p.shape()).to(dtype);
    const std::vector<double> explicit_mask = results(in, [&] {
        const Tensor weights =
            ops::attention(in[0], in[1], in[2], {.causal = causal, .mask = mask, .scale = 0.375f}).weights;
        return ops::permute(ops::matmul(weights * keep, ops::permute(in[2], {0, 2, 1, 3})), {0, 2, 1, 3});
    });
    ASSERT_EQ(fused.size(), explicit_mask.size());
    for (std::size_t i = 0; i < fused.size(); ++i)
        ASSERT_NEAR(fused[i], explicit_mask[i], tolerance * (1 + std::abs(explicit_mask[i]))) << "element " << i;
}

// Several blocks of queries and of keys, and tails of them.
TEST(AttentionDropout, AgreesWithAnExplicitMask) {
    for (const std::int64_t keys : {70, 131, 150})
        for (const bool causal : {false, true})
            for (const bool masked : {false, true}) {
                compare(DType::f32, {2, 3, 131, keys}, causal, masked, 5e-5);
                if (keys == 70) compare(DType::f64, {2, 3, 131, keys}, causal, masked, 1e-11);
            }
}

// By both implementations of the backward step.
TEST(AttentionDropout, AgreesWithAnExplicitMaskByPlainProducts) {
    const ForceKernel plain("attention_backward", "cpu");
    compare(DType::f32, {2, 3, 131, 150}, true, true, 5e-5);
}

TEST(AttentionDropout, GradientsOfEveryInput) {
    const Inputs inputs{uniform({2, 3, 2, 4}), uniform({2, 5, 2, 4}, -1, 1, 2), uniform({2, 5, 2, 3}, -1, 1, 3)};
    const Tensor mask = Tensor::from<std::uint8_t>({1, 0, 1, 1, 0, 0, 0, 0, 0, 0}, Shape{2, 5}).to(DType::boolean);
    for (const float rate : {0.25f, 0.6f})
        for (const bool causal : {false, true})
            for (const Tensor& given : {Tensor(), mask})
                check_gradients(fmt::format("rate {}, causal {}, masked {}", rate, causal, given.defined()), inputs,
                                [&](const Inputs& in) {
                                    set_seed(7);
                                    return ops::attention(
                                               in[0], in[1], in[2],
                                               {.causal = causal, .mask = given, .dropout = rate, .weights = false})
                                        .output;
                                });
}

/// keep(q, k) of one call, read from an output: weights are all alike, and values one unit vector for each key.
std::vector<double> kept_by_a_call(const Place& p, float rate) {
    std::vector<float> units(static_cast<std::size_t>(p.keys * p.keys));
    for (std::int64_t k = 0; k < p.keys; ++k) units[static_cast<std::size_t>(k * p.keys + k)] = 1;
    const Tensor one = Tensor::from(units, Shape{1, p.keys, 1, p.keys});
    const Tensor value = ops::concat(std::vector<Tensor>(static_cast<std::size_t>(p.heads), one), 2);
    const Tensor values = ops::concat(std::vector<Tensor>(static_cast<std::size_t>(p.batch), value), 0);
    const Tensor query = Tensor::zeros(Shape{p.batch, p.queries, p.heads, 1}),
                 key = Tensor::zeros(Shape{p.batch, p.keys, p.heads, 1});
    const Tensor output = ops::attention(query, key, values, {.dropout = rate, .weights = false}).output;
    return (ops::permute(output, {0, 2, 1, 3}) * static_cast<double>(p.keys)).to_vector<double>();
}

TEST(AttentionDropout, DropsTheShareThatWasAskedFor) {
    set_seed(3);
    const Place p{2, 4, 128, 256};
    for (const float rate : {0.1f, 0.5f, 0.9f}) {
        const std::vector<double> kept = kept_by_a_call(p, rate);
        const double all = static_cast<double>(kept.size()), r = static_cast<double>(rate);
        double dropped = 0;
        for (const double value : kept) {
            dropped += value == 0 ? 1 : 0;
            ASSERT_TRUE(value == 0 || std::abs(value - 1 / (1 - r)) < 1e-4 / (1 - r)) << value;
        }
        EXPECT_NEAR(dropped / all, r, 5 * std::sqrt(r * (1 - r) / all)) << rate;
        // Neighbours along every axis, and those that share a Philox block, are independent of each other.
        for (const std::int64_t apart : {std::int64_t{1}, std::int64_t{8}, std::int64_t{16}, p.keys, 8 * p.keys,
                                         p.queries * p.keys, p.heads * p.queries * p.keys}) {
            double both = 0;
            const std::size_t step = static_cast<std::size_t>(apart), pairs = kept.size() - step;
            for (std::size_t i = 0; i < pairs; ++i) both += kept[i] == 0 && kept[i + step] == 0 ? 1 : 0;
            const double n = static_cast<double>(pairs);
            EXPECT_NEAR(both / n, r * r, 5 * 2 * std::sqrt(r * r * (1 - r * r) / n)) << rate << ", " << apart;
        }
    }
}

TEST(AttentionDropout, EveryCallDrawsAnew) {
    const Place p{1, 2, 20, 40};
    set_seed(5);
    const std::vector<double> first = kept_by_a_call(p, 0.5f), second = kept_by_a_call(p, 0.5f);
    EXPECT_NE(first, second);
    set_seed(5);
    EXPECT_EQ(kept_by_a_call(p, 0.5f), first);
    set_seed(6);
    EXPECT_NE(kept_by_a_call(p, 0.5f), first);
}

TEST(AttentionDropout, TheMeanOverManyCallsIsTheOutputWithoutIt) {
    const Tensor query = uniform({1, 6, 2, 8}).to(DType::f32), key = uniform({1, 40, 2, 8}, -1, 1, 2).to(DType::f32),
                 value = uniform({1, 40, 2, 4}, -1, 1, 3).to(DType::f32);
    const std::vector<double> plain = ops::attention(query, key, value, {.weights = false}).output.to_vector<double>();
    constexpr int calls = 2000;
    std::vector<double> sums(plain.size()), squares(plain.size());
    set_seed(11);
    for (int call = 0; call < calls; ++call) {
        const std::vector<double> now =
            ops::attention(query, key, value, {.dropout = 0.4f, .weights = false}).output.to_vector<double>();
        for (std::size_t i = 0; i < now.size(); ++i) {
            sums[i] += now[i];
            squares[i] += now[i] * now[i];
        }
    }
    for (std::size_t i = 0; i < plain.size(); ++i) {
        const double mean = sums[i] / calls, variance = squares[i] / calls - mean * mean;
        EXPECT_GT(variance, 1e-5);
        EXPECT_NEAR(mean, plain[i], 5 * std::sqrt(variance / calls)) << "element " << i;
    }
}

TEST(AttentionDropout, KeepsNoScores) {
    const Tensor query = uniform({1, 512, 2, 8}).to(DType::f32).set_requires_grad();
    set_seed(1);
    MemoryStats before = allocator(Device::cpu()).stats();
    const Tensor output = ops::attention(query, query, query, {.dropout = 0.5f, .weights = false}).output;
    const std::size_t held = allocator(Device::cpu()).stats().allocated - before.allocated;
    EXPECT_LT(held, std::size_t{64} << 10);  // the output and the sums: 36 KiB; scores would be 2 MiB
}

}  // namespace
}  // namespace heddle
