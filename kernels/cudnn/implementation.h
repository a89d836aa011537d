#pragma once

#include "kernels/cudnn/plans.h"
#include "kernels/cudnn/run.h"
#include "kernels/table.h"

namespace heddle::cudnn {

/// An implementation that is one plan. `Operation` has
///   Args                        the operation's arguments
///   declines(args)              what of the contract cuDNN does not keep, as a reason; Support::yes() where it does
///   operands(args)              std::array<View, n> in the order in which `plan` names them to the graph
///   plan(args)                  its Planned, of a table of its own
template <class Operation, class Args = typename Operation::Args>
Implementation<Args> implementation() {
    return {
        .name = "cudnn",
        .device = DeviceKind::cuda,
        .priority = priority::fast,
        .supports =
            [](const Args& args) {
                if (Support support = usable(Operation::operands(args)); !support) return support;
                if (Support support = Operation::declines(args); !support) return support;
                return Operation::plan(args).support();
            },
        .workspace_bytes =
            [](const Args& args) { return workspace_bytes(*Operation::plan(args).plan, Operation::operands(args)); },
        .run = [](const Args& args,
                  KernelContext& context) { run(*Operation::plan(args).plan, Operation::operands(args), context); }};
}

}  // namespace heddle::cudnn
