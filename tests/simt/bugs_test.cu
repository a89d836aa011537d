#include "tests/simt/simulate.h"

// Kernels with a bug planted in each, and what the simulator says. These are the reports of every build; those that
// need a sanitizer are in sanitizer_test.cu. Constants before a kernel are the numbers of the lines that messages must
// name.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr unsigned threads = 128;

/// Runs a kernel over `threads` values and returns what it wrote.
std::vector<float> output_of(void (*kernel)(const float*, float*)) {
    std::vector<float> x(2 * threads), y(2 * threads);
    for (unsigned i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    launch(kernel, 1, threads, 0, here, x.data(), y.data());
    return y;
}

std::string error_in(void (*kernel)(const float*, float*), unsigned shared_bytes = 0) {
    std::vector<float> x(2 * threads, 1.0f), y(2 * threads);
    return error_of([&] { launch(kernel, 1, threads, shared_bytes, here, x.data(), y.data()); });
}

void expect_in(const std::string& message, const std::vector<std::string>& parts) {
    for (const std::string& part : parts)
        EXPECT_NE(message.find(part), std::string::npos) << "no \"" << part << "\" in \"" << message << "\"";
}

/// In every order: a report with all of these parts.
void expect_report(void (*kernel)(const float*, float*), const std::vector<std::string>& parts) {
    in_every_order([&] { expect_in(error_in(kernel), parts); });
}

std::string line(int number) { return "tests/simt/bugs_test.cu:" + std::to_string(number); }

// Barriers and collectives. -------------------------------------------------------------------------------------------

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

// Shared memory. ------------------------------------------------------------------------------------------------------

__global__ void read_never_written(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    if (threadIdx.x != 77) cell[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = cell[threads - 1 - threadIdx.x];
}

TEST(Bugs, UninitialisedSharedReadIsNaN) {
    in_every_order([] {
        const std::vector<float> y = output_of(read_never_written);
        for (unsigned i = 0; i < threads; ++i) EXPECT_EQ(std::isnan(y[i]), i == threads - 1 - 77) << i;
    });
}

/// Of the block before, neither: every block starts with NaN.
__global__ void read_of_former_block(const float*, float* y) {
    HEDDLE_SHARED(float, cell, [1]);
    if (threadIdx.x == 0) {
        y[blockIdx.x] = cell[0];
        cell[0] = 1;
    }
}

TEST(Bugs, SharedMemoryOfAnotherBlockIsNaN) {
    std::vector<float> y(4);
    launch(read_of_former_block, 4, threads, 0, here, y.data(), y.data());
    for (const float value : y) EXPECT_TRUE(std::isnan(value));
}

#if !HEDDLE_TEST_TSAN  // races, which ThreadSanitizer reports (sanitizer_test.cu)

__global__ void missing_barrier(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    cell[threadIdx.x] = x[threadIdx.x];
    // missing: __syncthreads();
    y[threadIdx.x] = cell[threadIdx.x ^ 32];
}

TEST(Bugs, MissingBarrierWriteThenRead) {
    in_every_order([] {
        unsigned unwritten = 0;
        for (const float value : output_of(missing_barrier)) unwritten += std::isnan(value);
        EXPECT_GE(unwritten, threads / 2);
    });
}

__global__ void missing_barrier_in_loop(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    float sum = 0;
    for (unsigned i = 0; i < 3; ++i) {
        cell[threadIdx.x] = x[threadIdx.x + i];
        __syncthreads();
        sum += cell[threadIdx.x ^ 32];
        // missing: __syncthreads();
    }
    y[threadIdx.x] = sum;
}

/// Whether the results are not the same in all orders.
bool depends_on_order(void (*kernel)(const float*, float*)) {
    std::vector<std::vector<float>> results;
    in_every_order([&] { results.push_back(output_of(kernel)); });
    for (const auto& result : results)
        if (result != results.front()) return true;
    return false;
}

TEST(Bugs, MissingBarrierReadThenWrite) { EXPECT_TRUE(depends_on_order(missing_barrier_in_loop)); }

__global__ void missing_syncwarp(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    cell[threadIdx.x] = x[threadIdx.x];
    // missing: __syncwarp();
    y[threadIdx.x] = cell[threadIdx.x ^ 1];
}

TEST(Bugs, MissingSyncwarpWriteThenRead) {
    in_every_order([] {
        unsigned unwritten = 0;
        for (const float value : output_of(missing_syncwarp)) unwritten += std::isnan(value);
        EXPECT_GE(unwritten, threads / 2);
    });
}

__global__ void missing_syncwarp_in_loop(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    float sum = 0;
    for (unsigned i = 0; i < 3; ++i) {
        cell[threadIdx.x] = x[threadIdx.x + i];
        __syncwarp();
        sum += cell[threadIdx.x ^ 1];
        // missing: __syncwarp();
    }
    y[threadIdx.x] = sum;
}

TEST(Bugs, MissingSyncwarpReadThenWrite) { EXPECT_TRUE(depends_on_order(missing_syncwarp_in_loop)); }

/// Blocks that add to the same cell: lost updates come with real parallelism only, but the order of the blocks shows.
__global__ void last_writer(const float*, float* y) { y[threadIdx.x] = static_cast<float>(blockIdx.x); }

TEST(Bugs, BlocksThatOverwriteEachOther) {
    std::vector<std::vector<float>> results;
    in_every_order([&] {
        std::vector<float> y(threads);
        launch(last_writer, 5, threads, 0, here, y.data(), y.data());
        results.push_back(y);
    });
    EXPECT_NE(results[0], results[1]);
}

#endif

#if !HEDDLE_TEST_ASAN  // which stops the thread itself (sanitizer_test.cu)

constexpr int beyond_line = __LINE__ + 2;
__global__ void write_beyond(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    float* const all = cell;
    all[threadIdx.x + 3] = x[threadIdx.x];
    y[threadIdx.x] = 0;
}

TEST(Bugs, WriteBeyondASharedArray) {
    expect_report(write_beyond, {"planted: block (0, 0, 0) has written beyond the end of shared array cell (" +
                                 line(beyond_line) + ") of 512 bytes, at byte 512"});
}

template <int offset>
__global__ void write_outside(const float* x, float* y) {
    HEDDLE_SHARED_DYNAMIC(float, cell);
    cell[static_cast<int>(threadIdx.x) + offset] = x[threadIdx.x];
    y[threadIdx.x] = 0;
}

TEST(Bugs, WriteOutsideDynamicSharedMemory) {
    constexpr unsigned bytes = threads * sizeof(float);
    EXPECT_EQ(error_in(write_outside<0>, bytes), "");
    expect_in(error_in(write_outside<-2>, bytes), {"has written before the start of dynamic shared memory, 8 bytes"});
    expect_in(error_in(write_outside<5>, bytes), {"beyond the end of dynamic shared memory of 512 bytes, at byte 512"});
    expect_in(error_in(write_outside<0>, 100), {"beyond the end of dynamic shared memory of 100 bytes, at byte 100"});
}

__global__ void read_beyond(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    float* const all = cell;
    all[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = all[threadIdx.x + 5];
}

TEST(Bugs, ReadBeyondASharedArrayIsNaN) {
    const std::vector<float> y = output_of(read_beyond);
    for (unsigned i = 0; i < threads; ++i) EXPECT_EQ(std::isnan(y[i]), i >= threads - 5);
}

#endif

__global__ void too_many_arrays(const float*, float*) {
    HEDDLE_SHARED(float, first, [10000]);
    HEDDLE_SHARED(float, second, [3000]);
    first[0] = second[0] = 0;
}

__global__ void one_big_array(const float*, float*) {
    HEDDLE_SHARED(float, cell, [10000]);
    cell[0] = 0;
}

TEST(Bugs, MoreSharedMemoryThanAGPUHas) {
    expect_in(error_in(too_many_arrays), {"shared array second (tests/simt/bugs_test.cu:", "makes 52000 bytes"});
    expect_in(error_in(one_big_array, 200 * 1024), {"40000", "a block may have 49152 of arrays, 232448 in all"});
}

// Async copies and vectors. -------------------------------------------------------------------------------------------

[[maybe_unused]] __global__ void copy_not_awaited(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads * 4]);
    copy_async_16(&cell[threadIdx.x * 4], x + threadIdx.x % 8 * 4);
    copy_async_commit();
    // missing: copy_async_wait<0>();
    __syncthreads();
    y[threadIdx.x] = cell[threadIdx.x];
}

__global__ void copy_one_group_short(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [2][threads]);
    copy_async_4(&cell[0][threadIdx.x], x + threadIdx.x);
    copy_async_commit();
    copy_async_4(&cell[1][threadIdx.x], x + threadIdx.x);
    copy_async_commit();
    copy_async_wait<1>();
    y[threadIdx.x] = cell[0][threadIdx.x];
    y[threadIdx.x + threads] = cell[1][threadIdx.x];  // needs copy_async_wait<0>
}

__global__ void copy_not_committed(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    copy_async_4(&cell[threadIdx.x], x + threadIdx.x);
    // missing: copy_async_commit();
    copy_async_wait<0>();
    y[threadIdx.x] = cell[threadIdx.x];
}

TEST(Bugs, AsyncCopyNotAwaitedIsNaN) {
    in_every_order([] {
#if !HEDDLE_TEST_TSAN  // a race, too
        const std::vector<float> first = output_of(copy_not_awaited);
        for (unsigned i = 0; i < threads; ++i) EXPECT_TRUE(std::isnan(first[i]));
#endif
        const std::vector<float> second = output_of(copy_one_group_short), third = output_of(copy_not_committed);
        for (unsigned i = 0; i < threads; ++i) {
            EXPECT_EQ(second[i], static_cast<float>(i));
            EXPECT_TRUE(std::isnan(second[i + threads]));
            EXPECT_TRUE(std::isnan(third[i]));
        }
    });
}

constexpr int copy_line = __LINE__ + 3;
__global__ void copy_misaligned(const float* x, float*) {
    HEDDLE_SHARED(float, cell, [threads * 4 + 4]);
    copy_async_16(&cell[threadIdx.x * 4], x + threadIdx.x);
}

TEST(Bugs, AsyncCopyMisaligned) {
    expect_report(copy_misaligned, {line(copy_line), "misaligned access: 16 bytes at 0x"});
}

__global__ void copy_to_global(const float* x, float* y) { copy_async_4(y + threadIdx.x, x + threadIdx.x); }

TEST(Bugs, AsyncCopyToGlobalMemory) { expect_report(copy_to_global, {"an async copy to what is not shared memory"}); }

constexpr int load_line = __LINE__ + 1;
__global__ void load_misaligned(const float* x, float* y) { y[threadIdx.x] = load_vector<4>(x + threadIdx.x)[0]; }

constexpr int store_line = __LINE__ + 2;
__global__ void store_misaligned(const float* x, float* y) {
    store_vector(y + threadIdx.x, load_vector<4>(x + threadIdx.x / 4 * 4));
}

__global__ void cached_misaligned(const float* x, float* y) {
    y[threadIdx.x] = __ldg(reinterpret_cast<const float2*>(x + threadIdx.x)).x;
}

[[maybe_unused]] __global__ void rows_misaligned(const float* x, float* y) {
    HEDDLE_SHARED(std::uint16_t, tile, [32][12]);
    for (unsigned i = 0; i < 12; ++i) tile[threadIdx.x % 32][i] = static_cast<std::uint16_t>(x[0]);
    std::uint32_t fragment[4];
    load_matrix_x4(fragment, &tile[threadIdx.x % 32][0]);
    y[threadIdx.x] = static_cast<float>(fragment[0]);
}

TEST(Bugs, MisalignedAccesses) {
    expect_report(load_misaligned, {line(load_line), "misaligned access: 16 bytes at 0x"});
    expect_report(store_misaligned, {line(store_line), "misaligned access: 16 bytes at 0x"});
    expect_report(cached_misaligned, {"tests/simt/bugs_test.cu:", "misaligned access: 8 bytes at 0x"});
#if !HEDDLE_TEST_TSAN  // the warps write one tile, and nothing orders that
    expect_report(rows_misaligned, {"tests/simt/bugs_test.cu:", "misaligned access: 16 bytes at 0x"});
#endif
}

// Launches. -----------------------------------------------------------------------------------------------------------

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
