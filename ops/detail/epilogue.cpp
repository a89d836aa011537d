#include "ops/detail/epilogue.h"

#include "kernels/matmul/matmul.h"
#include "ops/detail/run.h"

namespace heddle::ops {

Tensor finish_epilogue(autograd::Gradients& gradients, int bias_index, const Tensor& y,
                       kernels::FusedActivation activation) {
    Tensor dy = std::move(gradients.dy());
    const bool mask = activation != kernels::FusedActivation::none, wants_bias = gradients.wants(bias_index);
    if (!mask && !wants_bias) return dy;
    Tensor masked = dy, dbias;
    if (mask) {
        masked = Tensor();
        masked = autograd::unique(dy) ? dy : Tensor::empty(dy.shape(), dy.options());
    }
    if (wants_bias) dbias = Tensor::empty(Shape{dy.shape().back()}, dy.options());
    const Tensor& written = mask ? masked : dbias;
    run(kernels::bias_gradient(),
        {.dy = view(dy),
         .y = view(y),
         .activation = activation,
         .masked = mask ? view(masked) : View(),
         .dbias = view(dbias)},
        {&dy, &y}, {&written, &dbias});
    if (wants_bias) gradients.dx(bias_index) = dbias;
    return masked;
}

}  // namespace heddle::ops
