#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/simt/simt.h"

// What the simulator costs per CUDA thread: build/release/benchmarks/heddle_simulator_costs. The counter "ns" is the
// time of one thread's share: of the kernel, of a barrier, of a shuffle, of a matrix instruction.
HEDDLE_KERNELS_BEGIN
namespace {

const KernelContext here{.device = Device::cpu(), .operation = "benchmark"};  // runs at once

__global__ void add(const float* x, float* y) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i] += x[i];
}
__global__ void barriers(int count) {
    for (int i = 0; i < count; ++i) __syncthreads();
}
__global__ void warp_barriers(int count) {
    for (int i = 0; i < count; ++i) __syncwarp();
}
__global__ void shuffles(int count, float* y) {
    float value = static_cast<float>(threadIdx.x);
    for (int i = 0; i < count; ++i) value = __shfl_xor_sync(all_lanes, value, 1);
    y[threadIdx.x] = value;
}
__global__ void products(int count, float* y) {
    std::uint32_t a[4] = {}, b[2] = {};
    float d[4] = {};
    for (int i = 0; i < count; ++i) matrix_multiply_add<__nv_bfloat16>(d, a, b);
    y[threadIdx.x] = d[0];
}
__global__ void async_copies(int count, const float* x) {
    HEDDLE_SHARED(float, tile, [1024 * 4]);
    for (int i = 0; i < count; ++i) {
        copy_async_16(&tile[4 * threadIdx.x], x + 4 * threadIdx.x);
        copy_async_commit();
        copy_async_wait<0>();
    }
}

constexpr int repeats = 100, most_threads = 1024;

/// Time of `launch_all(threads)`, divided by threads and by `per_thread`.
template <class Launch>
void time_threads(benchmark::State& state, double per_thread, const Launch& launch_all) {
    const auto threads = static_cast<unsigned>(state.range(0));
    for (auto _ : state) launch_all(threads);
    state.counters["per_thread"] = benchmark::Counter(
        per_thread * threads, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void plain_threads(benchmark::State& state) {
    std::vector<float> x(256 * most_threads), y(256 * most_threads);
    time_threads(state, 256, [&](unsigned threads) { launch(add, 256, threads, 0, here, x.data(), y.data()); });
}
void barrier(benchmark::State& state) {
    time_threads(state, repeats, [](unsigned threads) { launch(barriers, 1, threads, 0, here, repeats); });
}
void syncwarp(benchmark::State& state) {
    time_threads(state, repeats, [](unsigned threads) { launch(warp_barriers, 1, threads, 0, here, repeats); });
}
void shuffle(benchmark::State& state) {
    std::vector<float> y(most_threads);
    time_threads(state, repeats, [&](unsigned threads) { launch(shuffles, 1, threads, 0, here, repeats, y.data()); });
}
void matrix_product(benchmark::State& state) {
    std::vector<float> y(most_threads);
    time_threads(state, repeats, [&](unsigned threads) { launch(products, 1, threads, 0, here, repeats, y.data()); });
}
void async_copy(benchmark::State& state) {
    std::vector<float> x(4 * most_threads);
    time_threads(state, repeats,
                 [&](unsigned threads) { launch(async_copies, 1, threads, 0, here, repeats, x.data()); });
}

BENCHMARK(plain_threads)->Arg(256);
BENCHMARK(barrier)->Arg(32)->Arg(256)->Arg(1024);
BENCHMARK(syncwarp)->Arg(256);
BENCHMARK(shuffle)->Arg(32)->Arg(256)->Arg(1024);
BENCHMARK(matrix_product)->Arg(128);
BENCHMARK(async_copy)->Arg(256);

}  // namespace
HEDDLE_KERNELS_END

BENCHMARK_MAIN();
