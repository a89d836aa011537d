#pragma once

#include <span>

#include "kernels/cudnn/graph.h"
#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::cudnn {

// Running a plan. `operands` are those of its graph, in the same order; absent ones, which the graph does not have, are
// skipped. What is present but has no address lies in the workspace: a result is computed and thrown away, an operand
// that is read is zero. A result that lies where an operand lies (an operation in place) is computed in the workspace
// and copied: cuDNN promises nothing for overlapping tensors.

std::size_t workspace_bytes(const Plan& plan, std::span<const View> operands);
void run(const Plan& plan, std::span<const View> operands, KernelContext& context);

/// A result that cuDNN writes and the caller does not want.
inline View unwanted(const Shape& shape, DType dtype) { return {nullptr, shape, dtype}; }
/// An operand of cuDNN's that the operation does not have.
inline View zeros(const Shape& shape, DType dtype) { return {nullptr, shape, dtype}; }

}  // namespace heddle::cudnn
