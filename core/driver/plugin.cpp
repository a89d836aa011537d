#include "core/driver/plugin.h"

#include <dlfcn.h>

#include <cstring>
#include <filesystem>
#include <mutex>

#include "core/check.h"
#include "core/env.h"
#include "core/version.h"

namespace heddle::detail {
namespace {

/// The folder of the library that this code is in: its companions lie beside it.
std::filesystem::path own_folder() {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&device_plugin), &info) == 0 || !info.dli_fname) return {};
    return std::filesystem::path(info.dli_fname).parent_path();
}

/// A user's plug-in with kernels for a device has loaded the device's library, maybe from another folder. A second copy
/// would be a second device, so the loaded one is used, found by its bare name.
std::string loaded_already(const std::filesystem::path& file) {
    void* library = dlopen(file.filename().c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (!library) return file.string();
    dlclose(library);
    return file.filename().string();
}

LoadedPlugin load(DeviceKind kind) {
    const auto folder = env("HEDDLE_DEVICE_LIBRARIES");
    const std::filesystem::path file = (folder ? std::filesystem::path(*folder) : own_folder()) /
                                       fmt::format("libheddle_{}.so.{}", to_string(kind), HEDDLE_SOVERSION);
    LoadedPlugin result;
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
        result.why =
            fmt::format("this build of Heddle has no {} (it would be {})", file.filename().string(), file.string());
        return result;
    }
    using Entry = const DevicePlugin* (*)();
    const auto entry =
        reinterpret_cast<Entry>(library_function(loaded_already(file), "heddle_device_plugin", result.why));
    if (!entry) {
        result.why = fmt::format("{}: {}", file.string(), result.why);
        return result;
    }
    const DevicePlugin* plugin = entry();
    if (!plugin || plugin->abi != plugin_abi || std::strcmp(plugin->version, version()) != 0) {
        result.why = fmt::format("{} belongs to {}, this is Heddle {}: install both from one build", file.string(),
                                 plugin ? std::string("Heddle ") + plugin->version : "something else", version());
        return result;
    }
    result.count = plugin->count(result.why);
    result.plugin = plugin;
    plugin->register_kernels();  // without a device, too: `heddle info` and the tests list what there is
    return result;
}

}  // namespace

void* library_function(const std::string& file, const char* name, std::string& why) {
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        why = fmt::format("it cannot be loaded: {}", dlerror());
        return nullptr;
    }
    void* function = dlsym(library, name);
    if (!function) why = fmt::format("it has no function {}", name);
    return function;
}

const LoadedPlugin& device_plugin(DeviceKind kind) {
    check(kind == DeviceKind::cuda || kind == DeviceKind::sim, "device {}: it has no library of its own",
          to_string(kind));
    // Tests and users may ask for cuda and sim at the same time; each is loaded once.
    struct Place {
        std::once_flag once;
        LoadedPlugin loaded;
    };
    static Place& cuda = *new Place;
    static Place& sim = *new Place;
    Place& place = kind == DeviceKind::cuda ? cuda : sim;
    std::call_once(place.once, [&] { place.loaded = load(kind); });
    return place.loaded;
}

}  // namespace heddle::detail
