#include "core/plugin.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <string_view>

#include "core/check.h"
#include "core/driver/plugin.h"
#include "core/env.h"
#include "core/version.h"

namespace heddle {

static_assert(std::string_view(Plugin{}.abi) == HEDDLE_SOVERSION, "core/plugin.h: Plugin::abi is not this version");

namespace {

struct Known {
    std::mutex mutex;
    std::vector<const Plugin*> plugins;
    std::vector<PluginInfo> loaded;  // of the same order

    static Known& instance() {
        static Known& known = *new Known;
        return known;
    }
};

}  // namespace

void load_plugin(const std::string& file) {
    // A bare name may be a file in the current folder, where the loader would not look.
    std::error_code error;
    const bool here = std::filesystem::exists(file, error);
    check(here || file.find('/') == std::string::npos, "plug-in {}: no such file", file);
    const std::string path = here ? std::filesystem::absolute(file).string() : file;

    std::string why;
    const auto entry = reinterpret_cast<decltype(&heddle_plugin)>(detail::library_function(path, "heddle_plugin", why));
    check(entry, "plug-in {}: {}", file, why);
    const Plugin* plugin = entry();
    check(plugin && plugin->abi, "plug-in {}: its function heddle_plugin returns nothing", file);
    check(std::strcmp(plugin->abi, HEDDLE_SOVERSION) == 0,
          "plug-in {}: it was compiled for Heddle {}, this is Heddle {}: compile it again", file, plugin->abi,
          version());
    check(plugin->register_kernels, "plug-in {}: it has no register_kernels", file);

    Known& known = Known::instance();
    const std::lock_guard lock(known.mutex);
    if (std::find(known.plugins.begin(), known.plugins.end(), plugin) != known.plugins.end()) return;
    plugin->register_kernels();
    known.plugins.push_back(plugin);
    known.loaded.push_back({plugin->name, path});
}

void load_plugins() {
    static std::once_flag once;  // not passed by an exception: the next call tries again
    std::call_once(once, [] {
        const std::string text = env("HEDDLE_PLUGINS").value_or("");
        for (std::size_t start = 0; start < text.size();) {
            const std::size_t end = std::min(text.find(':', start), text.size());
            try {
                if (end > start) load_plugin(text.substr(start, end - start));
            } catch (const Error& error) {
                fail(fmt::format("HEDDLE_PLUGINS: {}", error.what()));
            }
            start = end + 1;
        }
    });
}

std::vector<PluginInfo> loaded_plugins() {
    Known& known = Known::instance();
    const std::lock_guard lock(known.mutex);
    return known.loaded;
}

}  // namespace heddle
