#include <csetjmp>
#include <cstdio>
// jpeglib.h needs <cstdio> before it.
#include <jpeglib.h>

#include "core/check.h"
#include "data/files/detail/picture_codecs.h"

namespace heddle::files {
namespace {

// libjpeg reports errors by a call that must not return: we jump back out of it.
struct ErrorManager {
    jpeg_error_mgr base = {};
    std::jmp_buf jump;
    char message[JMSG_LENGTH_MAX] = {};
};

[[noreturn]] void on_error(j_common_ptr info) {
    auto* manager = reinterpret_cast<ErrorManager*>(info->err);
    manager->base.format_message(info, manager->message);
    std::longjmp(manager->jump, 1);
}

// A warning means damaged or missing data, which libjpeg would fill with grey: an error here.
void on_message(j_common_ptr info, int level) {
    if (level < 0) on_error(info);
}

struct Header {
    JDIMENSION width, height;
    int components;
};

// The two halves of decoding: no object with a destructor lives across a jump.
bool read_header(jpeg_decompress_struct& info, ErrorManager& manager, std::span<const std::uint8_t> bytes,
                 Header* header) {
    if (setjmp(manager.jump)) return false;
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, bytes.data(), static_cast<unsigned long>(bytes.size()));
    jpeg_read_header(&info, TRUE);
    *header = {info.image_width, info.image_height, info.num_components};
    return true;
}

bool read_pixels(jpeg_decompress_struct& info, ErrorManager& manager, int channels, std::uint8_t* pixels) {
    if (setjmp(manager.jump)) return false;
    info.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    info.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = pixels + std::size_t{info.output_scanline} * info.output_width * static_cast<unsigned>(channels);
        jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    return true;
}

}  // namespace

Picture decode_jpeg(std::span<const std::uint8_t> bytes, const std::string& path) {
    ErrorManager manager;
    struct Decoder {
        jpeg_decompress_struct info = {};
        ~Decoder() { jpeg_destroy_decompress(&info); }
    } decoder;
    decoder.info.err = jpeg_std_error(&manager.base);
    manager.base.error_exit = on_error;
    manager.base.emit_message = on_message;

    Header header = {};
    check(read_header(decoder.info, manager, bytes, &header), "{}: damaged JPEG file: {}", path, manager.message);
    check_picture_size(header.width, header.height, path);
    check(header.components == 1 || header.components == 3,
          "{}: a JPEG of {} components (CMYK?) is not supported; convert it to RGB", path, header.components);
    Picture picture(static_cast<int>(header.width), static_cast<int>(header.height), header.components);
    check(read_pixels(decoder.info, manager, header.components, picture.pixels.data()),
          "{}: damaged or truncated JPEG file: {}", path, manager.message);
    return picture;
}

}  // namespace heddle::files
