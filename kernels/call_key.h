#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include "kernels/view.h"

namespace heddle {

/// A number that tells calls of an operation apart: made of the shapes and types of the operands and of the other
/// arguments, never of addresses or values. Argument structs that can be tuned have a function `members()`, a tuple of
/// references to the members that may decide which implementation is the fastest: all but numbers like epsilon.
class CallKey {
  public:
    std::uint64_t value() const { return value_; }

    void add(std::uint64_t word) {  // one round of splitmix64
        value_ = (value_ ^ word) + 0x9E3779B97F4A7C15u;
        value_ = (value_ ^ (value_ >> 30)) * 0xBF58476D1CE4E5B9u;
        value_ = (value_ ^ (value_ >> 27)) * 0x94D049BB133111EBu;
        value_ ^= value_ >> 31;
    }

    template <class T>
    void take(const T& member) {
        if constexpr (std::is_same_v<T, View>) {
            add(member.present ? static_cast<std::uint64_t>(member.dtype) + 1 : 0);
            if (!member.present) return;
            add(static_cast<std::uint64_t>(member.shape.rank()));
            for (const std::int64_t extent : member.shape) add(static_cast<std::uint64_t>(extent));
        } else if constexpr (std::is_same_v<T, float>) {
            add(std::bit_cast<std::uint32_t>(member));
        } else if constexpr (requires { member.members(); }) {
            std::apply([this](const auto&... parts) { (take(parts), ...); }, member.members());
        } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
            add(static_cast<std::uint64_t>(member));
        } else {
            for (const auto& part : member) take(part);  // an array
        }
    }

  private:
    std::uint64_t value_ = 0;
};

/// 0 for arguments without `members()`.
template <class Args>
std::uint64_t call_key(const Args& args) {
    if constexpr (requires { args.members(); }) {
        CallKey key;
        key.take(args);
        return key.value();
    } else {
        return 0;
    }
}

}  // namespace heddle
