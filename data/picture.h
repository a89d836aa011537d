#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/export.h"

namespace heddle {

/// 8-bit pixels, row by row, channels together (1 grey, 3 RGB).
struct HEDDLE_API Picture {
    int width = 0;
    int height = 0;
    int channels = 3;
    std::vector<std::uint8_t> pixels = {};

    Picture() = default;
    Picture(int width, int height, int channels, std::uint8_t value = 0);
    std::uint8_t* at(int x, int y) {
        return pixels.data() +
               (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) *
                   static_cast<std::size_t>(channels);
    }
    const std::uint8_t* at(int x, int y) const { return const_cast<Picture*>(this)->at(x, y); }
};

/// Pictures with more pixels than this are refused before they are decoded.
inline constexpr std::int64_t max_picture_pixels = 64 << 20;

/// Decodes JPEG or PNG (by content, not by name) into `channels` channels: 3 repeats grey ones, 1 takes the luma
/// (0.299 R + 0.587 G + 0.114 B). Palettes, 16-bit samples and alpha (over white) are resolved; CMYK JPEG and damaged
/// or truncated files are refused. Throws `Error` naming `path`.
HEDDLE_API Picture decode_picture(std::span<const std::uint8_t> bytes, const std::string& path, int channels = 3);
HEDDLE_API Picture load_picture(const std::string& path, int channels = 3);

HEDDLE_API std::vector<std::uint8_t> encode_png(const Picture& picture);
/// Writes a PNG, atomically.
HEDDLE_API void save_png(const std::string& path, const Picture& picture);

/// Another size: each new pixel is the mean of the area it covers (antialiased triangle filter when enlarging, the same
/// as Pillow's bilinear).
HEDDLE_API Picture resize(const Picture& picture, int width, int height);
/// 1 to 3 channels (repeated) or 3 to 1 (luma).
HEDDLE_API Picture convert_channels(const Picture& picture, int channels);

}  // namespace heddle
