#pragma once

#include <memory>
#include <string>

#include "kernels/conv/conv.h"
#include "kernels/onednn.h"

// oneDNN's convolutions for our argument structs, made once per shape, algorithm and thread count.
namespace heddle::kernels {

enum class ConvAlgorithm : std::int64_t {
    direct,   ///< pictures stay NHWC
    winograd  ///< F(4x4, 3x3) on the layout nChw16c, with reorders around it
};

struct ConvPlan {
    onednn::Plan plan;
    std::string refusal = {};  ///< not empty: why oneDNN has no such convolution
};

std::shared_ptr<const ConvPlan> conv_plan(const Conv2dForward& args, ConvAlgorithm algorithm);
std::shared_ptr<const ConvPlan> conv_plan(const Conv2dBackwardData& args, ConvAlgorithm algorithm);
std::shared_ptr<const ConvPlan> conv_plan(const Conv2dBackwardWeights& args, ConvAlgorithm algorithm);

/// The forward pass adds the residual after oneDNN's convolution, in the pass that ReLU needs anyway (oneDNN's own
/// turns NaN into 0). If y is the residual, the convolution is written to the workspace first.
std::size_t conv_workspace_bytes(const Conv2dForward& args, ConvAlgorithm algorithm);
std::size_t conv_workspace_bytes(const Conv2dBackwardData& args, ConvAlgorithm algorithm);
std::size_t conv_workspace_bytes(const Conv2dBackwardWeights& args, ConvAlgorithm algorithm);
void run_conv_plan(const Conv2dForward& args, KernelContext& context, ConvAlgorithm algorithm);
void run_conv_plan(const Conv2dBackwardData& args, KernelContext& context, ConvAlgorithm algorithm);
void run_conv_plan(const Conv2dBackwardWeights& args, KernelContext& context, ConvAlgorithm algorithm);

/// The operands by their role in the forward pass, whatever the operation.
struct ConvOperands {
    const View &x, &w, &y;
};
inline ConvOperands operands(const Conv2dForward& args) { return {args.x, args.w, args.y}; }
inline ConvOperands operands(const Conv2dBackwardData& args) { return {args.dx, args.w, args.dy}; }
inline ConvOperands operands(const Conv2dBackwardWeights& args) { return {args.x, args.dw, args.dy}; }

}  // namespace heddle::kernels
