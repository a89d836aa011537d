#include "tests/simt/simulate.h"

// Planted bugs that a sanitizer finds: each ends the process, so each runs in one of its own. What only one build can
// find is tested in that build only (docs/simulator.md has the table).
#if HEDDLE_TEST_TSAN
// A finding ends the program, whoever starts it.
extern "C" [[gnu::visibility("default")]] const char* __tsan_default_options();
const char* __tsan_default_options() { return "halt_on_error=1"; }
#endif

HEDDLE_KERNELS_BEGIN
namespace {

constexpr unsigned threads = 64;

[[maybe_unused]] void run(void (*kernel)(const float*, float*), unsigned blocks = 1, unsigned shared_bytes = 0) {
    std::vector<float> x(threads, 1.0f), y(threads);
    launch(kernel, blocks, threads, shared_bytes, here, x.data(), y.data());
}

class Sanitizer : public ::testing::Test {
  protected:
    void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

#if HEDDLE_TEST_ASAN

__global__ void read_global_beyond(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x + 1]; }
__global__ void write_global_beyond(const float* x, float* y) { y[threadIdx.x + 1] = x[threadIdx.x]; }
__global__ void read_shared_beyond(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    float* const all = cell;
    all[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = all[threadIdx.x + 7];
}
__global__ void write_shared_beyond(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    float* const all = cell;
    all[threadIdx.x + 1] = x[threadIdx.x];
    y[threadIdx.x] = 0;
}
__global__ void read_dynamic_beyond(const float*, float* y) {
    HEDDLE_SHARED_DYNAMIC(float, cell);
    y[threadIdx.x] = cell[threadIdx.x];
}
__global__ void copy_from_beyond(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads * 4]);
    copy_async_16(&cell[threadIdx.x * 4], x + threadIdx.x * 4);
    copy_async_commit();
    copy_async_wait<0>();
    y[threadIdx.x] = cell[threadIdx.x * 4];
}
__global__ void rows_beyond(const float*, float* y) {
    HEDDLE_SHARED(std::uint16_t, tile, [31][8]);
    std::uint32_t fragment[4];
    load_matrix_x4(fragment, &tile[0][0] + threadIdx.x % 32 * 8);
    y[threadIdx.x] = static_cast<float>(fragment[0]);
}
__global__ void local_beyond(const float* x, float* y) {
    float mine[4] = {x[0], x[1], x[2], x[3]};
    const volatile unsigned index = threadIdx.x;
    y[threadIdx.x] = mine[index];
}
/// A vector that is not loaded through load_vector.
__global__ void misaligned(const float* x, float* y) {
    if (threadIdx.x < 8) y[threadIdx.x] = reinterpret_cast<const float4*>(x + 1 + 4 * threadIdx.x)->x;
}

TEST_F(Sanitizer, GlobalReadOutOfBounds) { EXPECT_DEATH(run(read_global_beyond), "heap-buffer-overflow"); }
TEST_F(Sanitizer, GlobalWriteOutOfBounds) { EXPECT_DEATH(run(write_global_beyond), "heap-buffer-overflow"); }
TEST_F(Sanitizer, SharedReadOutOfBounds) { EXPECT_DEATH(run(read_shared_beyond), "use-after-poison"); }
TEST_F(Sanitizer, SharedWriteOutOfBounds) { EXPECT_DEATH(run(write_shared_beyond), "use-after-poison"); }
TEST_F(Sanitizer, DynamicSharedReadOutOfBounds) { EXPECT_DEATH(run(read_dynamic_beyond, 1, 252), "use-after-poison"); }
TEST_F(Sanitizer, AsyncCopyFromOutOfBounds) { EXPECT_DEATH(run(copy_from_beyond), "heap-buffer-overflow"); }
TEST_F(Sanitizer, MatrixRowsOutOfBounds) { EXPECT_DEATH(run(rows_beyond), "use-after-poison"); }
TEST_F(Sanitizer, LocalArrayOutOfBounds) { EXPECT_DEATH(run(local_beyond), "out of bounds|stack-buffer-overflow"); }
TEST_F(Sanitizer, MisalignedVector) { EXPECT_DEATH(run(misaligned), "misaligned address"); }

#endif

#if HEDDLE_TEST_TSAN

__global__ void missing_barrier(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    cell[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = cell[threadIdx.x ^ 32];
}
__global__ void missing_barrier_in_loop(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    float sum = 0;
    for (int i = 0; i < 2; ++i) {
        cell[threadIdx.x] = x[threadIdx.x];
        __syncthreads();
        sum += cell[threadIdx.x ^ 32];
    }
    y[threadIdx.x] = sum;
}
__global__ void missing_syncwarp(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    cell[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = cell[threadIdx.x ^ 1];
}
/// A shuffle exchanges values and orders nothing in memory, although all lanes have come to it.
__global__ void shuffle_instead_of_syncwarp(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    cell[threadIdx.x] = x[threadIdx.x];
    const float value = __shfl_xor_sync(all_lanes, x[threadIdx.x], 1);
    y[threadIdx.x] = cell[threadIdx.x ^ 1] + value;
}
__global__ void syncwarp_instead_of_barrier(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    cell[threadIdx.x] = x[threadIdx.x];
    __syncwarp();
    y[threadIdx.x] = cell[threadIdx.x ^ 32];
}
__global__ void blocks_add(const float* x, float* y) { y[threadIdx.x] += x[threadIdx.x]; }
__global__ void threads_write_one_cell(const float* x, float* y) { y[0] = x[threadIdx.x]; }
/// The last block reads what others wrote: with a fence before the counter, and one after it?
template <bool before, bool after>
__global__ void last_block(const float* x, float* y) {
    HEDDLE_SHARED(bool, last);
    if (threadIdx.x == 0) {
        y[1 + blockIdx.x] = x[0];
        if (before) __threadfence();
        last = atomicAdd(reinterpret_cast<unsigned*>(y), 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last) return;
    if (after) __threadfence();
    if (threadIdx.x > 0 && threadIdx.x <= gridDim.x) y[32 + threadIdx.x] = y[threadIdx.x];
}
__global__ void copy_without_barrier(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    copy_async_4(&cell[threadIdx.x], x + threadIdx.x);
    copy_async_commit();
    copy_async_wait<0>();
    y[threadIdx.x] = cell[threadIdx.x ^ 32];
}
/// A buffer is overwritten by a copy while others still read it.
__global__ void copy_over_readers(const float* x, float* y) {
    HEDDLE_SHARED(float, cell, [threads]);
    cell[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = cell[threadIdx.x ^ 32];
    copy_async_4(&cell[threadIdx.x], x + threadIdx.x);
}
__global__ void matrix_without_barrier(const float* x, float* y) {
    HEDDLE_SHARED(std::uint16_t, tile, [32][8]);
    if (threadIdx.x >= 32) return;
    for (int i = 0; i < 8; ++i) tile[threadIdx.x][i] = static_cast<std::uint16_t>(x[i]);
    std::uint32_t fragment[4];
    load_matrix_x4(fragment, &tile[threadIdx.x][0]);
    y[threadIdx.x] = static_cast<float>(fragment[0]);
}

constexpr const char* race = "data race";

TEST_F(Sanitizer, MissingBarrier) { EXPECT_DEATH(run(missing_barrier), race); }
TEST_F(Sanitizer, MissingBarrierInALoop) { EXPECT_DEATH(run(missing_barrier_in_loop), race); }
TEST_F(Sanitizer, MissingSyncwarp) { EXPECT_DEATH(run(missing_syncwarp), race); }
TEST_F(Sanitizer, ShuffleInsteadOfSyncwarp) { EXPECT_DEATH(run(shuffle_instead_of_syncwarp), race); }
TEST_F(Sanitizer, SyncwarpInsteadOfBarrier) { EXPECT_DEATH(run(syncwarp_instead_of_barrier), race); }
TEST_F(Sanitizer, RaceBetweenBlocks) { EXPECT_DEATH(run(blocks_add, 2), race); }
TEST_F(Sanitizer, RaceBetweenThreads) { EXPECT_DEATH(run(threads_write_one_cell), race); }
TEST_F(Sanitizer, LastBlockWithoutFences) {
    run(last_block<true, true>, 4);
    EXPECT_DEATH((run(last_block<false, true>, 4)), race);
    EXPECT_DEATH((run(last_block<true, false>, 4)), race);
}
TEST_F(Sanitizer, AsyncCopyWithoutBarrier) { EXPECT_DEATH(run(copy_without_barrier), race); }
TEST_F(Sanitizer, AsyncCopyOverReaders) { EXPECT_DEATH(run(copy_over_readers), race); }
TEST_F(Sanitizer, MatrixWithoutBarrier) { EXPECT_DEATH(run(matrix_without_barrier), race); }

#endif

}  // namespace
HEDDLE_KERNELS_END
