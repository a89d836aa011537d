#include "core/config.h"

#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>

#include "core/check.h"

namespace heddle {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t max_depth = 200;  // a Config is destroyed by recursion

/// Turns the parser's events into a Config. A member function that answers false ends the parse with `error`.
class Builder {
  public:
    bool null() { return stop("null is not supported"); }
    bool boolean(bool value) { return add(value); }
    bool number_integer(std::int64_t value) { return add(value); }
    bool number_unsigned(std::uint64_t value) {
        if (value > INT64_MAX) return stop(fmt::format("{} does not fit into 64 bits", value));
        return add(static_cast<std::int64_t>(value));
    }
    bool number_float(double value, const std::string&) { return add(value); }
    bool string(std::string& value) { return add(std::move(value)); }
    bool binary(std::vector<std::uint8_t>&) { return stop("binary values are not supported"); }
    bool start_object(std::size_t) { return open(true); }
    bool start_array(std::size_t) { return open(false); }
    bool key(std::string& name) {
        for (const auto& member : open_.back().object)
            if (member.first == name) return stop(fmt::format("the key \"{}\" appears twice", name));
        open_.back().key = std::move(name);
        return true;
    }
    bool end_object() {
        Config value(std::move(open_.back().object));
        open_.pop_back();
        return add(std::move(value));
    }
    bool end_array() {
        Config value(std::move(open_.back().array));
        open_.pop_back();
        return add(std::move(value));
    }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& problem) {
        // "[json.exception.parse_error.101] parse error at line 1, column 5: ..."
        const std::string_view text = problem.what();
        const std::size_t end = text.find("] ");
        error = text.substr(end == std::string_view::npos ? 0 : end + 2);
        return false;
    }

    Config result;
    std::string error;

  private:
    struct Level {
        bool is_object = false;
        std::string key = {};
        Config::Object object = {};
        Config::Array array = {};
    };

    bool open(bool is_object) {
        if (open_.size() >= max_depth) return stop(fmt::format("nested more than {} deep", max_depth));
        open_.push_back({is_object});
        return true;
    }
    bool add(Config value) {
        if (open_.empty())
            result = std::move(value);
        else if (Level& level = open_.back(); level.is_object)
            level.object.emplace_back(std::move(level.key), std::move(value));
        else
            level.array.push_back(std::move(value));
        return true;
    }
    bool stop(const std::string& what) {
        std::string path;
        for (const Level& level : open_)
            path += level.is_object ? "/" + level.key : fmt::format("/{}", level.array.size());
        error = fmt::format("at {}: {}", path.empty() ? "the top" : path, what);
        return false;
    }

    std::vector<Level> open_;
};

Json to_tree(const Config& config, const std::string& path) {
    if (config.is_object()) {
        Json tree = Json::object();
        for (const auto& [key, value] : config.object()) tree[key] = to_tree(value, path + "/" + key);
        return tree;
    }
    if (config.is_array()) {
        Json tree = Json::array();
        for (const Config& value : config.array())
            tree.push_back(to_tree(value, fmt::format("{}/{}", path, tree.size())));
        return tree;
    }
    if (config.is_string()) return config.string();
    if (config.is_boolean()) return config.boolean();
    if (config.is_integer()) return config.integer();
    const double number = config.number();
    check(std::isfinite(number), "Config: {} at {} has no JSON form", number, path.empty() ? "the top" : path);
    return number;
}

}  // namespace

Config::Config(const std::vector<std::int64_t>& values) : value_(Array(values.begin(), values.end())) {}

Config& Config::set(std::string_view key, Config value) {
    check(is_object(), "Config: cannot set \"{}\" in {}", key, kind());
    auto& members = std::get<Object>(value_);
    for (auto& member : members)
        if (member.first == key) {
            member.second = std::move(value);
            return *this;
        }
    members.emplace_back(key, std::move(value));
    return *this;
}

bool Config::has(std::string_view key) const {
    if (!is_object()) return false;
    for (const auto& member : std::get<Object>(value_))
        if (member.first == key) return true;
    return false;
}

const Config& Config::at(std::string_view key) const {
    for (const auto& member : object())
        if (member.first == key) return member.second;
    std::string known;
    for (const auto& member : object()) known += (known.empty() ? "" : ", ") + member.first;
    fail(fmt::format("Config: there is no \"{}\" (only: {})", key, known));
}

const char* Config::kind() const {
    constexpr const char* names[] = {"an object", "an array", "a boolean", "an integer", "a number", "a string"};
    return names[value_.index()];
}

const Config::Object& Config::object() const {
    check(is_object(), "Config: expected an object, got {}", kind());
    return std::get<Object>(value_);
}

const Config::Array& Config::array() const {
    check(is_array(), "Config: expected an array, got {}", kind());
    return std::get<Array>(value_);
}

bool Config::boolean() const {
    check(is_boolean(), "Config: expected a boolean, got {}", kind());
    return std::get<bool>(value_);
}

std::int64_t Config::integer() const {
    check(is_integer(), "Config: expected an integer, got {}", kind());
    return std::get<std::int64_t>(value_);
}

double Config::number() const {
    if (is_integer()) return static_cast<double>(std::get<std::int64_t>(value_));
    check(is_number(), "Config: expected a number, got {}", kind());
    return std::get<double>(value_);
}

const std::string& Config::string() const {
    check(is_string(), "Config: expected a string, got {}", kind());
    return std::get<std::string>(value_);
}

std::vector<std::int64_t> Config::integers() const {
    std::vector<std::int64_t> result;
    for (const Config& value : array()) result.push_back(value.integer());
    return result;
}

std::string Config::to_json(int indent) const {
    try {
        return to_tree(*this, "").dump(indent);  // prints the shortest digits that read back as the same double
    } catch (const Json::type_error& problem) {
        fail(fmt::format("Config: a string is not UTF-8 ({})", problem.what()));
    }
}

Config Config::parse(std::string_view json) {
    Builder builder;
    if (!Json::sax_parse(json.begin(), json.end(), &builder)) fail("Config: " + builder.error);
    return std::move(builder.result);
}

}  // namespace heddle
