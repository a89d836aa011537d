#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/export.h"
#include "data/picture.h"

namespace heddle {

/// Writes scalars, histograms and pictures to an event file that TensorBoard reads: records of a little-endian length,
/// its masked CRC-32C, a protocol buffer `Event`, and its masked CRC-32C.
class HEDDLE_API EventWriter {
  public:
    /// Creates `folder` where needed, and in it `events.out.tfevents.<time>.<host>.<process>.<number>`.
    explicit EventWriter(const std::string& folder);
    ~EventWriter();
    EventWriter(const EventWriter&) = delete;
    EventWriter& operator=(const EventWriter&) = delete;

    /// Stamped with the present time, or with `wall_time` in seconds since 1970.
    void scalar(std::string_view tag, double value, std::int64_t step, double wall_time = -1);
    /// How values are spread: counts in 30 intervals of equal width from the smallest to the largest. Values that are
    /// not finite are left out; where none is left nothing is written.
    void histogram(std::string_view tag, std::span<const float> values, std::int64_t step, double wall_time = -1);
    void image(std::string_view tag, const Picture& picture, std::int64_t step, double wall_time = -1);
    void flush();
    const std::string& path() const { return path_; }

  private:
    struct File;
    void record(std::string_view tag, const std::string& value, std::int64_t step, double wall_time);
    std::string path_;
    std::unique_ptr<File> file_;
};

/// CRC-32C (Castagnoli) of bytes, continuing from `crc`.
HEDDLE_API std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0);

}  // namespace heddle
