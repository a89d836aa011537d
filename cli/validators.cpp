#include "cli/validators.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/check.h"
#include "models/models.h"

namespace heddle::cli {

CLI::Validator number_in(double low, bool or_equal, double high, const std::string& words) {
    const auto check_number = [=](const std::string& text) -> std::string {
        double value = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        const bool inside = std::isfinite(value) && (or_equal ? value >= low : value > low) && value < high;
        if (error == std::errc() && stop == end && inside) return "";
        return fmt::format("expected {}, got \"{}\"", words, text);
    };
    return {check_number, ""};
}

CLI::Validator whole_in(std::int64_t low, std::int64_t high) {
    const auto check_number = [=](const std::string& text) -> std::string {
        std::int64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && stop == end && value >= low && value <= high) return "";
        return fmt::format("expected a whole number from {} to {}, got \"{}\"", low, high, text);
    };
    return {check_number, ""};
}

CLI::Validator device_name() {
    const auto check_name = [](const std::string& text) -> std::string {
        try {
            Device::parse(text);
        } catch (const Error& error) {
            return error.what();
        }
        return "";
    };
    return {check_name, ""};
}

CLI::Validator one_of(const std::vector<std::string>& values) {
    const auto check_name = [values](const std::string& text) -> std::string {
        if (std::find(values.begin(), values.end(), text) != values.end()) return "";
        return fmt::format("expected {}, got \"{}\"", fmt::join(values, ", "), text);
    };
    return {check_name, ""};
}

CLI::Validator not_empty() {
    return {[](const std::string& text) { return text.empty() ? "expected a name, got \"\"" : std::string(); }, ""};
}

CLI::Validator model_name() {
    std::vector<std::string> names;
    for (const ModelEntry& entry : model_list()) names.emplace_back(entry.name);
    return one_of(names);
}

}  // namespace heddle::cli
