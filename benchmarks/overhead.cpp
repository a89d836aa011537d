#include <benchmark/benchmark.h>

#include "heddle.h"
#include "ops/autograd/grad_mode.h"

// The cost of eager execution beyond the arithmetic: operations on one element, and steps so small that they are all
// overhead. Times are per operation or per step, not per loop.
namespace {

using namespace heddle;

Tensor one(bool requires_grad) {
    Tensor tensor = Tensor::ones({1});
    tensor.set_requires_grad(requires_grad);
    return tensor;
}

void empty(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(Tensor::empty({1}));
}

/// The output is dropped, and its recorded node with it, so that no graph grows.
void add_recorded(benchmark::State& state) {
    const Tensor a = one(true), b = one(true);
    for (auto _ : state) benchmark::DoNotOptimize(a + b);
}

void add_without_gradient(benchmark::State& state) {
    const Tensor a = one(false), b = one(false);
    for (auto _ : state) benchmark::DoNotOptimize(a + b);
}

void add_under_no_grad(benchmark::State& state) {
    const Tensor a = one(true), b = one(true);
    const NoGrad no_grad;
    for (auto _ : state) benchmark::DoNotOptimize(a + b);
}

/// Time of one of the ten operations, forward and backward.
void chain_of_ten(benchmark::State& state) {
    const Tensor a = one(true), b = one(true);
    for (auto _ : state) {
        Tensor y = a;
        for (int i = 0; i < 10; ++i) y = y + b;
        y.backward();
        a.zero_grad();
        b.zero_grad();
    }
    state.counters["per_operation"] =
        benchmark::Counter(10, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

Sequential small_mlp() {
    set_seed(1);
    Sequential model{Dense(16, {.activation = Activation::relu}), Dense(16, {.activation = Activation::relu}),
                     Dense(4)};
    model.compile({.optimizer = SGD({.learning_rate = 0.01, .momentum = 0.9}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true})});
    return model;
}

void mlp_forward(benchmark::State& state) {
    const Sequential model = small_mlp();
    const Tensor x = Tensor::ones({8, 16});
    const NoGrad no_grad;
    for (auto _ : state) benchmark::DoNotOptimize(model(x));
}

void mlp_forward_and_backward(benchmark::State& state) {
    const Sequential model = small_mlp();
    const Tensor x = Tensor::ones({8, 16}), y = Tensor::zeros({8}, {DType::i64});
    const Loss loss = model.loss();
    for (auto _ : state) {
        loss(model(x, true), y).backward();
        model.zero_grad();
    }
}

void mlp_step(benchmark::State& state) {
    const Sequential model = small_mlp();
    const Tensor x = Tensor::ones({8, 16}), y = Tensor::zeros({8}, {DType::i64});
    for (auto _ : state) model.train_on_batch(x, y);
}

BENCHMARK(empty)->Name("empty");
BENCHMARK(add_without_gradient)->Name("add/without_gradient");
BENCHMARK(add_under_no_grad)->Name("add/under_no_grad");
BENCHMARK(add_recorded)->Name("add/recorded");
BENCHMARK(chain_of_ten)->Name("add/chain_of_10_forward_and_backward");
BENCHMARK(mlp_forward)->Name("mlp_16_16_4/forward");
BENCHMARK(mlp_forward_and_backward)->Name("mlp_16_16_4/forward_and_backward");
BENCHMARK(mlp_step)->Name("mlp_16_16_4/train_on_batch");

}  // namespace

BENCHMARK_MAIN();
