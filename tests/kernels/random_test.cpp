#include "kernels/random/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/allocator.h"
#include "core/driver/driver.h"
#include "core/parallel.h"

// What the cases cannot check: that implementations and thread counts agree in every bit, and that the numbers have the
// distributions they claim. All seeds are fixed, so a bound of four standard errors holds always or never.
namespace {

using namespace heddle;
using namespace heddle::kernels;

constexpr std::int64_t count = 200003;
constexpr RandomState state{.seed = 99, .offset = 3};

template <class Args>
void run(const KernelTable<Args>& table, const char* implementation, const Args& args) {
    const auto* found = table.find(implementation, DeviceKind::cpu);
    ASSERT_NE(found, nullptr);
    run_implementation(*found, args, Device::cpu(), 0);
}

struct Threads {
    explicit Threads(int threads) { set_thread_count(threads); }
    ~Threads() { set_thread_count(0); }
};

View view(std::vector<float>& values) {
    return {values.data(), Shape{static_cast<std::int64_t>(values.size())}, DType::f32};
}

template <class Args>
std::vector<float> draw(const KernelTable<Args>& table, const char* implementation, double first, double second,
                        RandomState from = state, std::int64_t size = count) {
    std::vector<float> values(static_cast<std::size_t>(size));
    run(table, implementation, Args{from, first, second, view(values)});
    return values;
}

/// The largest distance between the empirical distribution and `distribution` (Kolmogorov and Smirnov).
template <class Distribution>
double distance(std::vector<float> values, const Distribution& distribution) {
    std::sort(values.begin(), values.end());
    const auto size = static_cast<double>(values.size());
    double worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double p = distribution(double(values[i]));
        worst = std::max({worst, p - static_cast<double>(i) / size, static_cast<double>(i + 1) / size - p});
    }
    return worst;
}

/// A true distribution exceeds this once in a thousand seeds.
double distance_bound(std::size_t size) { return 1.95 / std::sqrt(static_cast<double>(size)); }

struct Moments {
    double mean = 0, variance = 0;
};

Moments moments(const std::vector<float>& values) {
    Moments m;
    const auto size = static_cast<double>(values.size());
    for (const float value : values) m.mean += double(value) / size;
    for (const float value : values) m.variance += (double(value) - m.mean) * (double(value) - m.mean) / size;
    return m;
}

/// Correlation of each value with the one `lag` places later, in standard errors.
double correlation(const std::vector<float>& values, std::size_t lag) {
    const Moments m = moments(values);
    const std::size_t pairs = values.size() - lag;
    double sum = 0;
    for (std::size_t i = 0; i < pairs; ++i) sum += (double(values[i]) - m.mean) * (double(values[i + lag]) - m.mean);
    return sum / m.variance / std::sqrt(static_cast<double>(pairs));
}

double normal_distribution(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

void expect_uncorrelated(const std::vector<float>& values) {
    for (const std::size_t lag : {1, 2, 3, 4, 5, 8, 256, 1024}) EXPECT_LT(std::abs(correlation(values, lag)), 4) << lag;
}

TEST(Random, UniformHasTheSameBitsEverywhere) {
    const std::vector<float> wanted = draw(random_uniform(), "reference", -0.3, 7.1);
    for (const int threads : {1, 2, 3, 7}) {
        const Threads guard(threads);
        EXPECT_TRUE(wanted == draw(random_uniform(), "cpu", -0.3, 7.1)) << threads << " threads";
    }
}

TEST(Random, NormalsDoNotDependOnThreads) {
    const Threads one(1);
    const std::vector<float> normal = draw(random_normal(), "cpu", 0, 1);
    const std::vector<float> truncated = draw(random_truncated_normal(), "cpu", 0, 1);
    for (const int threads : {2, 5}) {
        const Threads guard(threads);
        EXPECT_TRUE(normal == draw(random_normal(), "cpu", 0, 1)) << threads << " threads";
        EXPECT_TRUE(truncated == draw(random_truncated_normal(), "cpu", 0, 1)) << threads << " threads";
    }
}

TEST(Random, ElementsDoNotDependOnTheSize) {
    const std::vector<float> all = draw(random_normal(), "cpu", 0, 1);
    for (const std::int64_t size : {1, 2, 5, 255, 257, 8191}) {
        const std::vector<float> some = draw(random_normal(), "cpu", 0, 1, state, size);
        EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin())) << size;
    }
}

TEST(Random, SeedAndOffsetsSelectTheStream) {
    const std::uint64_t added = 5;
    RandomState captured{state.seed, state.offset - 2, &added}, same{state.seed, state.offset + 3};
    for (const char* implementation : {"reference", "cpu"}) {
        const auto first = draw(random_uniform(), implementation, 0, 1);
        const auto other_seed = draw(random_uniform(), implementation, 0, 1, {state.seed + 1, state.offset});
        EXPECT_FALSE(first == other_seed);
        EXPECT_TRUE(draw(random_uniform(), implementation, 0, 1, captured) ==
                    draw(random_uniform(), implementation, 0, 1, same));
        // Two streams are independent of each other.
        std::vector<float> product(first.size());
        const auto next = draw(random_uniform(), implementation, 0, 1, {state.seed, state.offset + 1});
        for (std::size_t i = 0; i < product.size(); ++i) product[i] = (first[i] - 0.5f) * (next[i] - 0.5f);
        EXPECT_LT(std::abs(moments(product).mean), 4 / 12.0 / std::sqrt(double(count)));
    }
}

TEST(Random, UniformDistribution) {
    const std::vector<float> values = draw(random_uniform(), "cpu", 2, 5);
    EXPECT_GE(*std::min_element(values.begin(), values.end()), 2.0f);
    EXPECT_LT(*std::max_element(values.begin(), values.end()), 5.0f);
    EXPECT_LT(distance(values, [](double x) { return (x - 2) / 3; }), distance_bound(values.size()));
    EXPECT_NEAR(moments(values).mean, 3.5, 4 * std::sqrt(0.75 / double(count)));
    expect_uncorrelated(values);
}

// Rounding must not reach the upper end: 1 + (1 - 2^-24) would.
TEST(Random, UniformStaysBelowItsUpperEnd) {
    for (const char* implementation : {"reference", "cpu"}) {
        const double last = std::nextafter(1.0f, 2.0f);
        for (const float value : draw(random_uniform(), implementation, 1, last)) ASSERT_EQ(value, 1.0f);
    }
}

// In 16 bits a thousandth of the values below 1 is nearest to 1.
TEST(Random, UniformsOf16BitsStayBelowTheirUpperEnd) {
    const Device device{DeviceKind::sim};
    const DeviceStatus status = device_status().at(static_cast<std::size_t>(device.kind));
    if (status.count == 0) GTEST_SKIP() << status.why_missing;
    const auto* native = random_uniform().find("native", device.kind);
    ASSERT_NE(native, nullptr);
    constexpr std::int64_t size = 30011;
    std::vector<std::uint16_t> bits(size);
    void* memory = allocator(device).allocate(size * sizeof(std::uint16_t), 0, "uniforms");
    struct {
        DType dtype;
        double low, high;
        std::uint16_t last;  // the largest number below `high`
    } const ranges[] = {{DType::f16, 0, 1, 0x3BFF},
                        {DType::f16, -2, -1, 0xBC01},
                        {DType::bf16, 0, 1, 0x3F7F},
                        {DType::bf16, -2, -1, 0xBF81}};
    for (const auto& range : ranges) {
        run_implementation(*native, {state, range.low, range.high, View(memory, Shape{size}, range.dtype)}, device, 0);
        driver(device).copy(bits.data(), memory, size * sizeof(std::uint16_t), CopyKind::device_to_host, 0);
        driver(device).synchronize(0);
        double largest = -2;
        for (const std::uint16_t value : bits)
            largest = std::max(largest,
                               double(range.dtype == DType::f16 ? to_float(Half{value}) : to_float(BFloat16{value})));
        const float last = range.dtype == DType::f16 ? to_float(Half{range.last}) : to_float(BFloat16{range.last});
        EXPECT_LT(largest, range.high) << to_string(range.dtype);
        EXPECT_EQ(largest, double(last)) << to_string(range.dtype);
    }
    allocator(device).free(memory);
}

TEST(Random, NormalDistribution) {
    const std::vector<float> values = draw(random_normal(), "cpu", 0, 1);
    EXPECT_LT(distance(values, normal_distribution), distance_bound(values.size()));
    const Moments m = moments(values);
    EXPECT_NEAR(m.mean, 0, 4 / std::sqrt(double(count)));
    EXPECT_NEAR(m.variance, 1, 4 * std::sqrt(2 / double(count)));
    expect_uncorrelated(values);
    std::vector<float> squares(values);
    for (float& value : squares) value *= value;
    expect_uncorrelated(squares);  // pairs share their radius and their angle, yet are independent
}

TEST(Random, TruncatedNormalDistribution) {
    const double inside = std::erf(std::sqrt(2.0)), outside = (1 - inside) / 2;
    const std::vector<float> values = draw(random_truncated_normal(), "cpu", 1, 0.5);
    EXPECT_GE(*std::min_element(values.begin(), values.end()), 0.0f);
    EXPECT_LE(*std::max_element(values.begin(), values.end()), 2.0f);
    const auto distribution = [&](double x) { return (normal_distribution((x - 1) / 0.5) - outside) / inside; };
    EXPECT_LT(distance(values, distribution), distance_bound(values.size()));
    EXPECT_NEAR(std::sqrt(moments(values).variance) / 0.5, 0.8796, 4 * 0.8796 / std::sqrt(2 * double(count)));
    expect_uncorrelated(values);
}

TEST(Random, EveryPermutationIsAsLikely) {
    constexpr int draws = 24000;
    std::map<std::vector<std::int64_t>, int> seen;
    for (int i = 0; i < draws; ++i) {
        std::vector<std::int64_t> order(4);
        run(random_permutation(), "cpu",
            RandomPermutation{{1, static_cast<std::uint64_t>(i)}, View(order.data(), Shape{4}, DType::i64)});
        ++seen[order];
    }
    ASSERT_EQ(seen.size(), 24u);
    double chi_squared = 0;
    for (const auto& [order, times] : seen) chi_squared += (times - 1000.0) * (times - 1000.0) / 1000.0;
    EXPECT_LT(chi_squared, 49.7);  // 23 degrees of freedom: once in a thousand
}

TEST(Random, PermutationsHoldEveryIndexOnce) {
    std::vector<std::int64_t> order(10007);
    const View y(order.data(), Shape{10007}, DType::i64);
    for (const int threads : {1, 4}) {
        const Threads guard(threads);
        run(random_permutation(), "cpu", RandomPermutation{state, y});
        std::vector<std::int64_t> sorted(order);
        std::sort(sorted.begin(), sorted.end());
        for (std::size_t i = 0; i < sorted.size(); ++i) ASSERT_EQ(sorted[i], static_cast<std::int64_t>(i));
        std::vector<std::int64_t> reference(order.size());
        run(random_permutation(), "reference", RandomPermutation{state, View(reference.data(), y.shape, DType::i64)});
        EXPECT_TRUE(order == reference) << threads << " threads";
    }
}

TEST(Random, DropoutKeepsTheRightShareWithTheSameBits) {
    for (const float rate : {0.1f, 0.5f, 0.9f}) {
        std::vector<float> x(static_cast<std::size_t>(count), 2.0f), wanted(x.size()), y(x.size());
        std::vector<std::uint8_t> wanted_mask(x.size()), mask(x.size());
        const auto args = [&](std::vector<float>& out, std::vector<std::uint8_t>& kept) {
            return DropoutForward{state, rate, view(x), view(out), View(kept.data(), Shape{count}, DType::u8)};
        };
        run(dropout_forward(), "reference", args(wanted, wanted_mask));
        for (const int threads : {1, 3}) {
            const Threads guard(threads);
            run(dropout_forward(), "cpu", args(y, mask));
            EXPECT_TRUE(mask == wanted_mask && y == wanted) << threads << " threads";
        }
        const double share = std::accumulate(mask.begin(), mask.end(), 0.0) / double(count), keep = 1 - double(rate);
        EXPECT_NEAR(share, keep, 4 * std::sqrt(keep * (1 - keep) / double(count)));
        EXPECT_NEAR(moments(y).mean, 2, 2 * 4 * std::sqrt((1 - keep) / keep / double(count)));
    }
}

TEST(Random, DropoutMayWorkInPlace) {
    std::vector<float> x(1001), y(x.size());
    std::iota(x.begin(), x.end(), 1.0f);
    std::vector<std::uint8_t> mask(x.size());
    const View mask_view(mask.data(), Shape{1001}, DType::u8);
    for (const char* implementation : {"reference", "cpu"}) {
        std::vector<float> both(x);
        run(dropout_forward(), implementation, DropoutForward{state, 0.4f, view(x), view(y), mask_view});
        run(dropout_forward(), implementation, DropoutForward{state, 0.4f, view(both), view(both), mask_view});
        EXPECT_TRUE(both == y) << implementation;
        both = x;
        run(dropout_backward(), implementation, DropoutBackward{0.4f, mask_view, view(both), view(both)});
        EXPECT_TRUE(both == y) << implementation;
    }
}

}  // namespace
