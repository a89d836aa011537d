#pragma once

#include "kernels/table.h"

namespace heddle::kernels::detail {

/// The priority of what dispatch would run; below all others where nothing can.
template <class Args>
int priority_of(const KernelTable<Args>& table, const Choice& choice, DeviceKind device) {
    const Implementation<Args>* implementation = table.find(choice.name, device);
    return implementation ? implementation->priority : -1;
}

/// Whether to run a fused form in the place of `step` and of what follows it: not where `step` alone has an
/// implementation of higher priority than the fused form has. So a kernel of ours that is not proven on a GPU does not
/// replace a library's. A fused form that is forced by name, or tuned, runs.
template <class Fused, class Step>
bool prefers_fused(const KernelTable<Fused>& fused_table, const Fused& fused, const KernelTable<Step>& step_table,
                   const Step& step, Device device) {
    const Choice choice = fused_table.explain(fused, device);
    if (choice.rule != Choice::Rule::priority) return true;
    return priority_of(fused_table, choice, device.kind) >=
           priority_of(step_table, step_table.explain(step, device), device.kind);
}

}  // namespace heddle::kernels::detail
