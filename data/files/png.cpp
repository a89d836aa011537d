#include <png.h>

#include <cstring>
#include <string_view>

#include "core/check.h"
#include "data/files/detail/picture_codecs.h"

namespace heddle {
namespace files {
namespace {

struct Image : png_image {
    Image() : png_image{} { version = PNG_IMAGE_VERSION; }
    ~Image() { png_image_free(this); }
    Image(const Image&) = delete;
    Image& operator=(const Image&) = delete;
    std::string_view reason() const { return message; }
};

}  // namespace

// libpng's simplified interface: it resolves palettes, 16-bit samples (which are linear), interlacing and alpha.
Picture decode_png(std::span<const std::uint8_t> bytes, const std::string& path) {
    Image image;
    check(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) != 0, "{}: damaged PNG file: {}", path,
          image.reason());
    check_picture_size(image.width, image.height, path);
    image.format = PNG_FORMAT_RGB;
    Picture picture(static_cast<int>(image.width), static_cast<int>(image.height), 3);
    png_color white = {255, 255, 255};
    check(png_image_finish_read(&image, &white, picture.pixels.data(), 0, nullptr) != 0 &&
              (image.warning_or_error & PNG_IMAGE_ERROR) == 0,
          "{}: damaged or truncated PNG file: {}", path, image.reason());
    return picture;
}

}  // namespace files

std::vector<std::uint8_t> encode_png(const Picture& picture) {
    check(picture.width > 0 && picture.height > 0 && (picture.channels == 1 || picture.channels == 3) &&
              picture.pixels.size() == static_cast<std::size_t>(picture.width) *
                                           static_cast<std::size_t>(picture.height) *
                                           static_cast<std::size_t>(picture.channels),
          "encode_png: expected a picture of 1 or 3 channels with all its pixels, got {} x {} x {} and {} bytes",
          picture.width, picture.height, picture.channels, picture.pixels.size());
    files::Image image;
    image.width = static_cast<png_uint_32>(picture.width);
    image.height = static_cast<png_uint_32>(picture.height);
    image.format = picture.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    std::vector<std::uint8_t> bytes(size);
    check(png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.pixels.data(), 0, nullptr) != 0,
          "encode_png: {}", image.reason());
    bytes.resize(size);
    return bytes;
}

}  // namespace heddle
