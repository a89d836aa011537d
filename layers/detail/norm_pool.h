#pragma once

#include "layers/detail/batch_norm_impl.h"
#include "layers/detail/pool_impl.h"
#include "ops/detail/norm_pool.h"

// Private to layers/.
namespace heddle::detail {

/// pool(activation(norm(x))) in one pass, where the norm takes the batch's statistics, unless the norm alone has an
/// implementation of higher priority; else an undefined tensor.
inline Tensor normalize_and_pool(LayerImpl& norm, const Tensor& x, LayerImpl& pool, ops::FusedActivation activation,
                                 bool training) {
    auto* own = dynamic_cast<BatchNormalizationImpl*>(&norm);
    const auto* windows = dynamic_cast<const MaxPooling2DImpl*>(&pool);
    if (!own || !windows || !own->built() || !own->takes_batch_statistics(training) || own->pooled || x.rank() != 4)
        return Tensor();
    const ops::LayerScope scope(own->class_name(), own->name());
    const ops::BatchNormOptions options = own->kernel_options(activation);
    const ops::Pool2dParams window = windows->params(x.size(1), x.size(2));
    if (!ops::prefers_batch_norm_max_pool2d(x, own->weight, own->bias, own->running_mean, own->running_variance,
                                            options, window))
        return Tensor();
    return ops::batch_norm_max_pool2d(x, own->weight, own->bias, own->running_mean, own->running_variance, options,
                                      window);
}

}  // namespace heddle::detail
