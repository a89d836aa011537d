#include "kernels/conv/cpu_plans.h"
#include "kernels/conv/implementations.h"
#include "kernels/dispatch.h"

// oneDNN's direct convolutions on NHWC.
namespace heddle::kernels {
namespace {

template <class Args>
Support supports(const Args& args) {
    const ConvOperands o = operands(args);
    if (const Support support = onednn::supports_dtype(o.x.dtype); !support) return support;
    if (o.x.elements() == 0 || o.w.elements() == 0 || o.y.elements() == 0) return Support::no("an empty tensor");
    const auto plan = conv_plan(args, ConvAlgorithm::direct);
    return plan->refusal.empty() ? Support::yes() : Support::no(plan->refusal);
}

template <class Args>
void add(KernelTable<Args>& table) {
    table.add(
        {.name = "cpu",
         .priority = priority::plain,
         .supports = supports<Args>,
         .workspace_bytes =
             [](const Args& args) { return conv_plan(args, ConvAlgorithm::direct)->plan.workspace_bytes(); },
         .run = [](const Args& args, KernelContext& context) { run_conv_plan(args, context, ConvAlgorithm::direct); }});
}

}  // namespace

void add_cpu(KernelTable<Conv2dForward>& table) { add(table); }
void add_cpu(KernelTable<Conv2dBackwardData>& table) { add(table); }
void add_cpu(KernelTable<Conv2dBackwardWeights>& table) { add(table); }

}  // namespace heddle::kernels
