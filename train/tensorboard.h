#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/export.h"

namespace heddle {

/// Writes scalars to an event file that TensorBoard reads: records of a little-endian length, its masked CRC-32C, a
/// protocol buffer `Event`, and its masked CRC-32C.
class HEDDLE_API EventWriter {
  public:
    /// Creates `folder` where needed, and in it `events.out.tfevents.<time>.<host>.<process>.<number>`.
    explicit EventWriter(const std::string& folder);
    ~EventWriter();
    EventWriter(const EventWriter&) = delete;
    EventWriter& operator=(const EventWriter&) = delete;

    /// Stamped with the present time, or with `wall_time` in seconds since 1970.
    void scalar(std::string_view tag, double value, std::int64_t step, double wall_time = -1);
    void flush();
    const std::string& path() const { return path_; }

  private:
    struct File;
    std::string path_;
    std::unique_ptr<File> file_;
};

/// CRC-32C (Castagnoli) of bytes, continuing from `crc`.
HEDDLE_API std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0);

}  // namespace heddle
