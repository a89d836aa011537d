#pragma once

#include <CLI/CLI.hpp>

namespace heddle::cli {

/// A finite number above (or, with `or_equal`, not below) `low`, and below `high`.
CLI::Validator number_in(double low, bool or_equal, double high, const std::string& words);
/// "cpu", "cuda", "cuda:N", "sim".
CLI::Validator device_name();
/// A name of `heddle models`.
CLI::Validator model_name();
/// The message names the option itself, which CLI11 leaves out of some.
CLI::Validator one_of(const std::vector<std::string>& values);

}  // namespace heddle::cli
