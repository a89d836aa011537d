#pragma once

#include <string>
#include <vector>

#include "core/export.h"

namespace heddle {

/// A shared library that adds to Heddle, implementations of its operations above all (docs/guides/custom_kernels.md).
/// It exports one function, `heddle_plugin`, which returns this. `abi` stays the first member in every version.
struct Plugin {
    /// Heddle's MAJOR.MINOR, within which the C++ ABI holds: of the headers that the plug-in was compiled with.
    const char* abi = "0.1";
    const char* name = "";
    /// Called once, after loading: `kernels::conv2d_forward().add(...)` and the like.
    void (*register_kernels)() = nullptr;
};

/// A plug-in that was loaded.
struct PluginInfo {
    std::string name = {};
    std::string file = {};
};

/// Loads a plug-in; its implementations are there when the call returns, and stay until the process ends. A file that
/// was loaded before is left alone. `file` is a path, or a name that the loader looks for (LD_LIBRARY_PATH). Throws
/// `Error`, with the reason, where there is no such file, it cannot be loaded, has no function `heddle_plugin`, or was
/// compiled for another Heddle. Not while operations run.
HEDDLE_API void load_plugin(const std::string& file);

/// Loads those that HEDDLE_PLUGINS names (`a.so:b.so`), once, in this order. The first operation and `kernel_tables()`
/// do it; a program may want the errors sooner.
HEDDLE_API void load_plugins();

/// Those loaded so far, in this order.
HEDDLE_API std::vector<PluginInfo> loaded_plugins();

}  // namespace heddle

/// What a plug-in defines.
extern "C" HEDDLE_API const heddle::Plugin* heddle_plugin();
