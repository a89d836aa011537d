#include <bit>
#include <random>

#include "tests/simt/simulate.h"

// Shuffles, votes and reductions of a warp, against the tables of the CUDA programming guide written as plain loops.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int two_warps = 64;

enum class Kind { index, up, down, exclusive_or };

template <class T>
__global__ void shuffle(Kind kind, const T* x, T* y, int parameter, int width) {
    const unsigned t = threadIdx.x;
    const unsigned delta = static_cast<unsigned>(parameter);
    switch (kind) {
        case Kind::index:
            y[t] = __shfl_sync(all_lanes, x[t], parameter, width);
            break;
        case Kind::up:
            y[t] = __shfl_up_sync(all_lanes, x[t], delta, width);
            break;
        case Kind::down:
            y[t] = __shfl_down_sync(all_lanes, x[t], delta, width);
            break;
        case Kind::exclusive_or:
            y[t] = __shfl_xor_sync(all_lanes, x[t], parameter, width);
            break;
    }
}

/// The lane that lane `lane` reads.
int source(Kind kind, int lane, int parameter, int width) {
    const int group = lane / width * width, within = lane % width;
    switch (kind) {
        case Kind::index:
            return group + parameter % width;
        case Kind::up:
            return within >= parameter ? lane - parameter : lane;
        case Kind::down:
            return within + parameter < width ? lane + parameter : lane;
        default:
            return (lane ^ parameter) < group + width ? lane ^ parameter : lane;
    }
}

template <class T>
class Shuffle : public ::testing::Test {};
using Shuffled = ::testing::Types<float, int, unsigned, double, std::int64_t, std::uint16_t>;
TYPED_TEST_SUITE(Shuffle, Shuffled);

TYPED_TEST(Shuffle, EveryKindAndWidth) {
    std::vector<TypeParam> x(two_warps), y(two_warps);
    for (int i = 0; i < two_warps; ++i) x[i] = static_cast<TypeParam>(1000 + 3 * i);
    in_every_order([&] {
        for (const Kind kind : {Kind::index, Kind::up, Kind::down, Kind::exclusive_or})
            for (const int width : {1, 2, 4, 8, 16, 32})
                for (const int parameter : {0, 1, 2, 5, 8, 16, 31}) {
                    launch(shuffle<TypeParam>, 1, two_warps, 0, here, kind, x.data(), y.data(), parameter, width);
                    for (int i = 0; i < two_warps; ++i)
                        ASSERT_EQ(y[i], x[i / 32 * 32 + source(kind, i % 32, parameter, width)])
                            << "kind " << static_cast<int>(kind) << ", width " << width << ", parameter " << parameter
                            << ", thread " << i;
                }
    });
}

__global__ void shuffle_halves(const __half2* x, __half2* y) {
    y[threadIdx.x] = __shfl_xor_sync(all_lanes, x[threadIdx.x], 3);
}

TEST(Warp, PairsOfHalvesAreShuffled) {
    std::vector<__half2> x, y(32);
    for (int i = 0; i < 32; ++i) x.push_back(__floats2half2_rn(static_cast<float>(i), 0.5f * static_cast<float>(i)));
    launch(shuffle_halves, 1, 32, 0, here, x.data(), y.data());
    for (int i = 0; i < 32; ++i) {
        EXPECT_EQ(__low2float(y[i]), static_cast<float>(i ^ 3));
        EXPECT_EQ(__high2float(y[i]), 0.5f * static_cast<float>(i ^ 3));
    }
}

// Halves of a warp that go different ways, each with its own mask.
__global__ void different_masks(float* y) {
    const unsigned lane = threadIdx.x % 32;
    float value = static_cast<float>(threadIdx.x);
    if (lane < 16) {
        for (int offset = 8; offset > 0; offset /= 2) value += __shfl_xor_sync(0x0000ffffu, value, offset);
    } else {
        value = __shfl_down_sync(0xffff0000u, value, 1);
    }
    y[threadIdx.x] = value;
}

TEST(Warp, HalvesWithTheirOwnMasks) {
    std::vector<float> y(two_warps);
    in_every_order([&] {
        launch(different_masks, 1, two_warps, 0, here, y.data());
        for (int i = 0; i < two_warps; ++i) {
            const int base = i / 32 * 32;
            const int expected = i % 32 < 16 ? 16 * base + 120 : i % 32 < 31 ? i + 1 : i;
            EXPECT_EQ(y[i], static_cast<float>(expected)) << i;
        }
    });
}

struct Counted {
    unsigned ballot, match, add, low, high, all_bits, any_bits, odd_bits;
    int any, all, match_all, all_same, signed_add, signed_low, signed_high;
};

__global__ void count(const int* x, unsigned mask, Counted* y) {
    const int lane = static_cast<int>(threadIdx.x);
    if ((mask >> lane & 1) == 0) return;  // no barrier follows
    const int value = x[lane];
    const unsigned bits = static_cast<unsigned>(value);
    Counted& mine = y[lane];
    mine.ballot = __ballot_sync(mask, value > 0);
    mine.any = __any_sync(mask, value > 7);
    mine.all = __all_sync(mask, value > -8);
    mine.match = __match_any_sync(mask, value);
    mine.match_all = static_cast<int>(__match_all_sync(mask, value, &mine.all_same));
    mine.add = __reduce_add_sync(mask, bits);
    mine.low = __reduce_min_sync(mask, bits);
    mine.high = __reduce_max_sync(mask, bits);
    mine.signed_add = __reduce_add_sync(mask, value);
    mine.signed_low = __reduce_min_sync(mask, value);
    mine.signed_high = __reduce_max_sync(mask, value);
    mine.all_bits = __reduce_and_sync(mask, bits);
    mine.any_bits = __reduce_or_sync(mask, bits);
    mine.odd_bits = __reduce_xor_sync(mask, bits);
}

TEST(Warp, VotesAndReductions) {
    std::mt19937 generator(1);
    in_every_order([&] {
        for (const unsigned mask : {0xffffffffu, 0x0000ffffu, 0x80000001u, 0x00f0a500u}) {
            std::vector<int> x(32);
            for (int& value : x) value = static_cast<int>(generator() % 16) - 8;
            if (mask == 0x80000001u) x[31] = x[0];
            std::vector<Counted> y(32);
            launch(count, 1, 32, 0, here, x.data(), mask, y.data());
            Counted expected{0, 0, 0, 0xffffffffu, 0, 0xffffffffu, 0, 0, 0, 1, 0, 1, 0, 100, -100};
            int first = -1;
            for (int lane = 0; lane < 32; ++lane) {
                if ((mask >> lane & 1) == 0) continue;
                if (first < 0) first = lane;
                const int value = x[lane];
                const unsigned bits = static_cast<unsigned>(value);
                expected.ballot |= (value > 0 ? 1u : 0u) << lane;
                expected.any |= value > 7;
                expected.all &= value > -8;
                expected.all_same &= value == x[first];
                expected.add += bits;
                expected.signed_add += value;
                expected.low = std::min(expected.low, bits);
                expected.high = std::max(expected.high, bits);
                expected.signed_low = std::min(expected.signed_low, value);
                expected.signed_high = std::max(expected.signed_high, value);
                expected.all_bits &= bits;
                expected.any_bits |= bits;
                expected.odd_bits ^= bits;
            }
            for (int lane = 0; lane < 32; ++lane) {
                if ((mask >> lane & 1) == 0) continue;
                unsigned match = 0;
                for (int other = 0; other < 32; ++other)
                    if ((mask >> other & 1) != 0 && x[other] == x[lane]) match |= 1u << other;
                const Counted& mine = y[lane];
                EXPECT_EQ(mine.match, match);
                EXPECT_EQ(mine.ballot, expected.ballot);
                EXPECT_EQ(mine.any, expected.any);
                EXPECT_EQ(mine.all, expected.all);
                EXPECT_EQ(mine.all_same, expected.all_same);
                EXPECT_EQ(static_cast<unsigned>(mine.match_all), expected.all_same ? mask : 0u);
                EXPECT_EQ(mine.add, expected.add);
                EXPECT_EQ(mine.signed_add, expected.signed_add);
                EXPECT_EQ(mine.low, expected.low);
                EXPECT_EQ(mine.high, expected.high);
                EXPECT_EQ(mine.signed_low, expected.signed_low);
                EXPECT_EQ(mine.signed_high, expected.signed_high);
                EXPECT_EQ(mine.all_bits, expected.all_bits);
                EXPECT_EQ(mine.any_bits, expected.any_bits);
                EXPECT_EQ(mine.odd_bits, expected.odd_bits);
            }
        }
    });
}

// Lanes of a block that is no multiple of 32, or that have left, need not come; what they would give is NaN.
__global__ void with_absent(float* y, unsigned leaving) {
    if (threadIdx.x >= leaving) return;
    y[threadIdx.x] = __shfl_down_sync(all_lanes, static_cast<float>(threadIdx.x), 4);
}

TEST(Warp, AbsentLanesGiveNaN) {
    in_every_order([&] {
        for (const unsigned threads : {20u, 32u}) {
            std::vector<float> y(20);
            launch(with_absent, 1, threads, 0, here, y.data(), 20u);
            for (int i = 0; i < 16; ++i) EXPECT_EQ(y[i], static_cast<float>(i + 4)) << threads;
            for (int i = 16; i < 20; ++i) EXPECT_TRUE(std::isnan(y[i])) << i << " of " << threads;
        }
    });
}

// Each lane passes its value round the warp through shared memory; only __syncwarp orders the accesses.
__global__ void rotate(float* y, int steps) {
    HEDDLE_SHARED(float, cell, [4][32]);
    const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    float value = static_cast<float>(threadIdx.x);
    for (int i = 0; i < steps; ++i) {
        cell[warp][lane] = value;
        __syncwarp();
        value = cell[warp][(lane + 1) % 32];
        __syncwarp();
    }
    y[threadIdx.x] = value;
}

TEST(Warp, SyncwarpOrdersSharedMemory) {
    std::vector<float> y(128);
    in_every_order([&] {
        launch(rotate, 1, 128, 0, here, y.data(), 7);
        for (int i = 0; i < 128; ++i) EXPECT_EQ(y[i], static_cast<float>(i / 32 * 32 + (i + 7) % 32));
    });
}

template <int width>
__global__ void reduce_warp(const float* x, float* y) {
    y[threadIdx.x] = warp_reduce<width>(x[threadIdx.x], Sum{});
}

TEST(Warp, ReduceInGroups) {
    std::vector<float> x(two_warps), y(two_warps);
    for (int i = 0; i < two_warps; ++i) x[i] = static_cast<float>(i * i);
    const auto check = [&](int width) {
        for (int i = 0; i < two_warps; ++i) {
            float sum = 0;
            for (int k = 0; k < width; ++k) sum += x[i / width * width + k];
            EXPECT_EQ(y[i], sum) << width << ", " << i;
        }
    };
    in_every_order([&] {
        launch(reduce_warp<2>, 1, two_warps, 0, here, x.data(), y.data());
        check(2);
        launch(reduce_warp<8>, 1, two_warps, 0, here, x.data(), y.data());
        check(8);
        launch(reduce_warp<32>, 1, two_warps, 0, here, x.data(), y.data());
        check(32);
    });
}

}  // namespace
HEDDLE_KERNELS_END
