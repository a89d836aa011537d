#include "ops/random.h"

#include "kernels/random/random.h"
#include "ops/autograd/node.h"
#include "ops/detail/random_state.h"
#include "ops/detail/run.h"
#include "ops/detail/scope.h"

namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;

}  // namespace

Tensor random_uniform(const Shape& shape, double low, double high, TensorOptions options, Generator& generator) {
    require(low <= high, "random_uniform", "expected low <= high, got {} and {}", low, high);
    Tensor y = Tensor::empty(shape, options);
    run(kernels::random_uniform(),
        {.state = take_random_state(generator, y.device()), .low = low, .high = high, .y = view(y)}, {}, {&y});
    return y;
}

Tensor random_normal(const Shape& shape, double mean, double deviation, TensorOptions options, Generator& generator) {
    require(deviation >= 0, "random_normal", "negative deviation {}", deviation);
    Tensor y = Tensor::empty(shape, options);
    run(kernels::random_normal(),
        {.state = take_random_state(generator, y.device()), .mean = mean, .deviation = deviation, .y = view(y)}, {},
        {&y});
    return y;
}

Tensor random_truncated_normal(const Shape& shape, double mean, double deviation, TensorOptions options,
                               Generator& generator) {
    require(deviation >= 0, "random_truncated_normal", "negative deviation {}", deviation);
    Tensor y = Tensor::empty(shape, options);
    run(kernels::random_truncated_normal(),
        {.state = take_random_state(generator, y.device()), .mean = mean, .deviation = deviation, .y = view(y)}, {},
        {&y});
    return y;
}

Tensor random_permutation(std::int64_t count, Device device, Generator& generator) {
    require(count >= 0, "random_permutation", "negative count {}", count);
    Tensor y = Tensor::empty(Shape{count}, {DType::i64, device});
    run(kernels::random_permutation(), {.state = take_random_state(generator, y.device()), .y = view(y)}, {}, {&y});
    return y;
}

Tensor dropout(const Tensor& x, float rate, bool training, Generator& generator) {
    require(rate >= 0 && rate < 1, "dropout", "rate {} is outside 0 .. 1", rate);
    require(x.defined(), "dropout", "the operand is undefined");
    if (!training || rate == 0) return x;
    Tensor y = Tensor::empty(x.shape(), x.options());
    const Tensor mask = Tensor::empty(x.shape(), {DType::u8, x.device()});
    run(kernels::dropout_forward(),
        {.state = take_random_state(generator, x.device()),
         .rate = rate,
         .x = view(x),
         .y = view(y),
         .mask = view(mask)},
        {&x}, {&y, &mask});
    if (autograd::wants_record({&x})) {
        autograd::record("dropout", {&x}, y, [rate, mask = Saved(mask)](Gradients& g) {
            Tensor dy = std::move(g.dy());
            Tensor dx = autograd::unique(dy) ? dy : Tensor::empty(dy.shape(), dy.options());
            run(kernels::dropout_backward(), {.rate = rate, .mask = view(mask.get()), .dy = view(dy), .dx = view(dx)},
                {&mask.get(), &dy}, {&dx});
            g.dx(0) = std::move(dx);
        });
    }
    return y;
}

}  // namespace heddle::ops
