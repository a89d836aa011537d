#include <thread>

#include "tests/simt/simulate.h"

// Atomic operations, fences, async copies, accesses of several elements.
HEDDLE_KERNELS_BEGIN
namespace {

struct Atomics {
    int added, subtracted, lowest, highest, bits_and, bits_or, bits_xor;
    unsigned wrapped, counted_down, winner;
    float sum;
    double wide_sum;
    unsigned long long big;
    __half2 pair;
    __nv_bfloat16 small;
};

__global__ void all_atomics(Atomics* y, unsigned* tickets) {
    const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
    const int value = static_cast<int>(thread);
    atomicAdd(&y->added, value);
    atomicSub(&y->subtracted, value);
    atomicMin(&y->lowest, 500 - value);
    atomicMax(&y->highest, value - 500);
    atomicAnd(&y->bits_and, ~(1 << value % 7));
    atomicOr(&y->bits_or, 1 << value % 11);
    atomicXor(&y->bits_xor, 1 << value % 5);
    atomicInc(&y->wrapped, 9);
    atomicDec(&y->counted_down, 6);
    if (atomicCAS(&y->winner, 0u, thread + 1) == 0) atomicAdd(&y->sum, 1000.0f);
    atomicAdd(&y->sum, 0.5f);
    atomicAdd(&y->wide_sum, 0.25);
    atomicAdd(&y->big, 1ull << 33);
    atomicAdd(&y->pair, __floats2half2_rn(1.0f, 2.0f));
    atomicAdd(&y->small, __float2bfloat16_rn(1.0f));
    tickets[thread] = atomicExch(&tickets[256], thread);
}

TEST(Memory, Atomics) {
    in_every_order([] {
        Atomics y{};
        y.bits_and = 0x7f | 0x100;
        y.lowest = 1000;
        y.highest = -1000;
        std::vector<unsigned> tickets(257, 1000);
        launch(all_atomics, 4, 64, 0, here, &y, tickets.data());
        EXPECT_EQ(y.added, 255 * 128);
        EXPECT_EQ(y.subtracted, -255 * 128);
        EXPECT_EQ(y.lowest, 245);
        EXPECT_EQ(y.highest, -245);
        EXPECT_EQ(y.bits_and, 0x100);
        EXPECT_EQ(y.bits_or, 0x7ff);
        EXPECT_EQ(y.bits_xor, 0b11110);  // 256 = 51 * 5 + 1
        EXPECT_EQ(y.wrapped, 256u % 10);
        EXPECT_EQ(y.counted_down, (7 - 256 % 7) % 7u);
        EXPECT_GT(y.winner, 0u);
        EXPECT_EQ(y.sum, 1128.0f);
        EXPECT_EQ(y.wide_sum, 64.0);
        EXPECT_EQ(y.big, 256ull << 33);
        EXPECT_EQ(__low2float(y.pair), 256.0f);
        EXPECT_EQ(__high2float(y.pair), 512.0f);
        EXPECT_EQ(__bfloat162float(y.small), 256.0f);
        std::sort(tickets.begin(), tickets.end());  // everybody's number has passed on
        for (unsigned i = 0; i < 256; ++i) EXPECT_EQ(tickets[i], i);
        EXPECT_EQ(tickets[256], 1000u);
    });
}

// The last block to finish adds up what the others have left: the pattern of the CUDA samples. ThreadSanitizer sees the
// fences that order it.
__global__ void sum_in_last_block(const float* x, float* partial, unsigned* finished, float* y, int count) {
    HEDDLE_SHARED(bool, last);
    float sum = 0;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < static_cast<unsigned>(count);
         i += blockDim.x * gridDim.x)
        sum += x[i];
    sum = block_reduce(sum, Sum{}, 0.0f);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;
        __threadfence();
        last = atomicAdd(finished, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last) return;  // the whole block
    __threadfence();
    sum = threadIdx.x < gridDim.x ? __ldcg(&partial[threadIdx.x]) : 0.0f;
    sum = block_reduce(sum, Sum{}, 0.0f);
    if (threadIdx.x == 0) *y = sum;
}

TEST(Memory, LastBlockAddsUp) {
    constexpr int count = 5000;
    std::vector<float> x(count, 0.5f), partial(7);
    in_every_order([&] {
        unsigned finished = 0;
        float y = 0;
        launch(sum_in_last_block, 7, 64, 0, here, x.data(), partial.data(), &finished, &y, count);
        EXPECT_EQ(y, 2500.0f);
    });
}

// A histogram in shared memory, by atomics alone.
__global__ void histogram(const int* x, unsigned* y, int count) {
    HEDDLE_SHARED(unsigned, bin, [16]);
    if (threadIdx.x < 16) bin[threadIdx.x] = 0;
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) atomicAdd(&bin[x[i]], 1u);
    __syncthreads();
    if (threadIdx.x < 16) atomicAdd(&y[threadIdx.x], bin[threadIdx.x]);
}

TEST(Memory, SharedHistogram) {
    std::vector<int> x(1000);
    std::vector<unsigned> expected(16), y(16);
    for (int i = 0; i < 1000; ++i) ++expected[x[i] = i * i % 16];
    launch(histogram, 3, 128, 0, here, x.data(), y.data(), 1000);
    for (int i = 0; i < 16; ++i) EXPECT_EQ(y[i], 3 * expected[i]);
}

// Tiles flow through a ring of three buffers, two copies ahead.
__global__ void pipeline(const float* x, float* y, int tiles, int wanted) {
    constexpr int stages = 3;
    HEDDLE_SHARED(float, buffer, [stages][256]);
    const int t = static_cast<int>(threadIdx.x);
    const auto start = [&](int tile) {
        if (tile < tiles) copy_async_16(&buffer[tile % stages][4 * t], x + tile * 256 + 4 * t, tile < wanted);
        copy_async_commit();
    };
    for (int i = 0; i < stages - 1; ++i) start(i);
    float sum[4] = {};
    for (int tile = 0; tile < tiles; ++tile) {
        copy_async_wait<stages - 2>();
        __syncthreads();
        start(tile + stages - 1);
        for (int i = 0; i < 4; ++i) sum[i] += buffer[tile % stages][(4 * t + i + 128) % 256];  // of another thread
    }
    copy_async_wait<0>();
    for (int i = 0; i < 4; ++i) y[(4 * t + i + 128) % 256] = sum[i];
}

TEST(Memory, AsyncCopiesInAPipeline) {
    constexpr int tiles = 9, wanted = 7;
    std::vector<float> x(tiles * 256), y(256);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 97);
    in_every_order([&] {
        launch(pipeline, 1, 64, 0, here, x.data(), y.data(), tiles, wanted);
        for (int i = 0; i < 256; ++i) {
            float sum = 0;
            for (int tile = 0; tile < wanted; ++tile) sum += x[tile * 256 + i];
            EXPECT_EQ(y[i], sum) << i;  // tiles not wanted are zeros
        }
    });
}

__global__ void copy_small(const float* x, float* y) {
    HEDDLE_SHARED(float, buffer, [32]);
    copy_async_4(&buffer[threadIdx.x], x + threadIdx.x, threadIdx.x != 5);
    copy_async_commit();
    copy_async_wait<0>();
    y[threadIdx.x] = buffer[threadIdx.x];  // its own: no barrier needed
}

TEST(Memory, AsyncCopiesOfFourBytes) {
    std::vector<float> x(32), y(32);
    for (int i = 0; i < 32; ++i) x[i] = static_cast<float>(i + 1);
    launch(copy_small, 1, 32, 0, here, x.data(), y.data());
    for (int i = 0; i < 32; ++i) EXPECT_EQ(y[i], i == 5 ? 0.0f : x[i]);
}

template <class T>
__global__ void scale_vectors(const T* x, T* y, int count) {
    constexpr int width = vector_width<T>;
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * width;
    if (i >= count) return;
    Vector<T, width> values = load_vector<width>(x + i);
    for (int k = 0; k < width; ++k) values[k] = from_f32<T>(2 * to_f32(values[k]));
    store_vector(y + i, values);
}

template <class T>
void check_vectors() {
    constexpr int count = 1024;
    std::vector<T> x(count), y(count);
    for (int i = 0; i < count; ++i) x[i] = from_f32<T>(static_cast<float>(i % 100));
    launch(scale_vectors<T>, 4, 64, 0, here, x.data(), y.data(), count);
    for (int i = 0; i < count; ++i)
        ASSERT_EQ(to_f32(y[i]), i < 4 * 64 * vector_width<T> ? 2.0f * static_cast<float>(i % 100) : 0.0f) << i;
}

TEST(Memory, VectorsOfEveryType) {
    check_vectors<float>();
    check_vectors<__half>();
    check_vectors<__nv_bfloat16>();
}

__global__ void cached(const float4* x, float4* y) {
    const float4 a = __ldg(x + threadIdx.x), b = __ldcs(x + threadIdx.x);
    __stcs(y + threadIdx.x, make_float4(a.x + b.y, a.y, b.z, b.w));
}

TEST(Memory, LoadsThatNameACache) {
    std::vector<float4> x(32), y(32);
    for (int i = 0; i < 32; ++i) x[i] = make_float4(static_cast<float>(i), 1, 2, 3);
    launch(cached, 1, 32, 0, here, x.data(), y.data());
    for (int i = 0; i < 32; ++i) EXPECT_EQ(y[i].x, static_cast<float>(i + 1));
}

// Host threads have simulators of their own.
TEST(Memory, SeveralHostThreads) {
    std::vector<std::thread> threads;
    std::vector<float> results(4);
    const std::vector<float> x(5000, 0.5f);
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&, i] {
            std::vector<float> partial(7);
            for (int k = 0; k < 5; ++k) {
                unsigned finished = 0;
                launch(sum_in_last_block, 7, 64, 0, here, x.data(), partial.data(), &finished, &results[i], 1000 * i);
            }
        });
    for (std::thread& thread : threads) thread.join();
    for (int i = 0; i < 4; ++i) EXPECT_EQ(results[i], 500.0f * static_cast<float>(i));
}

}  // namespace
HEDDLE_KERNELS_END
