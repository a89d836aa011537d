#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace heddle::cli {

/// The options of `heddle bench`.
struct BenchArguments {
    std::string operation = {}, suite = {}, shape = {}, set = {};
    std::vector<std::string> cases = {};
    /// Options that give one number each.
    std::vector<std::pair<std::string, std::optional<std::int64_t>>> numbers = {
        {"stride", {}}, {"pad", {}}, {"dilation", {}}, {"groups", {}}};
    std::string dtype = "f32", device = "cpu";
    std::vector<std::string> implementations = {};
    int threads = 0;
    double warmup = 0.05, time = 0.3;
    bool warm = false, whole = false, without_ceilings = false;
    bool list = false, explain = false;
    std::string json = {}, csv = {}, plot = {}, pytorch = {};
    std::vector<std::string> compare = {};
};

/// Returns the exit status.
int bench_command(const BenchArguments& arguments);

/// Prints what can be measured; of one operation its cases, too.
int list_cases(const std::string& operation);

}  // namespace heddle::cli
