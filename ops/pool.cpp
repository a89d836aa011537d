#include "ops/pool.h"

#include "ops/autograd/node.h"
#include "ops/detail/operands.h"
#include "ops/detail/run.h"

namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;

Pool2dParams whole_picture(const char* op, const Tensor& x) {
    require(x.defined() && x.rank() == 4, op, "expected pictures [batch, height, width, channels], got {}", x);
    return {.kernel = {x.size(1), x.size(2)}, .stride = {x.size(1), x.size(2)}};
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dParams& params, FusedActivation activation) {
    check_window("max_pool2d", x, params);
    Tensor y = Tensor::empty(params.output_shape(x.shape()), x.options()), index;
    const bool recorded = autograd::wants_record({&x});
    if (recorded) index = Tensor::empty(y.shape(), {params.index_dtype(), x.device()});
    run(kernels::max_pool2d_forward(),
        {.x = view(x), .params = params, .activation = activation, .y = view(y), .index = view(index)}, {&x},
        {&y, &index});
    if (recorded) {
        const bool masked = activation != FusedActivation::none;
        autograd::record("max_pool2d", {&x}, y,
                         [params, activation, index = Saved(index), y = Saved(masked ? y : Tensor()),
                          from = x.shape()](Gradients& g) {
                             Tensor dx = Tensor::empty(from, g.dy().options());
                             run(kernels::max_pool2d_backward(),
                                 {.dy = view(g.dy()),
                                  .y = view(y.get()),
                                  .index = view(index.get()),
                                  .params = params,
                                  .activation = activation,
                                  .dx = view(dx)},
                                 {&g.dy(), &y.get(), &index.get()}, {&dx});
                             g.dx(0) = std::move(dx);
                         });
    }
    return y;
}

Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params, bool count_padding) {
    check_window("avg_pool2d", x, params);
    Tensor y = Tensor::empty(params.output_shape(x.shape()), x.options());
    run(kernels::avg_pool2d_forward(), {.x = view(x), .params = params, .count_padding = count_padding, .y = view(y)},
        {&x}, {&y});
    if (autograd::wants_record({&x})) {
        autograd::record("avg_pool2d", {&x}, y, [params, count_padding, from = x.shape()](Gradients& g) {
            Tensor dx = Tensor::empty(from, g.dy().options());
            run(kernels::avg_pool2d_backward(),
                {.dy = view(g.dy()), .params = params, .count_padding = count_padding, .dx = view(dx)}, {&g.dy()},
                {&dx});
            g.dx(0) = std::move(dx);
        });
    }
    return y;
}

Tensor global_average_pool2d(const Tensor& x) {
    return avg_pool2d(x, whole_picture("global_average_pool2d", x)).reshape(Shape{x.size(0), x.size(3)});
}

Tensor global_max_pool2d(const Tensor& x) {
    return max_pool2d(x, whole_picture("global_max_pool2d", x)).reshape(Shape{x.size(0), x.size(3)});
}

}  // namespace heddle::ops
