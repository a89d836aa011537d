#pragma once

#include "core/tensor.h"

// Masks of sequences travel with tensors, as in Keras: a layer that makes one (Masking, Embedding with `mask_zero`)
// attaches it to its output, layers that keep the steps pass it on, and losses and metrics skip masked steps.
// Operations know nothing of masks: their results have none. Weights are given to
// the output of a model only.
namespace heddle::ops {

/// Which steps of x count: boolean, of the first dimensions of x ([batch, time] of [batch, time, features]). Undefined:
/// all do.
HEDDLE_API Tensor mask_of(const Tensor& x);

/// Attaches the mask to x, for all holders of x; an undefined mask removes it. Throws `Error` unless the mask is
/// boolean, is on x's device, and its shape consists of the first extents of x's.
HEDDLE_API void set_mask(const Tensor& x, const Tensor& mask);

/// What the examples or steps of a model's output count for in losses and weighted metrics, beside its mask (Keras'
/// `sample_weight`): floating, of the first dimensions of x. Undefined: 1.
HEDDLE_API Tensor weight_of(const Tensor& x);

/// Gives x these weights, for all who hold x; undefined ones take them away. Throws `Error` unless they are floating,
/// lie where x does, and their shape is the beginning of x's.
HEDDLE_API void set_weight(const Tensor& x, const Tensor& weight);

}  // namespace heddle::ops
