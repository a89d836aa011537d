#include <algorithm>

#include "kernels/conv/cpu_plans.h"
#include "kernels/conv/implementations.h"
#include "kernels/conv/winograd_steps.h"
#include "kernels/dispatch.h"

// oneDNN's Winograd convolution F(4x4, 3x3) (Lavin and Gray, 2015, arXiv:1509.09308): 36 products where the direct one
// needs 144. It exists only for the layout nChw16c, so operands are reordered before and after. `cpu_winograd_nhwc` is
// preferred where it runs.
namespace heddle::kernels {
namespace {

template <class Args>
Support supports(const Args& args) {
    const ConvOperands o = operands(args);
    if (const Support support = only_f32(o.x.dtype); !support) return support;
    if (o.x.elements() == 0 || o.y.elements() == 0) return Support::no("an empty tensor");
    using Pair = std::array<std::int64_t, 2>;
    if (o.w.shape[1] != 3 || o.w.shape[2] != 3) return Support::no("a kernel other than 3x3");
    if (args.params.stride != Pair{1, 1} || args.params.dilation != Pair{1, 1})
        return Support::no("stride or dilation");
    if (args.params.groups != 1) return Support::no("groups");
    const auto& padding = args.params.padding;
    if (padding != std::array{padding[0], padding[0], padding[0], padding[0]} || padding[0] > 1)
        return Support::no("padding other than 0 or 1 on all sides");  // oneDNN's data gradient is wrong there
    if (o.x.shape[3] % 16 != 0 || o.y.shape[3] % 16 != 0) return Support::no("channels that are no multiple of 16");
    // Against the direct convolution on one core of the reference machine, reorders included: 0.6 to 0.9 times as fast
    // for 32 x 32 channels, 1.2 to 1.6 from 64 x 64 on, 1.4 to 3.5 for 512 x 512.
    if (std::min(o.x.shape[3], o.y.shape[3]) < 64) return Support::no("too few channels to pay");
    constexpr bool weights = requires { args.dw; }
    , turned = requires { args.dx; };
    if (const Support support = winograd::pays(turned ? o.x.shape : o.y.shape, o.x.shape[3] * o.y.shape[3], weights);
        !support)
        return support;
    const auto plan = conv_plan(args, ConvAlgorithm::winograd);
    return plan->refusal.empty() ? Support::yes() : Support::no(plan->refusal);
}

template <class Args>
void add(KernelTable<Args>& table) {
    table.add({.name = "cpu_winograd",
               .priority = priority::fast,
               .supports = supports<Args>,
               .workspace_bytes = [](const Args& args) { return conv_workspace_bytes(args, ConvAlgorithm::winograd); },
               .run = [](const Args& args,
                         KernelContext& context) { run_conv_plan(args, context, ConvAlgorithm::winograd); }});
}

}  // namespace

void add_cpu_winograd(KernelTable<Conv2dForward>& table) { add(table); }
void add_cpu_winograd(KernelTable<Conv2dBackwardData>& table) { add(table); }
void add_cpu_winograd(KernelTable<Conv2dBackwardWeights>& table) { add(table); }

}  // namespace heddle::kernels
