#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "core/random.h"
#include "kernels/matmul/matmul.h"
#include "kernels/norm/norm.h"

// The sums over many rows: the same bits for every number of threads, and as exact as double within a float's rounding.
namespace {

using namespace heddle;
using namespace heddle::kernels;

constexpr std::int64_t rows = 131072, channels = 16;
const Shape matrix{rows, channels}, vector{channels};

struct ThreadCount {
    explicit ThreadCount(int count) { set_thread_count(count); }
    ~ThreadCount() { set_thread_count(0); }
};

std::vector<float> noise(std::uint64_t seed, float mean, float deviation) {
    std::vector<float> values(static_cast<std::size_t>(rows * channels));
    for (std::size_t i = 0; i < values.size(); ++i) {
        const Philox::Block block = Philox::block(seed, 0, i);
        double sum = 0;
        for (const std::uint32_t word : block.word) sum += word * 0x1p-32 - 0.5;
        values[i] = mean + deviation * static_cast<float>(sum);
    }
    return values;
}

View view(std::vector<float>& values, const Shape& shape) { return View(values.data(), shape, DType::f32); }

template <class Args>
void run(KernelTable<Args>& table, const Args& args) {
    const FlushDenormals flush;
    run_implementation(*table.find("cpu", DeviceKind::cpu), args, Device::cpu(), 0);
}

struct Statistics {
    std::vector<float> y = std::vector<float>(static_cast<std::size_t>(rows * channels));
    std::vector<float> mean = std::vector<float>(channels), inverse_deviation = mean;
    bool operator==(const Statistics&) const = default;
};

Statistics forward(std::vector<float>& x, int threads) {
    const ThreadCount scope(threads);
    Statistics result;
    run(batch_norm_forward(), {.x = view(x, matrix),
                               .y = view(result.y, matrix),
                               .mean = view(result.mean, vector),
                               .inverse_deviation = view(result.inverse_deviation, vector)});
    return result;
}

TEST(ThreadCount, BatchNormForwardIsTheSame) {
    auto x = noise(1, 3, 2);
    const Statistics one = forward(x, 1);
    for (const int threads : {2, 3, 5}) EXPECT_EQ(forward(x, threads), one) << threads << " threads";
}

TEST(ThreadCount, BatchNormBackwardIsTheSame) {
    auto x = noise(1, 3, 2), dy = noise(2, 0, 1);
    Statistics saved = forward(x, 1);
    const auto backward = [&](int threads) {
        const ThreadCount scope(threads);
        std::vector<float> dscale(channels), doffset(channels), dx(x.size());
        run(batch_norm_backward(), {.x = view(x, matrix),
                                    .dy = view(dy, matrix),
                                    .mean = view(saved.mean, vector),
                                    .inverse_deviation = view(saved.inverse_deviation, vector),
                                    .dx = view(dx, matrix),
                                    .dscale = view(dscale, vector),
                                    .doffset = view(doffset, vector)});
        return std::tuple(dscale, doffset, dx);
    };
    const auto one = backward(1);
    for (const int threads : {2, 3, 5}) EXPECT_EQ(backward(threads), one) << threads << " threads";
}

TEST(ThreadCount, BiasGradientIsTheSame) {
    auto dy = noise(2, 0, 1);
    const auto sums = [&](int threads) {
        const ThreadCount scope(threads);
        std::vector<float> dbias(channels);
        run(bias_gradient(), {.dy = view(dy, matrix), .dbias = view(dbias, vector)});
        return dbias;
    };
    const auto one = sums(1);
    for (const int threads : {2, 3, 5}) EXPECT_EQ(sums(threads), one) << threads << " threads";
}

TEST(Accuracy, BatchNormStatisticsOfManySamples) {
    for (const auto& [mean, deviation] : {std::pair(0.0f, 1.0f), std::pair(100.0f, 1.0f), std::pair(1e4f, 0.1f)}) {
        auto x = noise(3, mean, deviation);
        const Statistics got = forward(x, 0);
        for (std::int64_t c = 0; c < channels; ++c) {
            double sum = 0, squares = 0;
            for (std::int64_t i = c; i < rows * channels; i += channels) sum += x[static_cast<std::size_t>(i)];
            const double exact_mean = sum / rows;
            for (std::int64_t i = c; i < rows * channels; i += channels)
                squares += std::pow(x[static_cast<std::size_t>(i)] - exact_mean, 2);
            const double exact = 1 / std::sqrt(squares / rows + double(1e-3f));
            // In units of the deviation and, for the mean, of its own rounding to float.
            const auto channel = static_cast<std::size_t>(c);
            EXPECT_NEAR(got.mean[channel], exact_mean, 5e-7 * (deviation + std::abs(mean) * 0.12)) << mean;
            EXPECT_NEAR(got.inverse_deviation[channel], exact, 5e-7 * exact) << mean;
        }
    }
}

}  // namespace
