#include <vector>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/conv/cpu_plans.h"
#include "kernels/conv/implementations.h"

// oneDNN's direct convolutions on NHWC, in f32 and bf16.
//
// bf16 with channels that are no multiple of 16 is computed in f32: oneDNN's bf16 kernels also read what follows the
// last channel, multiplied by 0, so that a NaN or an infinity in the next pixel, or in memory after the tensor, would
// reach unrelated results. This concerns the first layer of a model, whose f32 kernel is fast.
namespace heddle::kernels {
namespace {

template <class Args>
bool runs_in_f32(const Args& args) {
    const ConvOperands o = operands(args);
    const std::int64_t groups = args.params.groups;
    return o.x.dtype == DType::bf16 && (o.x.shape[3] / groups % 16 != 0 || o.y.shape[3] / groups % 16 != 0);
}

struct Views {
    std::vector<View*> inputs, outputs;
};
Views views(Conv2dForward& args) { return {{&args.x, &args.w, &args.bias, &args.residual}, {&args.y}}; }
Views views(Conv2dBackwardData& args) { return {{&args.w, &args.dy}, {&args.dx}}; }
Views views(Conv2dBackwardWeights& args) { return {{&args.x, &args.dy}, {&args.dw, &args.dbias}}; }

/// The same operation on f32 operands placed one after the other in `memory`; they take `bytes`. With null memory it
/// serves only for questions about shapes.
template <class Args>
struct Widened {
    Args args;
    std::size_t bytes = 0;

    Widened(const Args& narrow_args, void* memory) : args(narrow_args) {
        const Views all = views(args);
        for (const auto& list : {all.inputs, all.outputs})
            for (View* view : list) {
                if (!*view) continue;
                *view = View(memory ? static_cast<std::byte*>(memory) + bytes : nullptr, view->shape, DType::f32);
                bytes += (static_cast<std::size_t>(view->elements()) * sizeof(float) + 63) / 64 * 64;
            }
    }
};

template <class Args>
Support supports(const Args& args) {
    const ConvOperands o = operands(args);
    if (const Support support = onednn::supports_dtype(o.x.dtype); !support) return support;
    if (o.x.elements() == 0 || o.w.elements() == 0 || o.y.elements() == 0) return Support::no("an empty tensor");
    const auto plan = conv_plan(runs_in_f32(args) ? Widened<Args>(args, nullptr).args : args, ConvAlgorithm::direct);
    return plan->refusal.empty() ? Support::yes() : Support::no(plan->refusal);
}

template <class Args>
std::size_t workspace_bytes(const Args& args) {
    if (!runs_in_f32(args)) return conv_workspace_bytes(args, ConvAlgorithm::direct);
    const Widened<Args> wide(args, nullptr);
    return wide.bytes + conv_workspace_bytes(wide.args, ConvAlgorithm::direct);
}

constexpr std::int64_t grain = 65536;

template <class Args>
void run(const Args& args, KernelContext& context) {
    if (!runs_in_f32(args)) return run_conv_plan(args, context, ConvAlgorithm::direct);
    Args narrow_args = args;
    Widened<Args> wide(args, context.workspace);
    const Views from = views(narrow_args), to = views(wide.args);
    for (std::size_t i = 0; i < from.inputs.size(); ++i)
        if (*from.inputs[i])
            parallel_for(from.inputs[i]->elements(), grain, [&](std::int64_t first, std::int64_t last) {
                widen(from.inputs[i]->template as<BFloat16>() + first, to.inputs[i]->template as<float>() + first,
                      last - first);
            });
    KernelContext rest = context;
    rest.workspace = static_cast<std::byte*>(context.workspace) + wide.bytes;
    run_conv_plan(wide.args, rest, ConvAlgorithm::direct);
    for (std::size_t i = 0; i < from.outputs.size(); ++i)
        if (*from.outputs[i])
            parallel_for(from.outputs[i]->elements(), grain, [&](std::int64_t first, std::int64_t last) {
                narrow(to.outputs[i]->template as<float>() + first, from.outputs[i]->template as<BFloat16>() + first,
                       last - first);
            });
}

template <class Args>
void add(KernelTable<Args>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = supports<Args>,
               .workspace_bytes = workspace_bytes<Args>,
               .run = run<Args>});
}

}  // namespace

void add_cpu(KernelTable<Conv2dForward>& table) { add(table); }
void add_cpu(KernelTable<Conv2dBackwardData>& table) { add(table); }
void add_cpu(KernelTable<Conv2dBackwardWeights>& table) { add(table); }

}  // namespace heddle::kernels
