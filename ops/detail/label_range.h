#pragma once

#include "kernels/loss/loss.h"
#include "ops/detail/run.h"

namespace heddle::ops {

/// The place of the first label (on the CPU) that is neither a class nor `ignored`; -1 where there is none.
inline std::int64_t first_outside(const Tensor& labels, std::int64_t classes, std::int64_t ignored) {
    const Tensor place = Tensor::empty(Shape{1}, {DType::i64});
    run(kernels::label_range(),
        {.labels = view(labels), .classes = classes, .ignore_index = ignored, .result = view(place)}, {&labels},
        {&place});
    return *place.data<std::int64_t>();
}

}  // namespace heddle::ops
