#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace heddle::cli {

// None of these adds to the type that the help shows: options say it themselves (type_name).

/// A finite number above (or, with `or_equal`, not below) `low`, and below `high`.
CLI::Validator number_in(double low, bool or_equal, double high, const std::string& words);
/// A whole number from `low` to `high`.
CLI::Validator whole_in(std::int64_t low, std::int64_t high);
/// "cpu", "cuda", "cuda:N", "sim".
CLI::Validator device_name();
/// A name of `heddle models`.
CLI::Validator model_name();
CLI::Validator one_of(const std::vector<std::string>& values);
/// Anything but "", which an unset variable of a shell gives.
CLI::Validator not_empty();

}  // namespace heddle::cli
