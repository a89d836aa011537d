// A plug-in without `register_kernels`.
#include "core/plugin.h"

extern "C" HEDDLE_API const heddle::Plugin* heddle_plugin() {
    static constexpr heddle::Plugin plugin{.name = "no_kernels"};
    return &plugin;
}
