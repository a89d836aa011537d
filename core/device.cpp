#include "core/device.h"

#include <array>
#include <charconv>

#include "core/check.h"
#include "core/detail/cpu_model.h"
#include "core/device_library.h"
#include "core/driver/driver.h"
#include "core/driver/plugin.h"

namespace heddle {
namespace {

constexpr std::array<std::string_view, 3> names = {"cpu", "cuda", "sim"};

/// What `heddle info` shows: the number of devices, or why there is none.
DeviceStatus status_of(DeviceKind kind) {
    const detail::LoadedPlugin& loaded = detail::device_plugin(kind);
    if (loaded.count == 0) return {kind, 0, "", loaded.why};
    return {kind, loaded.count, loaded.plugin->description(0), ""};
}

}  // namespace

std::string_view to_string(DeviceKind kind) { return names[static_cast<std::size_t>(kind)]; }

std::string Device::to_string() const {
    return kind == DeviceKind::cuda ? fmt::format("cuda:{}", index) : std::string(heddle::to_string(kind));
}

Device Device::parse(std::string_view text) {
    if (text == "cpu") return {DeviceKind::cpu};
    if (text == "sim") return {DeviceKind::sim};
    if (text == "cuda") return {DeviceKind::cuda};
    if (text.starts_with("cuda:")) {
        const std::string_view digits = text.substr(5);
        int index = -1;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
        if (error == std::errc() && end == digits.data() + digits.size() && index >= 0 && index < 64)
            return {DeviceKind::cuda, static_cast<std::int8_t>(index)};
    }
    fail(fmt::format("unknown device \"{}\": expected cpu, cuda, cuda:N or sim", text));
}

std::vector<DeviceStatus> device_status() {
    const Driver& host = driver(Device::cpu());
    const double memory = static_cast<double>(host.total_memory()) / (1 << 30);
    return {{DeviceKind::cpu, 1, fmt::format("{}, {}, {:.1f} GiB", detail::cpu_model(), host.description(), memory)},
            status_of(DeviceKind::cuda),
            status_of(DeviceKind::sim)};
}

std::vector<DeviceLibrary> device_libraries() {
    const detail::DevicePlugin* plugin = detail::device_plugin(DeviceKind::cuda).plugin;
    return plugin && plugin->libraries ? plugin->libraries() : std::vector<DeviceLibrary>();
}

Device Device::best() {
    if (detail::device_plugin(DeviceKind::cuda).count > 0) return {DeviceKind::cuda};
    return cpu();
}

}  // namespace heddle
