#pragma once

#include <cstdint>

#include "core/tensor.h"

// What metrics make of their arguments.
namespace heddle::detail {

inline bool on_cpu(const Tensor& tensor) { return tensor.device().kind == DeviceKind::cpu; }

/// A host copy in f32.
inline Tensor floats(const Tensor& tensor) { return tensor.detach().to(Device::cpu()).to(DType::f32); }

/// What each of `count` rows or elements of a prediction counts for by its mask and its weights (ops/mask.h): f32
/// [count]. Undefined: 1.
Tensor counted_of(const Tensor& prediction, std::int64_t count);

/// Throws the `Error` that the two do not go together.
[[noreturn]] void fail_shapes(const char* metric, const Tensor& prediction, const Tensor& target);

}  // namespace heddle::detail
