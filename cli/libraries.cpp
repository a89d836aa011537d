#include "cli/libraries.h"

#include <dnnl.h>
#include <fmt/format.h>
#include <link.h>
#include <png.h>
#include <zlib.h>

#include <cstdio>
// jpeglib.h needs stdio before it.
#include <jpeglib.h>
//
#include <jerror.h>

#include <filesystem>

namespace heddle::cli {
namespace {

/// The file of a loaded library whose name begins so, links resolved.
std::string loaded_file(const std::string& name) {
    struct Search {
        std::string name, found;
    } search{name, {}};
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* data) {
            auto* wanted = static_cast<Search*>(data);
            const std::filesystem::path path = info->dlpi_name;
            if (!path.filename().string().starts_with(wanted->name)) return 0;
            std::error_code error;
            const auto resolved = std::filesystem::canonical(path, error);
            wanted->found = error ? path.string() : resolved.string();
            return 1;
        },
        &search);
    return search.found;
}

/// "libfmt.so.9.1.0" -> "9.1.0": for libraries that have no function to ask.
std::string version_in_name(const std::string& file) {
    const std::size_t place = file.find(".so.");
    return place == std::string::npos ? "" : file.substr(place + 4);
}

/// The first line of libjpeg's messages: "6b  27-Mar-1998", or libjpeg-turbo's "2.1.5".
std::string jpeg_version() {
    jpeg_error_mgr errors;
    jpeg_std_error(&errors);
    std::string text = errors.jpeg_message_table[JMSG_VERSION];
    return text.substr(0, text.find(' '));
}

#define HEDDLE_TEXT_OF(value) #value
#define HEDDLE_TEXT(value) HEDDLE_TEXT_OF(value)
#if defined(LIBJPEG_TURBO_VERSION)
constexpr const char* jpeg_compiled =
    "API " HEDDLE_TEXT(JPEG_LIB_VERSION) ", libjpeg-turbo " HEDDLE_TEXT(LIBJPEG_TURBO_VERSION);
#else
constexpr const char* jpeg_compiled = "API " HEDDLE_TEXT(JPEG_LIB_VERSION);
#endif

}  // namespace

std::vector<LibraryVersion> library_versions() {
    const dnnl_version_t* dnnl = dnnl_version();
    const std::string fmt_file = loaded_file("libfmt");
    return {
        {"oneDNN", fmt::format("{}.{}.{}", DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH),
         fmt::format("{}.{}.{}", dnnl->major, dnnl->minor, dnnl->patch), loaded_file("libdnnl")},
        {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100),
         version_in_name(fmt_file), fmt_file},
        {"libjpeg", jpeg_compiled, jpeg_version(), loaded_file("libjpeg")},
        {"libpng", PNG_LIBPNG_VER_STRING, png_get_libpng_ver(nullptr), loaded_file("libpng")},
        {"zlib", ZLIB_VERSION, zlibVersion(), loaded_file("libz.")},
    };
}

std::string cpu_bf16() {
    switch (dnnl_get_effective_cpu_isa()) {
        case dnnl_cpu_isa_avx512_core_amx:
            return "products by AMX";
        case dnnl_cpu_isa_avx512_core_bf16:
            return "products by AVX-512 BF16";
        case dnnl_cpu_isa_avx512_core:
        case dnnl_cpu_isa_avx512_core_vnni:
            return "emulated: this processor has no instructions for its products, so f32 is faster";
        default:
            return "none: it wants a processor with AVX-512";
    }
}

}  // namespace heddle::cli
