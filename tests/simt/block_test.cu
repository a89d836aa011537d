#include <set>

#include "kernels/simt/columns.h"
#include "tests/simt/simulate.h"

// Barriers, shared memory, shapes of blocks and grids, the order of threads.
HEDDLE_KERNELS_BEGIN
namespace {

template <class T, class Op>
__global__ void reduce_block(const T* x, T* y, T identity) {
    const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
    const T first = block_reduce(x[blockIdx.x * threads + thread], Op{}, identity);
    const T second = block_reduce(first + static_cast<T>(thread == 0), Op{}, identity);  // calls may follow each other
    y[blockIdx.x * threads + thread] = second;
}

TEST(Block, ReduceAllSizes) {
    in_every_order([] {
        for (const unsigned threads : {32u, 64u, 96u, 160u, 256u, 480u, 992u, 1024u}) {
            std::vector<int> x(3 * threads), y(3 * threads);
            for (unsigned i = 0; i < x.size(); ++i) x[i] = static_cast<int>(i * 7919 % 1000);
            launch(reduce_block<int, Sum>, 3, threads, 0, here, x.data(), y.data(), 0);
            for (unsigned block = 0; block < 3; ++block) {
                int sum = 0;
                for (unsigned i = 0; i < threads; ++i) sum += x[block * threads + i];
                for (unsigned i = 0; i < threads; ++i)
                    ASSERT_EQ(y[block * threads + i], sum * static_cast<int>(threads) + 1) << threads << ", " << i;
            }
        }
    });
}

TEST(Block, ReduceInThreeDimensions) {
    std::vector<float> x(256), y(256);
    for (int i = 0; i < 256; ++i) x[i] = static_cast<float>(i % 17);
    launch(reduce_block<float, Max>, 1, dim3(8, 4, 8), 0, here, x.data(), y.data(), -INFINITY);
    for (int i = 0; i < 256; ++i) EXPECT_EQ(y[i], 17.0f);  // 16, and 16 + 1 in thread 0
}

/// y[lane, unit]: what each lane has got.
__global__ void reduce_columns(const int* x, int* y, ColumnTiles tiles) {
    const ColumnPlace place = column_place(tiles, blockIdx.x, blockIdx.y);
    int sum[1] = {0};
    for (std::int64_t row = place.first; row < place.last; row += tiles.lanes)
        sum[0] += x[row * tiles.units + place.unit];
    reduce_lanes(sum, tiles, place, Sum{});
    sum[0] += place.lane + 1;
    reduce_lanes(sum, tiles, place, Sum{});  // calls may follow each other
    if (place.inside) y[place.lane * tiles.units + place.unit] = sum[0];
}

TEST(Block, ReduceLanes) {
    in_every_order([] {
        for (const int units : {1, 5, 31, 67}) {
            constexpr int rows = 301;
            const ColumnTiles tiles = column_tiles(rows, units, 1, false);
            std::vector<int> x(rows * units), y(tiles.lanes * units);
            for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int>(i * 7919 % 1000);
            launch(reduce_columns, tiles.grid(), column_block, 0, here, x.data(), y.data(), tiles);
            for (int unit = 0; unit < units; ++unit) {
                int sum = 0;
                for (int row = 0; row < rows; ++row) sum += x[row * units + unit];
                for (int lane = 0; lane < tiles.lanes; ++lane)
                    ASSERT_EQ(y[lane * units + unit], tiles.lanes * sum + tiles.lanes * (tiles.lanes + 1) / 2)
                        << units << ", " << unit << ", " << lane;
            }
        }
    });
}

__global__ void where_am_i(uint3* thread, uint3* block, unsigned* sizes) {
    const unsigned blocks = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    const unsigned threads = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned place = blocks * (blockDim.x * blockDim.y * blockDim.z) + threads;
    thread[place] = threadIdx;
    block[place] = blockIdx;
    sizes[place] = gridDim.x * 1000 + gridDim.y * 100 + gridDim.z * 10 + static_cast<unsigned>(warpSize == 32);
}

TEST(Block, ShapesOfBlocksAndGrids) {
    const auto same = [](uint3 a, uint3 b) { return a.x == b.x && a.y == b.y && a.z == b.z; };
    in_every_order([&] {
        for (const auto& [grid, block] : {std::pair{dim3(5), dim3(33)}, std::pair{dim3(2, 3), dim3(4, 5)},
                                          std::pair{dim3(2, 2, 3), dim3(3, 2, 5)}}) {
            const unsigned threads = block.x * block.y * block.z, count = threads * grid.x * grid.y * grid.z;
            std::vector<uint3> thread(count, uint3{99, 99, 99}), from(count, uint3{99, 99, 99});
            std::vector<unsigned> sizes(count);
            launch(where_am_i, grid, block, 0, here, thread.data(), from.data(), sizes.data());
            for (unsigned i = 0; i < count; ++i) {
                const unsigned t = i % threads, b = i / threads;
                ASSERT_TRUE(same(thread[i], {t % block.x, t / block.x % block.y, t / block.x / block.y})) << i;
                ASSERT_TRUE(same(from[i], {b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y})) << i;
                ASSERT_EQ(sizes[i], grid.x * 1000 + grid.y * 100 + grid.z * 10 + 1);
            }
        }
    });
}

__global__ void vote(const int* x, int* count, int* all, int* any) {
    const unsigned t = threadIdx.x;
    count[t] = __syncthreads_count(x[t] & 1);
    all[t] = __syncthreads_and(x[t] & 2);
    any[t] = __syncthreads_or(x[t] & 4);
}

TEST(Block, BarriersThatCount) {
    constexpr int threads = 96;
    in_every_order([&] {
        for (const bool with : {false, true}) {
            std::vector<int> x(threads), count(threads), all(threads), any(threads);
            for (int i = 0; i < threads; ++i) x[i] = (i % 3 == 0 ? 1 : 0) | 2;
            x[50] = with ? 5 : x[50];
            int odd = 0;
            for (const int value : x) odd += value & 1;
            launch(vote, 1, threads, 0, here, x.data(), count.data(), all.data(), any.data());
            for (int i = 0; i < threads; ++i) {
                ASSERT_EQ(count[i], odd);
                ASSERT_EQ(all[i] != 0, !with);
                ASSERT_EQ(any[i] != 0, with);
            }
        }
    });
}

// A tree over dynamic shared memory beside static arrays of several types.
__global__ void tree(const float* x, float* y, int floats) {
    HEDDLE_SHARED_DYNAMIC(float, partial);
    HEDDLE_SHARED(std::int64_t, total);
    HEDDLE_SHARED(std::uint8_t, flag, [256][2]);
    const int t = static_cast<int>(threadIdx.x);
    for (int i = t; i < floats; i += 256) partial[i] = x[blockIdx.x * static_cast<unsigned>(floats) + i];
    flag[t][1] = static_cast<std::uint8_t>(t);
    if (t == 0) total = 0;
    __syncthreads();
    for (int half = floats / 2; half > 0; half /= 2) {
        for (int i = t; i < half; i += 256) partial[i] += partial[i + half];
        __syncthreads();
    }
    atomicAdd(reinterpret_cast<unsigned long long*>(&total), flag[255 - t][1]);
    __syncthreads();
    if (t == 0) y[blockIdx.x] = partial[0] + static_cast<float>(total);
}

TEST(Block, DynamicSharedMemoryBesideArrays) {
    constexpr int floats = 32768;  // 128 KiB
    std::vector<float> x(2 * floats), y(2);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 5);
    in_every_order([&] {
        launch(tree, 2, 256, floats * sizeof(float), here, x.data(), y.data(), floats);
        for (int block = 0; block < 2; ++block) {
            float sum = 255 * 128;
            for (int i = 0; i < floats; ++i) sum += x[block * floats + i];
            EXPECT_EQ(y[block], sum);
        }
    });
}

__global__ void alignments(std::uintptr_t* y) {
    HEDDLE_SHARED_DYNAMIC(char, dynamic);
    HEDDLE_SHARED(char, first, [3]);
    HEDDLE_SHARED(char, second, [5]);
    struct alignas(128) Wide {
        char bytes[128];
    };
    HEDDLE_SHARED(Wide, wide);
    y[0] = reinterpret_cast<std::uintptr_t>(dynamic) % 128;
    y[1] = reinterpret_cast<std::uintptr_t>(first) % 16;
    y[2] = reinterpret_cast<std::uintptr_t>(second) % 16;
    y[3] = reinterpret_cast<std::uintptr_t>(&wide) % 128;
    y[4] = reinterpret_cast<std::uintptr_t>(dynamic) % 256 - 128;  // not more than is promised
}

TEST(Block, SharedArraysAreAligned) {
    std::vector<std::uintptr_t> y(5, 1);
    launch(alignments, 1, 1, 10, here, y.data());
    for (const std::uintptr_t rest : y) EXPECT_EQ(rest, 0u);
}

#if !HEDDLE_TEST_TSAN  // a race, of course
// In which order threads and blocks come, between barriers.
__global__ void who_comes(unsigned* next, unsigned* order) {
    order[(*next)++] = blockIdx.x * blockDim.x + threadIdx.x;
    __syncthreads();
    order[(*next)++] = blockIdx.x * blockDim.x + threadIdx.x;
}

std::vector<unsigned> arrivals(simt::Options options) {
    const simt::Options before = simt::options();
    simt::set_options(options);
    std::vector<unsigned> order(2 * 4 * 64);
    unsigned next = 0;
    launch(who_comes, 4, 64, 0, here, &next, order.data());
    simt::set_options(before);
    return order;
}

TEST(Block, OrderOfThreads) {
    const std::vector<unsigned> forward = arrivals({simt::ThreadOrder::forward});
    std::vector<unsigned> reverse = arrivals({simt::ThreadOrder::reverse});
    for (unsigned i = 0; i < forward.size(); ++i) {
        EXPECT_EQ(forward[i], i / 128 * 64 + i % 64);
        EXPECT_EQ(reverse[i], (3 - i / 128) * 64 + 63 - i % 64);
    }
    const std::vector<unsigned> random = arrivals({simt::ThreadOrder::random, 5});
    EXPECT_EQ(random, arrivals({simt::ThreadOrder::random, 5}));
    EXPECT_NE(random, arrivals({simt::ThreadOrder::random, 6}));
    for (int part = 0; part < 8; ++part) {  // each block's threads, once before the barrier and once after it
        const std::set<unsigned> threads(random.begin() + part * 64, random.begin() + (part + 1) * 64);
        EXPECT_EQ(threads.size(), 64u);
        EXPECT_EQ(*threads.rbegin() / 64, *threads.begin() / 64);
    }
}
#endif

TEST(Block, OrderByName) {
    EXPECT_EQ(simt::parse_order("forward"), simt::ThreadOrder::forward);
    EXPECT_EQ(simt::parse_order("reverse"), simt::ThreadOrder::reverse);
    EXPECT_EQ(simt::parse_order("random"), simt::ThreadOrder::random);
    EXPECT_NE(error_of([] { simt::parse_order("backward"); }).find("\"backward\""), std::string::npos);
}

}  // namespace
HEDDLE_KERNELS_END
