#include "kernels/conv/conv.h"
#include "kernels/register_block.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <string>
#include <thread>
#include <vector>

#include "core/parallel.h"

namespace {

using namespace heddle;
using namespace heddle::kernels;

/// One convolution on memory of its own.
struct Problem {
    std::vector<float> x, w, y;
    Conv2dForward args;

    explicit Problem(std::int64_t channels) {
        const Shape picture{3, 10, 9, channels}, filters{channels, 3, 3, channels};
        const auto fill = [](std::vector<float>& values, const Shape& shape) {
            values.resize(static_cast<std::size_t>(shape.elements()));
            for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
        };
        fill(x, picture);
        fill(w, filters);
        fill(y, picture);
        args.x = View(x.data(), picture, DType::f32);
        args.w = View(w.data(), filters, DType::f32);
        args.y = View(y.data(), picture, DType::f32);
        args.params.padding = {1, 1, 1, 1};
    }

    void run(const char* name) {
        const FlushDenormals flush;
        const auto* implementation = conv2d_forward().find(name, DeviceKind::cpu);
        ASSERT_NE(implementation, nullptr);
        if (!implementation->supports(args)) GTEST_SKIP() << implementation->supports(args).reason();
        run_implementation(*implementation, args, Device::cpu(), 0);
    }
};

class ConvTest : public testing::TestWithParam<const char*> {
  protected:
    const std::int64_t channels = GetParam() == std::string("cpu_direct") ? 32 : 64;  // where it runs
};

TEST_P(ConvTest, SeveralThreadsGetTheSameBits) {
    Problem want(channels);
    want.run(GetParam());
    std::vector<std::thread> threads;
    std::vector<int> equal(4);
    for (std::size_t t = 0; t < equal.size(); ++t)
        threads.emplace_back([&, t] {
            for (int repeat = 0; repeat < 5; ++repeat) {
                Problem mine(channels);
                mine.run(GetParam());
                equal[t] += mine.y == want.y;
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(equal, std::vector<int>(4, 5));
}

TEST_P(ConvTest, LeavesTheHostsThreadSettingAlone) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(3);
    set_thread_count(1);
    Problem problem(channels);
    problem.run(GetParam());
    EXPECT_EQ(omp_get_max_threads(), 3);
    set_thread_count(0);
    omp_set_num_threads(before);
}

/// The thread count may change between two runs of the same shape: plans are kept for each.
TEST_P(ConvTest, FollowsTheThreadCount) {
    Problem one(channels), two(channels);
    set_thread_count(1);
    one.run(GetParam());
    set_thread_count(2);
    two.run(GetParam());
    set_thread_count(0);
    for (std::size_t i = 0; i < one.y.size(); ++i) ASSERT_NEAR(one.y[i], two.y[i], 1e-3) << i;
}

INSTANTIATE_TEST_SUITE_P(Implementations, ConvTest,
                         testing::Values("cpu", "cpu_columns", "cpu_direct", "cpu_winograd", "cpu_winograd_nhwc"),
                         [](const auto& each) { return std::string(each.param); });

/// The gradient of the filters, then that of the bias.
std::vector<float> direct_filter_gradient(int threads) {
    const Shape picture{7, 9, 8, 16}, result{7, 5, 4, 32}, filters{32, 3, 3, 16}, outputs{32};
    std::vector<float> x(static_cast<std::size_t>(picture.elements())), dy(static_cast<std::size_t>(result.elements()));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
    for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = static_cast<float>(i * 53 % 103) / 50 - 1;
    std::vector<float> gradients(static_cast<std::size_t>(filters.elements()) + 32, -1.0f);
    const Conv2dBackwardWeights args{.x = View(x.data(), picture, DType::f32),
                                     .dy = View(dy.data(), result, DType::f32),
                                     .params = {.stride = {2, 2}, .padding = {1, 1, 1, 1}},
                                     .dw = View(gradients.data(), filters, DType::f32),
                                     .dbias = View(gradients.data() + filters.elements(), outputs, DType::f32)};
    const auto* implementation = conv2d_backward_weights().find("cpu_direct", DeviceKind::cpu);
    if (!implementation->supports(args)) return {};
    set_thread_count(threads);
    run_implementation(*implementation, args, Device::cpu(), 0);
    set_thread_count(0);
    return gradients;
}

TEST(Conv2dBackwardWeights, DirectSumsAreFixedForAThreadCount) {
    const std::vector<float> one = direct_filter_gradient(1), three = direct_filter_gradient(3);
    if (!block::has_vectors()) GTEST_SKIP() << "a processor without AVX2";
    ASSERT_FALSE(one.empty()) << "cpu_direct declines the case";
    EXPECT_EQ(three, direct_filter_gradient(3));
    for (std::size_t i = 0; i < one.size(); ++i) ASSERT_NEAR(one[i], three[i], 1e-4) << i;
    // More threads than pictures have rows: some sum nothing.
    const std::vector<float> many = direct_filter_gradient(64);
    for (std::size_t i = 0; i < one.size(); ++i) ASSERT_NEAR(one[i], many[i], 1e-4) << i;
}

/// Enough pixels that one thread multiplies two blocks of columns, the second of which begins inside a picture.
struct ManyColumns {
    static constexpr Conv2dParams params{.stride = {2, 2}, .padding = {1, 1, 1, 1}};
    const Shape picture{13, 7, 6, 512}, filters{32, 3, 3, 512}, result{13, 4, 3, 32}, outputs{32};
    std::vector<float> x = values(picture, 37), w = values(filters, 41), dy = values(result, 53),
                       bias = values(outputs, 3);
    std::vector<float> y = dy, dx = x, dw = w, dbias = bias;

    static std::vector<float> values(const Shape& shape, std::size_t factor) {
        std::vector<float> list(static_cast<std::size_t>(shape.elements()));
        for (std::size_t i = 0; i < list.size(); ++i) list[i] = static_cast<float>(i * factor % 101) / 50 - 1;
        return list;
    }
    static View view(std::vector<float>& list, const Shape& shape) { return View(list.data(), shape, DType::f32); }

    Conv2dForward forward() {
        return {.x = view(x, picture),
                .w = view(w, filters),
                .bias = view(bias, outputs),
                .residual = view(y, result),
                .params = params,
                .activation = FusedActivation::relu,
                .y = view(y, result)};
    }
    Conv2dBackwardData backward_data() {
        return {.w = view(w, filters), .dy = view(dy, result), .params = params, .dx = view(dx, picture)};
    }
    Conv2dBackwardWeights backward_weights() {
        return {.x = view(x, picture),
                .dy = view(dy, result),
                .params = params,
                .dw = view(dw, filters),
                .dbias = view(dbias, outputs)};
    }

    template <class Args>
    static void run(const KernelTable<Args>& table, const char* name, const Args& args) {
        const auto* implementation = table.find(name, DeviceKind::cpu);
        ASSERT_TRUE(implementation->supports(args)) << implementation->supports(args).reason();
        run_implementation(*implementation, args, Device::cpu(), 0);
    }
    void run_all(const char* name, int threads) {
        set_thread_count(threads);
        run(conv2d_forward(), name, forward());
        run(conv2d_backward_data(), name, backward_data());
        run(conv2d_backward_weights(), name, backward_weights());
        set_thread_count(0);
    }
};

TEST(Conv2d, ColumnsInSeveralBlocks) {
    if (block::has_wide_vectors()) GTEST_SKIP() << "a processor with AVX-512: the preset avx2 runs this there";
    ManyColumns want;
    want.run_all("reference", 0);
    for (const int threads : {1, 2, 3}) {
        ManyColumns got;
        got.run_all("cpu_columns", threads);
        const auto expect_near = [&](const std::vector<float>& a, const std::vector<float>& b, const char* what) {
            for (std::size_t i = 0; i < a.size(); ++i)
                ASSERT_NEAR(a[i], b[i], 1e-3) << what << ' ' << i << ", " << threads;
        };
        expect_near(got.y, want.y, "y");
        expect_near(got.dx, want.dx, "dx");
        expect_near(got.dw, want.dw, "dw");
        expect_near(got.dbias, want.dbias, "dbias");
    }
}

TEST(Conv2dParams, OutputShape) {
    const Conv2dParams params{.stride = {2, 1}, .dilation = {1, 3}, .padding = {0, 1, 2, 0}};
    EXPECT_EQ(params.output_shape({5, 8, 10, 3}, {7, 3, 3, 3}), (Shape{5, 4, 6, 7}));
    EXPECT_EQ(params.output_shape({5, 1, 10, 3}, {7, 4, 3, 3}), (Shape{5, 0, 6, 7}));
}

}  // namespace
