#include "tests/simt/simulate.h"

// Options::skip: a statement runs as if it were not there. The kernels are right without it.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr unsigned threads = 64;

constexpr int barrier_line = __LINE__ + 4;
__global__ void shift(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    cell[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = cell[threadIdx.x ^ 32];
}
constexpr int warp_line = __LINE__ + 4;
__global__ void rotate(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    cell[threadIdx.x] = x[threadIdx.x];
    __syncwarp();
    y[threadIdx.x] = cell[threadIdx.x ^ 1];
}

/// What a kernel writes, in reverse order, without the statement at `line` of this file.
std::vector<float> output_without(int line, void (*kernel)(const float*, float*), unsigned blocks = 1) {
    std::vector<float> x(threads), y(threads, 0.0f);
    for (unsigned i = 0; i < threads; ++i) x[i] = static_cast<float>(i);
    const simt::Options before = simt::options();
    simt::set_options(
        {.order = simt::ThreadOrder::reverse, .skip = {"tests/simt/skip_test.cu", static_cast<unsigned>(line)}});
    launch(kernel, blocks, threads, 0, here, x.data(), y.data());
    simt::set_options(before);
    return y;
}

#if HEDDLE_TEST_TSAN

constexpr int fence_line = __LINE__ + 6;
/// The last block reads what others wrote.
__global__ void last_block(const float* x, float* y) {
    HEDDLE_SHARED(bool, last);
    if (threadIdx.x == 0) {
        y[1 + blockIdx.x] = x[0];
        __threadfence();
        last = atomicAdd(reinterpret_cast<unsigned*>(y), 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last) return;
    __threadfence();
    if (threadIdx.x > 0 && threadIdx.x <= gridDim.x) y[32 + threadIdx.x] = y[threadIdx.x];
}

TEST(Skip, OrdersNothingForTheRaceDetector) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    output_without(1, shift);
    output_without(1, rotate);
    output_without(1, last_block, 4);
    EXPECT_DEATH(output_without(barrier_line, shift), "data race");
    EXPECT_DEATH(output_without(warp_line, rotate), "data race");
    EXPECT_DEATH(output_without(fence_line, last_block, 4), "data race");
}

#else

/// Right with all statements, wrong for some threads (NaN where shared memory was read too early) without that one.
void expect_wrong_without(int line, void (*kernel)(const float*, float*), const std::function<float(unsigned)>& want) {
    const auto wrong = [&](const std::vector<float>& y) {
        unsigned count = 0;
        for (unsigned i = 0; i < threads; ++i) count += y[i] != want(i);
        return count;
    };
    EXPECT_EQ(wrong(output_without(line - 1, kernel)), 0u);
    EXPECT_GT(wrong(output_without(line, kernel)), 0u);
}

TEST(Skip, Barrier) {
    expect_wrong_without(barrier_line, shift, [](unsigned i) { return static_cast<float>(i ^ 32); });
}

TEST(Skip, WarpBarrier) {
    expect_wrong_without(warp_line, rotate, [](unsigned i) { return static_cast<float>(i ^ 1); });
}

constexpr int vote_line = __LINE__ + 2;
__global__ void any(const float* x, float* y) {
    y[threadIdx.x] = __syncthreads_or(x[threadIdx.x] == 5.0f) != 0 ? 1.0f : 0.0f;
}

TEST(Skip, VoteIsTheThreadsOwn) {
    expect_wrong_without(vote_line, any, [](unsigned) { return 1.0f; });
    EXPECT_EQ(output_without(vote_line, any)[5], 1.0f);
}

constexpr int commit_line = __LINE__ + 4, wait_line = commit_line + 1;
__global__ void copy(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    copy_async_4(&cell[threadIdx.x], x + threadIdx.x);
    copy_async_commit();
    copy_async_wait<0>();
    y[threadIdx.x] = cell[threadIdx.x];
}

TEST(Skip, AsyncCopy) {
    expect_wrong_without(commit_line, copy, [](unsigned i) { return static_cast<float>(i); });
    EXPECT_TRUE(std::isnan(output_without(wait_line, copy)[0]));
}

TEST(Skip, NotInOtherFiles) {
    const simt::Options before = simt::options();
    simt::set_options({.order = simt::ThreadOrder::reverse, .skip = {"kernels/simt/skip_test.cu", barrier_line}});
    std::vector<float> x(threads, 3.0f), y(threads);
    launch(shift, 1, threads, 0, here, x.data(), y.data());
    simt::set_options(before);
    EXPECT_EQ(y, x);
}

#endif

TEST(Skip, Text) {
    const simt::Statement statement = simt::parse_statement("kernels/a:b.cu:60");
    EXPECT_EQ(statement.file, "kernels/a:b.cu");
    EXPECT_EQ(statement.line, 60u);
    for (const char* wrong : {"", "60", ":60", "a.cu", "a.cu:", "a.cu:0", "a.cu:6x", "a.cu:-1"})
        EXPECT_NE(error_of([&] { simt::parse_statement(wrong); }).find("expected file:line"), std::string::npos);
}

}  // namespace
HEDDLE_KERNELS_END
