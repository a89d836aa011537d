#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace heddle::cases {

/// A named whole number that describes a case: {"stride", .fallback = 1}.
struct Dim {
    std::string name = {};
    std::optional<std::int64_t> fallback = {};  ///< nothing, and no `same_as`: `--shape` gives it
    std::string same_as = {};                   ///< the dim whose value is taken where this one is not given
    std::int64_t low = 1, high = std::int64_t{1} << 31;
    std::vector<std::string> words = {};  ///< names of the values 0, 1, ...

    bool required() const { return !fallback && same_as.empty(); }
};
/// 0 or 1.
Dim flag(std::string name);

/// The numbers of one case, in the order of the operation's list.
class Dims {
  public:
    std::int64_t at(std::string_view name) const;
    bool has(std::string_view name) const;
    void set(std::string_view name, std::int64_t value);
    const std::vector<std::pair<std::string, std::int64_t>>& values() const { return values_; }
    bool operator==(const Dims&) const = default;

  private:
    std::vector<std::pair<std::string, std::int64_t>> values_;
};

/// `given` in the order of the list, with what was left out. Throws `Error` naming `operation` for a number that is
/// unknown, missing or out of range.
Dims complete(const char* operation, const std::vector<Dim>& list, const Dims& given);

/// Adds the numbers of `--shape` ("128,32,32,16") to `dims`: the required ones in their order. Throws `Error`.
void set_shape(Dims& dims, const char* operation, const std::vector<Dim>& list, std::string_view text);
/// Adds "name=value,name=value"; a value may be one of the words of its dim. Throws `Error`.
void set_named(Dims& dims, const char* operation, const std::vector<Dim>& list, std::string_view text);

/// "n=128 h=32 w=32 c=16 k=16 r=3 s=3 pad=1": without the values that complete() would add.
std::string describe(const std::vector<Dim>& list, const Dims& dims);

}  // namespace heddle::cases
