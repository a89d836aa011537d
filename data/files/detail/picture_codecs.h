#pragma once

#include <span>
#include <string>

#include "data/picture.h"

namespace heddle::files {

/// Private to `data/`: the decoders behind `decode_picture`. JPEG gives 1 or 3 channels as stored, PNG always 3.
Picture decode_jpeg(std::span<const std::uint8_t> bytes, const std::string& path);
Picture decode_png(std::span<const std::uint8_t> bytes, const std::string& path);

/// Throws `Error` for a picture without pixels, or with more than `max_picture_pixels`.
void check_picture_size(std::int64_t width, std::int64_t height, const std::string& path);

}  // namespace heddle::files
