#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "kernels/tuning.h"

namespace heddle::detail {

/// A tuning as dispatch asks it. Safe from several threads.
class TuningIndex {
  public:
    explicit TuningIndex(const Tuning& tuning);
    bool empty() const { return operations_.empty(); }
    /// The implementation; empty where there is none, or where it was found on another machine.
    std::string_view find(std::string_view operation, DeviceKind device, std::uint64_t key) const;

  private:
    bool same_machine(DeviceKind device) const;

    std::map<std::string, std::unordered_map<std::uint64_t, std::string>, std::less<>> operations_;
    std::map<DeviceKind, std::string> machines_;
    // Asked at the first use: the name of a GPU costs loading its library.
    mutable std::array<std::once_flag, 3> asked_;
    mutable std::array<bool, 3> same_{};
};

/// The index of the default file; nullptr where there is none.
const TuningIndex* read_default_tuning();

}  // namespace heddle::detail
