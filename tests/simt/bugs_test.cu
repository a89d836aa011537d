#include "tests/simt/bugs.h"

// Kernels with a bug planted in each, and what the simulator says. These are the reports of every build; those that
// need a sanitizer are in sanitizer_test.cu. Constants before a kernel are the numbers of the lines that messages must
// name. Here: barriers and collectives; launches; what comes after an error.
HEDDLE_KERNELS_BEGIN
namespace {

std::string line(int number) { return "tests/simt/bugs_test.cu:" + std::to_string(number); }

constexpr int exit_line = __LINE__ + 3;
__global__ void exit_before_barrier(const float* x, float* y) {
    if (threadIdx.x >= 100) return;
    __syncthreads();
    y[threadIdx.x] = x[threadIdx.x];
}

TEST(Bugs, ExitBeforeABarrier) {
    expect_report(exit_before_barrier, {"planted: deadlock in block (0, 0, 0)", "28 of 128 threads have exited",
                                        "100 of 128 threads wait in __syncthreads at " + line(exit_line)});
}

constexpr int two_line = __LINE__ + 3;
__global__ void two_barriers(const float* x, float* y) {
    if (threadIdx.x < 64) {
        __syncthreads();
    } else {
        __syncthreads();
    }
    y[threadIdx.x] = x[threadIdx.x];
}

TEST(Bugs, TwoBarriers) {
    in_every_order([] {
        const std::string message = error_in(two_barriers);
        expect_in(message,
                  {"planted: ", "block (0, 0, 0), thread (", "divergent barriers", line(two_line), line(two_line + 2)});
    });
}

constexpr int some_line = __LINE__ + 3;
__global__ void barrier_for_some(const float* x, float* y) {
    float value = x[threadIdx.x];
    if (value < 5) __syncthreads();
    for (int i = 0; i < 2; ++i) value += __shfl_xor_sync(all_lanes, value, 1);
    y[threadIdx.x] = value;
}

TEST(Bugs, BarrierThatOnlySomeReach) {
    in_every_order([] {
        std::vector<float> x(threads), y(threads);
        for (unsigned i = 0; i < threads; ++i) x[i] = static_cast<float>(i % 7);
        const std::string message =
            error_of([&] { launch(barrier_for_some, 1, threads, 0, here, x.data(), y.data()); });
        expect_in(message, {"deadlock", "wait in __syncthreads at " + line(some_line),
                            "wait in __shfl_xor_sync at " + line(some_line + 1)});
    });
}

constexpr int half_line = __LINE__ + 3;
__global__ void half_a_warp_shuffles(const float* x, float* y) {
    float value = x[threadIdx.x];
    if (threadIdx.x % 32 < 16) value += __shfl_xor_sync(all_lanes, value, 1);
    __syncthreads();
    y[threadIdx.x] = value;
}

TEST(Bugs, DeadlockOfAMaskThatNamesTooMany) {
    expect_report(half_a_warp_shuffles, {"deadlock", "64 of 128 threads wait in __shfl_xor_sync at " + line(half_line),
                                         "64 of 128 threads wait in __syncthreads at " + line(half_line + 1)});
}

constexpr int mask_line = __LINE__ + 2;
__global__ void not_in_mask(const float* x, float* y) {
    y[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, x[threadIdx.x], 1);
}

TEST(Bugs, LaneNotInItsMask) {
    expect_report(not_in_mask, {line(mask_line) + ", block (0, 0, 0), thread (", "__shfl_xor_sync: lane ",
                                " is not in the mask 0x0000ffff"});
}

constexpr int lines_line = __LINE__ + 4;
__global__ void different_lines(const float* x, float* y) {
    float value = x[threadIdx.x];
    if (threadIdx.x % 2 == 0)
        value += __shfl_xor_sync(all_lanes, value, 2);
    else
        value += __shfl_xor_sync(all_lanes, value, 4);
    y[threadIdx.x] = value;
}

TEST(Bugs, ShufflesOfDifferentLines) {
    expect_report(different_lines, {line(lines_line), line(lines_line + 2), "wait in __shfl_xor_sync at"});
}

__global__ void bad_width(const float* x, float* y) {
    y[threadIdx.x] = __shfl_xor_sync(all_lanes, x[threadIdx.x], 1, 12);
}

TEST(Bugs, WidthOfAShuffle) { expect_report(bad_width, {"__shfl_xor_sync: a width of 12"}); }

__global__ void active_mask(const float*, float* y) { y[threadIdx.x] = static_cast<float>(__activemask()); }

TEST(Bugs, Activemask) { expect_report(active_mask, {"__activemask()", "pass an explicit mask"}); }

__global__ void trap(const float* x, float* y) {
    if (x[threadIdx.x] > 0) __trap();
    y[threadIdx.x] = 1;
}

TEST(Bugs, Trap) { expect_report(trap, {"__trap()", "tests/simt/bugs_test.cu:"}); }

__global__ void nothing() {}

TEST(Bugs, LaunchesThatAGPURefuses) {
    const auto refused = [](dim3 grid, dim3 block, std::size_t bytes) {
        return error_of([=] { launch(nothing, grid, block, bytes, here); });
    };
    expect_in(refused(1, 1025, 0), {"planted: a block of (1025, 1, 1) threads"});
    expect_in(refused(1, dim3(64, 32), 0), {"planted: a block of (64, 32, 1) threads", "1024 in all"});
    expect_in(refused(1, dim3(1, 1, 65), 0), {"a block of (1, 1, 65) threads"});
    expect_in(refused(1, 0, 0), {"a block of (0, 1, 1) threads"});
    expect_in(refused(dim3(1, 65536), 1, 0), {"a grid of (1, 65536, 1) blocks"});
    expect_in(refused(1, 1, 227 * 1024 + 1), {"232449 bytes of dynamic shared memory (at most 232448)"});
    EXPECT_EQ(refused(1, dim3(16, 1, 64), 227 * 1024), "");
    EXPECT_EQ(refused(0, 2000, 0), "") << "an empty grid is no work";
}

#if !HEDDLE_TEST_TSAN  // the counter is a race
struct Counter {
    int& count;
    explicit Counter(int& counted) : count(counted) { ++count; }
    ~Counter() { --count; }
};

int held = 0;

__global__ void fail_while_others_wait(const float* x, float* y) {
    const Counter counter(held);
    if (threadIdx.x == 70) __trap();
    __syncthreads();
    y[threadIdx.x] = x[threadIdx.x];
}

/// Threads that wait when another fails release what they hold.
TEST(Bugs, StacksUnwindAfterAnError) {
    in_every_order([] {
        for (int i = 0; i < 3; ++i) {
            held = 0;
            EXPECT_NE(error_in(fail_while_others_wait), "");
            EXPECT_EQ(held, 0);
        }
    });
}

#endif

TEST(Bugs, GoesOnAfterAnError) {
    EXPECT_NE(error_in(exit_before_barrier), "");
    EXPECT_NE(error_in(half_a_warp_shuffles), "");
    const std::vector<float> y = output_of([](const float* x, float* out) { out[threadIdx.x] = x[threadIdx.x]; });
    for (unsigned i = 0; i < threads; ++i) EXPECT_EQ(y[i], static_cast<float>(i));
}

}  // namespace
HEDDLE_KERNELS_END
