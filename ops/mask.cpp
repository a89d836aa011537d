#include "ops/mask.h"

#include "ops/autograd/node.h"
#include "ops/detail/scope.h"

namespace heddle::ops {

Tensor mask_of(const Tensor& x) {
    const autograd::Meta* meta = x.defined() ? x.impl()->autograd : nullptr;
    return meta ? meta->mask : Tensor();
}

void set_mask(const Tensor& x, const Tensor& mask) {
    require(x.defined(), "set_mask", "the tensor is undefined");
    autograd::Meta*& meta = x.impl()->autograd;
    if (!mask.defined()) {
        if (meta) meta->mask = Tensor();
        return;
    }
    require(mask.dtype() == DType::boolean && mask.device() == x.device() && mask.rank() >= 1 &&
                mask.rank() <= x.rank() && x.shape().range(0, mask.rank()) == mask.shape(),
            "set_mask", "expected a boolean mask of the first dimensions of {} {}, got {} {} {}", x.shape(), x.device(),
            mask.dtype(), mask.shape(), mask.device());
    if (!meta) meta = new autograd::Meta;
    meta->mask = mask;
}

}  // namespace heddle::ops
