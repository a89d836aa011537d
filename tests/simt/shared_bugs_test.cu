#include "tests/simt/bugs.h"

// Bugs planted in the use of shared memory. (See bugs_test.cu.)
HEDDLE_KERNELS_BEGIN
namespace {

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
    expect_report(
        write_beyond,
        {"planted: block (0, 0, 0) has written beyond the end of shared array cell (tests/simt/shared_bugs_test.cu:" +
         std::to_string(beyond_line) + ") of 512 bytes, at byte 512"});
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
    expect_in(error_in(too_many_arrays), {"shared array second (tests/simt/shared_bugs_test.cu:", "makes 52000 bytes"});
    expect_in(error_in(one_big_array, 200 * 1024), {"40000", "a block may have 49152 of arrays, 232448 in all"});
}

}  // namespace
HEDDLE_KERNELS_END
