#include "layers/window.h"

#include <algorithm>

#include "core/check.h"

namespace heddle {

std::array<std::int64_t, 4> Padding::resolve(std::int64_t height, std::int64_t width, Size2 kernel, Size2 stride,
                                             Size2 dilation) const {
    if (kind_ == valid) return {};
    if (kind_ == given) return pixels_;
    if (kind_ == causal) return {(kernel.height - 1) * dilation.height, 0, (kernel.width - 1) * dilation.width, 0};
    const auto total = [](std::int64_t extent, std::int64_t k, std::int64_t s, std::int64_t d) {
        const std::int64_t outputs = (extent + s - 1) / s, reach = (k - 1) * d + 1;
        return std::max<std::int64_t>((outputs - 1) * s + reach - extent, 0);
    };
    const std::int64_t rows = total(height, kernel.height, stride.height, dilation.height);
    const std::int64_t columns = total(width, kernel.width, stride.width, dilation.width);
    return {rows / 2, rows - rows / 2, columns / 2, columns - columns / 2};
}

Config Padding::to_config() const {
    if (kind_ == valid) return "valid";
    if (kind_ == same) return "same";
    if (kind_ == causal) return "causal";
    return std::vector<std::int64_t>(pixels_.begin(), pixels_.end());
}

Padding Padding::from_config(const Config& config) {
    if (config.is_string()) {
        if (config.string() == "valid") return valid;
        if (config.string() == "same") return same;
        if (config.string() == "causal") return causal;
        fail(fmt::format("unknown padding \"{}\": expected valid, same, causal or four numbers", config.string()));
    }
    const std::vector<std::int64_t> p = config.integers();
    check(p.size() == 4, "padding: expected four numbers, got {}", p.size());
    return pixels(p[0], p[1], p[2], p[3]);
}

Config to_config(Size2 size) { return std::vector<std::int64_t>{size.height, size.width}; }

Size2 size_from_config(const Config& config) {
    const std::vector<std::int64_t> s = config.integers();
    check(s.size() == 2, "expected height and width, got {} numbers", s.size());
    return {s[0], s[1]};
}

}  // namespace heddle
