// A plug-in compiled with the headers of a later version of Heddle.
#include "core/plugin.h"

extern "C" HEDDLE_API const heddle::Plugin* heddle_plugin() {
    static constexpr heddle::Plugin plugin{.abi = "7.3", .name = "other_abi", .register_kernels = [] {}};
    return &plugin;
}
