#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/export.h"

namespace heddle {

/// An ordered tree of settings with a JSON text form: what `Layer::config()` returns and saved models carry. (Public
/// headers name no JSON library.)
class HEDDLE_API Config {
  public:
    using Object = std::vector<std::pair<std::string, Config>>;
    using Array = std::vector<Config>;

    Config() : value_(Object{}) {}
    Config(Object object) : value_(std::move(object)) {}
    Config(Array array) : value_(std::move(array)) {}
    Config(bool value) : value_(value) {}
    Config(int value) : value_(std::int64_t{value}) {}
    Config(std::int64_t value) : value_(value) {}
    Config(double value) : value_(value) {}
    Config(const char* value) : value_(std::string(value)) {}
    Config(std::string value) : value_(std::move(value)) {}
    Config(const std::vector<std::int64_t>& values);

    /// Sets a member of an object; keeps the order of insertion. Returns *this, so that calls chain.
    Config& set(std::string_view key, Config value);
    bool has(std::string_view key) const;
    /// A member; throws `Error` naming the key where it is missing.
    const Config& at(std::string_view key) const;

    bool is_object() const { return std::holds_alternative<Object>(value_); }
    bool is_array() const { return std::holds_alternative<Array>(value_); }
    bool is_string() const { return std::holds_alternative<std::string>(value_); }
    bool is_boolean() const { return std::holds_alternative<bool>(value_); }
    bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
    bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
    /// The value; throws `Error` where it is of another kind. `number` takes integers too.
    const Object& object() const;
    const Array& array() const;
    bool boolean() const;
    std::int64_t integer() const;
    double number() const;
    const std::string& string() const;
    std::vector<std::int64_t> integers() const;

    /// Floats read back as the same bits; NaN and infinity have no JSON form and throw. -1: all on one line.
    std::string to_json(int indent = -1) const;
    /// Throws `Error` with line and column for text that is not JSON. null, integers beyond 64 bits and a key that
    /// appears twice are errors that name the path.
    static Config parse(std::string_view json);

    bool operator==(const Config& other) const { return value_ == other.value_; }

  private:
    const char* kind() const;
    std::variant<Object, Array, bool, std::int64_t, double, std::string> value_;
};

}  // namespace heddle
