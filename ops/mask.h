#pragma once

#include "core/tensor.h"

// Masks of sequences travel with tensors, as in Keras: a layer that makes one (Masking, Embedding with `mask_zero`)
// gives it to its output, layers that keep the steps hand it on, and losses and metrics leave out what does not count.
// Operations know nothing of masks: what they make has none. Weights are given to a model's output alone.
namespace heddle::ops {

/// Which steps of x count: boolean, of the first dimensions of x ([batch, time] of [batch, time, features]). Undefined:
/// all do.
HEDDLE_API Tensor mask_of(const Tensor& x);

/// Gives x this mask, for all who hold x; an undefined one takes it away. Throws `Error` unless the mask is boolean,
/// lies where x does, and its shape is the beginning of x's.
HEDDLE_API void set_mask(const Tensor& x, const Tensor& mask);

/// What the examples or steps of a model's output count for in losses and weighted metrics, beside its mask (Keras'
/// `sample_weight`): floating, of the first dimensions of x. Undefined: 1.
HEDDLE_API Tensor weight_of(const Tensor& x);

/// Gives x these weights, for all who hold x; undefined ones take them away. Throws `Error` unless they are floating,
/// lie where x does, and their shape is the beginning of x's.
HEDDLE_API void set_weight(const Tensor& x, const Tensor& weight);

}  // namespace heddle::ops
