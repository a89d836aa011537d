#include "ops/mask.h"

#include "ops/autograd/node.h"
#include "ops/detail/scope.h"

namespace heddle::ops {
namespace {

Tensor get(const Tensor& x, Tensor autograd::Meta::*place) {
    const autograd::Meta* meta = x.defined() ? x.impl()->autograd : nullptr;
    return meta ? meta->*place : Tensor();
}

/// Gives x what belongs at `place`: `kind` of x's first dimensions, where x lies.
void set(const Tensor& x, Tensor autograd::Meta::*place, const Tensor& given, const char* operation, const char* kind,
         bool right_type) {
    require(x.defined(), operation, "the tensor is undefined");
    autograd::Meta*& meta = x.impl()->autograd;
    if (!given.defined()) {
        if (meta) meta->*place = Tensor();
        return;
    }
    require(right_type && given.device() == x.device() && given.rank() >= 1 && given.rank() <= x.rank() &&
                x.shape().range(0, given.rank()) == given.shape(),
            operation, "expected {} of the first dimensions of {} {}, got {} {} {}", kind, x.shape(), x.device(),
            given.dtype(), given.shape(), given.device());
    if (!meta) meta = new autograd::Meta;
    meta->*place = given;
}

}  // namespace

Tensor mask_of(const Tensor& x) { return get(x, &autograd::Meta::mask); }

void set_mask(const Tensor& x, const Tensor& mask) {
    set(x, &autograd::Meta::mask, mask, "set_mask", "a boolean mask", mask.defined() && mask.dtype() == DType::boolean);
}

Tensor weight_of(const Tensor& x) { return get(x, &autograd::Meta::weight); }

void set_weight(const Tensor& x, const Tensor& weight) {
    set(x, &autograd::Meta::weight, weight, "set_weight", "floating weights",
        weight.defined() && is_floating(weight.dtype()));
}

}  // namespace heddle::ops
