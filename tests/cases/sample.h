#pragma once

#include "kernels/attention/attention.h"
#include "kernels/conv/conv.h"
#include "kernels/matmul/matmul.h"
#include "tests/cases/case.h"

/// Reference values for a sample of the outputs, where the whole reference would take long: corners, edges and random
/// places, each computed by its definition in f64 from the problem's f64 operands, and listed by `Problem::only`.
namespace heddle::cases {

/// Ascending flat indices into `shape`: all combinations of first, second, middle, last but one and last along each
/// axis, and random ones, about `count` in all (at least those at the corners).
std::vector<std::int64_t> sample_places(const Shape& shape, std::int64_t count);

void sample(Problem& want, const kernels::Conv2dForward& args);
void sample(Problem& want, const kernels::Conv2dBackwardData& args);
void sample(Problem& want, const kernels::Conv2dBackwardWeights& args);
void sample(Problem& want, const kernels::Matmul& args);
/// Whole heads: the first of the first batch and the last of the last.
void sample(Problem& want, const kernels::AttentionForward& args);
void sample(Problem& want, const kernels::AttentionBackward& args);

}  // namespace heddle::cases
