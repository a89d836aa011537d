#include "core/device.h"

#include <array>
#include <charconv>

#include "core/check.h"
#include "core/driver/driver.h"

namespace heddle {
namespace {

constexpr std::array<std::string_view, 3> names = {"cpu", "cuda", "sim"};

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

}  // namespace heddle
