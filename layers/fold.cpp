#include "layers/detail/fold.h"

#include "layers/detail/batch_norm_impl.h"
#include "layers/detail/conv_impl.h"
#include "ops/autograd/node.h"
#include "ops/elementwise.h"

// With fixed statistics a batch norm is an affine map, like the convolution before it: norm(x * w + b) = x * (s w) +
// norm(b), where s is the factor of each channel (Jacob et al. 2018, arXiv:1712.05877, section 3.2). Folding saves one
// write and one read of the activations. The weights are scaled again in every forward pass: they may have been
// trained, loaded or averaged since the last one, and a captured pass sees that only if the scaling is part of the
// capture.
namespace heddle::detail {
namespace {

/// Whether shapes and types of the two layers fit. If not, the layers themselves report what is wrong. f16 lacks the
/// range that scaled weights may need.
bool go_together(const Conv2DImpl& convolution, const BatchNormalizationImpl& norm, const Tensor& x) {
    const Tensor& w = convolution.weight;
    const auto suits = [&](const Tensor& vector) {
        return !vector.defined() || (vector.shape() == Shape{w.size(0)} && vector.dtype() == w.dtype());
    };
    return x.rank() == 4 && x.dtype() != DType::f16 && w.dtype() == wide(x.dtype()) && suits(convolution.bias) &&
           suits(norm.weight) && suits(norm.bias) && suits(norm.running_mean) && suits(norm.running_variance);
}

}  // namespace

Tensor fold_batch_norm(LayerImpl& layer, const Tensor& x, LayerImpl& next, bool training,
                       kernels::FusedActivation activation, const Tensor& residual) {
    const auto* norm = dynamic_cast<const BatchNormalizationImpl*>(&next);
    if (!norm || !norm->built() || norm->takes_batch_statistics(training)) return Tensor();
    const auto* convolution = dynamic_cast<const Conv2DImpl*>(&layer);
    if (!convolution || !convolution->built() || convolution->options.activation != Activation::linear) return Tensor();
    const Tensor &w = convolution->weight, &bias = convolution->bias;
    if (autograd::wants_record({&x, &w, &bias, &norm->weight, &norm->bias, &residual})) return Tensor();
    if (!go_together(*convolution, *norm, x)) return Tensor();
    const ops::LayerScope scope(layer.class_name(), layer.name());
    const ops::Conv2dParams params = convolution->params(x.size(1), x.size(2));
    if (!folding_pays(x.device().kind, w.elements(), params.output_shape(x.shape(), w.shape()).elements()))
        return Tensor();

    // Scale and shift come from the norm itself, applied to a picture of one pixel: of ones, and of the bias.
    const std::int64_t outputs = w.size(0);
    const Shape pixel{1, outputs}, vector{outputs};
    const Tensor zeros = Tensor::zeros(pixel, norm->running_mean.options());
    const ops::BatchNormOptions options{.epsilon = norm->options.epsilon};
    const Tensor scale = ops::batch_norm(Tensor::ones(pixel, zeros.options()), norm->weight, Tensor(),
                                         zeros.reshape(vector), norm->running_variance, false, options);
    const Tensor shift = ops::batch_norm(bias.defined() ? bias.reshape(pixel) : zeros, norm->weight, norm->bias,
                                         norm->running_mean, norm->running_variance, false, options);
    const Tensor scaled = w.reshape(Shape{outputs, -1}) * scale.reshape(Shape{outputs, 1});
    return ops::conv2d(x, in_type_of(x, scaled.reshape(w.shape())), in_type_of(x, shift.reshape(vector)), params,
                       activation, residual);
}

}  // namespace heddle::detail
