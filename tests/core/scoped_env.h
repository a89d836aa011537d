#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace heddle::testing {

/// Sets (or, with null, unsets) an environment variable while it lives.
class ScopedEnv {
  public:
    ScopedEnv(const char* name, const char* value) : name_(name) {
        if (const char* before = std::getenv(name)) before_ = before;
        set(value);
    }
    ~ScopedEnv() { set(before_ ? before_->c_str() : nullptr); }
    ScopedEnv(const ScopedEnv&) = delete;
    ScopedEnv& operator=(const ScopedEnv&) = delete;

  private:
    void set(const char* value) {
        if (value)
            setenv(name_, value, 1);
        else
            unsetenv(name_);
    }
    const char* name_;
    std::optional<std::string> before_;
};

/// The message of the Error that `body` throws; empty where it throws none.
template <class ErrorType, class Body>
std::string message_of(const Body& body) {
    try {
        body();
    } catch (const ErrorType& error) {
        return error.what();
    }
    return "";
}

}  // namespace heddle::testing
