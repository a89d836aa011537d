#include "tests/cases/dims.h"

#include <algorithm>
#include <charconv>

#include "core/check.h"

namespace heddle::cases {
namespace {

const Dim* find(const std::vector<Dim>& list, std::string_view name) {
    for (const Dim& dim : list)
        if (dim.name == name) return &dim;
    return nullptr;
}

std::string names(const std::vector<Dim>& list, bool required_only) {
    std::string text;
    for (const Dim& dim : list)
        if (!required_only || dim.required()) text += (text.empty() ? "" : ",") + dim.name;
    return text;
}

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> parts;
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t end = std::min(text.find(',', start), text.size());
        parts.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    return parts;
}

std::int64_t number(const char* operation, const Dim& dim, std::string_view text) {
    for (std::size_t i = 0; i < dim.words.size(); ++i)
        if (dim.words[i] == text) return static_cast<std::int64_t>(i);
    std::int64_t value = 0;
    const char* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, value);
    check(error == std::errc() && end == last, "{}: {}: expected a whole number, got \"{}\"", operation, dim.name,
          text);
    return value;
}

/// What complete() gives to a dim that was not set.
std::int64_t fallback(const Dims& dims, const Dim& dim) { return dim.fallback ? *dim.fallback : dims.at(dim.same_as); }

}  // namespace

Dim flag(std::string name) { return {.name = std::move(name), .fallback = 0, .low = 0, .high = 1}; }

std::int64_t Dims::at(std::string_view name) const {
    for (const auto& [key, value] : values_)
        if (key == name) return value;
    fail(fmt::format("a case without \"{}\"", name));
}

bool Dims::has(std::string_view name) const {
    return std::any_of(values_.begin(), values_.end(), [&](const auto& entry) { return entry.first == name; });
}

void Dims::set(std::string_view name, std::int64_t value) {
    for (auto& [key, old] : values_)
        if (key == name) {
            old = value;
            return;
        }
    values_.emplace_back(name, value);
}

Dims complete(const char* operation, const std::vector<Dim>& list, const Dims& given) {
    for (const auto& [name, value] : given.values())
        check(find(list, name), "{}: there is no \"{}\"; expected {}", operation, name, names(list, false));
    Dims result;
    for (const Dim& dim : list) {
        check(given.has(dim.name) || !dim.required(), "{}: \"{}\" is missing; --shape gives {}", operation, dim.name,
              names(list, true));
        const std::int64_t value = given.has(dim.name) ? given.at(dim.name) : fallback(result, dim);
        check(value >= dim.low && value <= dim.high, "{}: {}: expected {} to {}, got {}", operation, dim.name, dim.low,
              dim.high, value);
        result.set(dim.name, value);
    }
    return result;
}

void set_shape(Dims& dims, const char* operation, const std::vector<Dim>& list, std::string_view text) {
    const std::vector<std::string_view> parts = split(text);
    std::vector<const Dim*> required;
    for (const Dim& dim : list)
        if (dim.required()) required.push_back(&dim);
    check(parts.size() == required.size(), "{}: --shape: expected {} numbers {}, got \"{}\"", operation,
          required.size(), names(list, true), text);
    for (std::size_t i = 0; i < parts.size(); ++i)
        dims.set(required[i]->name, number(operation, *required[i], parts[i]));
}

void set_named(Dims& dims, const char* operation, const std::vector<Dim>& list, std::string_view text) {
    for (const std::string_view part : split(text)) {
        const std::size_t equals = part.find('=');
        check(equals != std::string_view::npos && equals > 0, "{}: expected NAME=VALUE, got \"{}\"", operation, part);
        const std::string_view name = part.substr(0, equals);
        const Dim* dim = find(list, name);
        check(dim, "{}: there is no \"{}\"; expected {}", operation, name, names(list, false));
        dims.set(name, number(operation, *dim, part.substr(equals + 1)));
    }
}

std::string describe(const std::vector<Dim>& list, const Dims& dims) {
    std::string text;
    for (const Dim& dim : list) {
        const std::int64_t value = dims.at(dim.name);
        if (!dim.required() && value == fallback(dims, dim)) continue;
        const bool word = value >= 0 && value < static_cast<std::int64_t>(dim.words.size());
        text += fmt::format("{}{}={}", text.empty() ? "" : " ", dim.name,
                            word ? dim.words[static_cast<std::size_t>(value)] : std::to_string(value));
    }
    return text;
}

}  // namespace heddle::cases
