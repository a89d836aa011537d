#include <algorithm>

#include "kernels/conv/native_conv.h"
#include "kernels/matmul/column_sums.h"
#include "kernels/native_registry.h"

HEDDLE_KERNELS_BEGIN
namespace {

template <class Args>
Support supports(const Args& args, DType dtype) {
    if (const Support support = floating(dtype); !support) return support;
    return ConvExtents(args).fits_int() ? Support::yes() : Support::no("an extent beyond 2^30");
}

/// A depthwise kernel keeps the filters of its channels in shared memory.
bool suits_depthwise(const ConvExtents& e) { return e.depthwise() && e.taps() * e.group_outputs <= 1024; }

template <class T>
ColumnSource<T> bias_source(const Conv2dBackwardWeights& args) {
    return {args.dy.as<const T>(), nullptr, nullptr};
}

template <class T>
ColumnPlan bias_plan(const Conv2dBackwardWeights& args) {
    const ConvExtents e(args);
    return {e.out_pixels(), e.outputs, column_width(bias_source<T>(args), e.outputs)};
}

/// dw and dbias are computed one after the other, in the same workspace.
std::size_t weights_workspace(const Conv2dBackwardWeights& args) {
    std::size_t bytes =
        suits_depthwise(ConvExtents(args)) ? depthwise_workspace(args) : backward_weights_tiles_workspace(args);
    if (args.dbias)
        with_floating(args.x.dtype,
                      [&](auto zero) { bytes = std::max(bytes, bias_plan<decltype(zero)>(args).workspace_bytes()); });
    return bytes;
}

void run_weights(const Conv2dBackwardWeights& args, KernelContext& context) {
    suits_depthwise(ConvExtents(args)) ? run_depthwise(args, context) : run_backward_weights_tiles(args, context);
    if (args.dbias)
        with_floating(args.x.dtype, [&](auto zero) {
            using T = decltype(zero);
            launch_column_sums(bias_source<T>(args), args.dbias.as<T>(), bias_plan<T>(args),
                               static_cast<float*>(context.workspace), context);
        });
}

}  // namespace

void register_conv() {
    conv2d_forward().add({.name = "native",
                          .device = backend,
                          .priority = priority::plain,
                          .supports = [](const Conv2dForward& args) { return supports(args, args.x.dtype); },
                          .workspace_bytes =
                              [](const Conv2dForward& args) {
                                  return suits_depthwise(ConvExtents(args)) ? 0 : forward_tiles_workspace(args);
                              },
                          .run =
                              [](const Conv2dForward& args, KernelContext& context) {
                                  suits_depthwise(ConvExtents(args)) ? run_depthwise(args, context)
                                                                     : run_forward_tiles(args, context);
                              }});
    conv2d_backward_data().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports = [](const Conv2dBackwardData& args) { return supports(args, args.dx.dtype); },
         .workspace_bytes =
             [](const Conv2dBackwardData& args) {
                 return suits_depthwise(ConvExtents(args)) ? 0 : backward_data_tiles_workspace(args);
             },
         .run =
             [](const Conv2dBackwardData& args, KernelContext& context) {
                 suits_depthwise(ConvExtents(args)) ? run_depthwise(args, context)
                                                    : run_backward_data_tiles(args, context);
             }});
    conv2d_backward_weights().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports = [](const Conv2dBackwardWeights& args) { return supports(args, args.x.dtype); },
         .workspace_bytes = weights_workspace,
         .run = run_weights});
}

HEDDLE_KERNELS_END
