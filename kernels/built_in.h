#pragma once

#include "kernels/table.h"

namespace heddle::kernels {

/// The table of an operation with its built-in implementations: an `add_reference` and an `add_cpu` for it must be
/// declared. Never destroyed: plug-ins may use it at exit.
template <class Args>
KernelTable<Args>& make_table(const char* operation) {
    auto* table = new KernelTable<Args>(operation);
    add_reference(*table);
    add_cpu(*table);
    return *table;
}

}  // namespace heddle::kernels
