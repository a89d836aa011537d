#include "ops/softmax.h"

#include "kernels/softmax/softmax.h"
#include "ops/autograd/node.h"
#include "ops/detail/run.h"
#include "ops/detail/scope.h"

namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;

Tensor apply(const char* operation, const Tensor& x, bool log) {
    require(x.defined() && x.rank() >= 1 && is_floating(x.dtype()), operation,
            "expected a floating tensor [..., classes], got {}", x);
    Tensor y = Tensor::empty(x.shape(), x.options());
    if (x.elements() > 0) run(kernels::softmax_forward(), {.x = view(x), .y = view(y), .log = log}, {&x}, {&y});
    if (autograd::wants_record({&x})) {
        autograd::record(operation, {&x}, y, [log, y = Saved(y)](Gradients& g) {
            Tensor dy = std::move(g.dy());
            Tensor dx = autograd::unique(dy) ? dy : Tensor::empty(dy.shape(), dy.options());
            run(kernels::softmax_backward(), {.y = view(y.get()), .dy = view(dy), .dx = view(dx), .log = log},
                {&y.get(), &dy}, {&dx});
            g.dx(0) = std::move(dx);
        });
    }
    return y;
}

}  // namespace

Tensor softmax(const Tensor& x) { return apply("softmax", x, false); }
Tensor log_softmax(const Tensor& x) { return apply("log_softmax", x, true); }

}  // namespace heddle::ops
