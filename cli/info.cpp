#include <algorithm>
#include <memory>

#include "cli/command.h"
#include "cli/libraries.h"
#include "cli/output.h"
#include "cli/validators.h"
#include "core/check.h"
#include "core/device.h"
#include "core/device_library.h"
#include "core/parallel.h"
#include "core/plugin.h"
#include "core/version.h"
#include "kernels/machine.h"
#include "kernels/table.h"

namespace heddle::cli {
namespace {

int info_json() {
    Config::Array devices, libraries;
    for (const DeviceStatus& status : device_status()) {
        Config device;
        device.set("device", std::string(to_string(status.kind))).set("count", status.count);
        device.set(status.count > 0 ? "description" : "why_missing",
                   status.count > 0 ? status.description : status.why_missing);
        devices.push_back(device);
    }
    for (const LibraryVersion& library : library_versions())
        libraries.push_back(Config()
                                .set("name", library.name)
                                .set("compiled", library.compiled)
                                .set("loaded", library.loaded)
                                .set("file", library.file));
    Config::Array device_libraries_found;
    for (const DeviceLibrary& library : device_libraries())
        device_libraries_found.push_back(Config()
                                             .set("name", library.name)
                                             .set("compiled", library.compiled)
                                             .set("loaded", library.loaded)
                                             .set("file", library.file)
                                             .set("why_missing", library.why_missing));
    Config::Array plugins;
    for (const PluginInfo& plugin : loaded_plugins())
        plugins.push_back(Config().set("name", plugin.name).set("file", plugin.file));
    Config kernels;
    for (const KernelTableBase* table : kernel_tables()) {
        Config::Array implementations;
        for (const auto& entry : table->entries())
            implementations.push_back(Config()
                                          .set("name", entry.name)
                                          .set("device", std::string(to_string(entry.device)))
                                          .set("priority", entry.priority));
        kernels.set(table->operation(), implementations);
    }
    Config record;
    record.set("version", version())
        .set("devices", devices)
        .set("cpu_instructions", cpu_instructions())
        .set("cpu_bf16", cpu_bf16())
        .set("threads", thread_count())
        .set("libraries", libraries)
        .set("device_libraries", device_libraries_found)
        .set("plugins", plugins)
        .set("kernels", kernels);
    print_json(record);
    return 0;
}

int info_text() {
    std::string text = fmt::format("heddle {}\n\ndevices\n", version());
    for (const DeviceStatus& status : device_status())
        text += fmt::format("  {:<6}{}\n", to_string(status.kind),
                            status.count > 0 ? status.description : "none: " + status.why_missing);
    text += fmt::format("\nthreads {}, instructions up to {}\nbf16 on the CPU: {}\n\nlibraries\n", thread_count(),
                        cpu_instructions(), cpu_bf16());
    for (const LibraryVersion& library : library_versions())
        text += fmt::format("  {:<9}{:<9}{} (compiled against {})\n", library.name, library.loaded, library.file,
                            library.compiled);
    for (const DeviceLibrary& library : device_libraries())
        text += library.why_missing.empty() ? fmt::format("  {:<9}{:<9}{} (compiled against {})\n", library.name,
                                                          library.loaded, library.file, library.compiled)
                                            : fmt::format("  {:<9}not used: {}\n", library.name, library.why_missing);
    if (!loaded_plugins().empty()) text += "\nplug-ins\n";
    for (const PluginInfo& plugin : loaded_plugins()) text += fmt::format("  {}  {}\n", plugin.name, plugin.file);
    text +=
        "\nkernels: each operation's implementations with their priorities (the highest one that supports a call "
        "runs)\n";
    std::size_t width = 0;
    const std::vector<KernelTableBase*> tables = kernel_tables();
    for (const KernelTableBase* table : tables) width = std::max(width, std::string(table->operation()).size());
    for (const KernelTableBase* table : tables) {
        std::string names;
        for (const auto& entry : table->entries()) {
            names += names.empty() ? "" : ", ";
            names += entry.device == DeviceKind::cpu
                         ? fmt::format("{} {}", entry.name, entry.priority)
                         : fmt::format("{} {} ({})", entry.name, entry.priority, to_string(entry.device));
        }
        text += fmt::format("  {:<{}}  {}\n", table->operation(), width, names);
    }
    print(text);
    return 0;
}

}  // namespace

void add_info(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("info", "Version, devices, libraries and kernels");
    auto json = std::make_shared<bool>(false);
    command->add_flag("--json", *json, "One JSON object");
    command->callback([json, &action] { action = [json] { return *json ? info_json() : info_text(); }; });
}

}  // namespace heddle::cli
