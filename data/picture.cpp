#include "data/picture.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "core/atomic_file.h"
#include "core/check.h"
#include "data/files/detail/bytes.h"
#include "data/files/detail/picture_codecs.h"

namespace heddle {
namespace {

// The pixels of the old axis that make each pixel of the new one, with weights that sum to 1.
struct Filter {
    struct Tap {
        int first;
        std::vector<float> weights;
    };
    std::vector<Tap> taps;

    Filter(int from, int to) {
        const double step = static_cast<double>(from) / to;
        const double radius = std::max(step, 1.0);  // a triangle two steps wide
        for (int i = 0; i < to; ++i) {
            const double center = (i + 0.5) * step;
            const int first = std::max(0, static_cast<int>(std::floor(center - radius + 0.5)));
            const int last = std::min(from, static_cast<int>(std::floor(center + radius + 0.5)));
            Tap tap{first, {}};
            double sum = 0;
            for (int k = first; k < last; ++k) {
                const double weight = std::max(0.0, 1 - std::abs(k + 0.5 - center) / radius);
                tap.weights.push_back(static_cast<float>(weight));
                sum += weight;
            }
            for (float& weight : tap.weights) weight = static_cast<float>(weight / sum);
            taps.push_back(std::move(tap));
        }
    }
};

}  // namespace

void files::check_picture_size(std::int64_t width, std::int64_t height, const std::string& path) {
    check(width > 0 && height > 0 && width <= max_picture_pixels && height <= max_picture_pixels / width,
          "{}: a picture of {} x {} pixels; at most {} pixels are read", path, width, height, max_picture_pixels);
}

Picture::Picture(int columns, int rows, int depth, std::uint8_t value) : width(columns), height(rows), channels(depth) {
    check(columns >= 0 && rows >= 0 && depth >= 1, "Picture: impossible size {} x {} x {}", columns, rows, depth);
    pixels.assign(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows) * static_cast<std::size_t>(depth),
                  value);
}

Picture convert_channels(const Picture& picture, int channels) {
    check((channels == 1 || channels == 3) && (picture.channels == 1 || picture.channels == 3),
          "convert_channels: {} to {} channels (only 1 and 3)", picture.channels, channels);
    if (picture.channels == channels) return picture;
    Picture result(picture.width, picture.height, channels);
    const std::size_t count = picture.pixels.size() / static_cast<std::size_t>(picture.channels);
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint8_t* from = &picture.pixels[i * static_cast<std::size_t>(picture.channels)];
        std::uint8_t* to = &result.pixels[i * static_cast<std::size_t>(channels)];
        if (channels == 3)
            std::memset(to, *from, 3);
        else
            *to = static_cast<std::uint8_t>((299 * from[0] + 587 * from[1] + 114 * from[2] + 500) / 1000);
    }
    return result;
}

Picture decode_picture(std::span<const std::uint8_t> bytes, const std::string& path, int channels) {
    check(channels == 1 || channels == 3, "{}: decode_picture: expected 1 or 3 channels, got {}", path, channels);
    const bool jpeg = bytes.size() >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
    const bool png = bytes.size() >= 8 && std::memcmp(bytes.data(), "\x89PNG\r\n\x1A\n", 8) == 0;
    check(jpeg || png, "{}: neither a JPEG nor a PNG file", path);
    return convert_channels(jpeg ? files::decode_jpeg(bytes, path) : files::decode_png(bytes, path), channels);
}

Picture load_picture(const std::string& path, int channels) {
    return decode_picture(read_file(path, std::uint64_t{1} << 30), path, channels);
}

void save_png(const std::string& path, const Picture& picture) {
    const std::vector<std::uint8_t> bytes = encode_png(picture);
    write_file_atomically(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

Picture resize(const Picture& picture, int width, int height) {
    check(width > 0 && height > 0 && picture.width > 0 && picture.height > 0, "resize: {} x {} to {} x {}",
          picture.width, picture.height, width, height);
    files::check_picture_size(width, height, "resize");
    if (width == picture.width && height == picture.height) return picture;
    const Filter across(picture.width, width), down(picture.height, height);
    const int channels = picture.channels;
    std::vector<float> rows(static_cast<std::size_t>(picture.height) * static_cast<std::size_t>(width * channels));
    auto next = rows.begin();
    for (int y = 0; y < picture.height; ++y)
        for (const Filter::Tap& tap : across.taps)
            for (int c = 0; c < channels; ++c) {
                float sum = 0;
                const std::uint8_t* from = picture.at(tap.first, y) + c;
                for (const float weight : tap.weights) {
                    sum += weight * *from;
                    from += channels;
                }
                *next++ = sum;
            }
    Picture result(width, height, channels);
    const std::size_t stride = static_cast<std::size_t>(width * channels);
    std::vector<float> line(stride);
    for (int y = 0; y < height; ++y) {
        const Filter::Tap& tap = down.taps[static_cast<std::size_t>(y)];
        std::fill(line.begin(), line.end(), 0.5f);  // rounds
        for (std::size_t k = 0; k < tap.weights.size(); ++k) {
            const float* from = &rows[(static_cast<std::size_t>(tap.first) + k) * stride];
            for (std::size_t i = 0; i < stride; ++i) line[i] += tap.weights[k] * from[i];
        }
        for (std::size_t i = 0; i < stride; ++i)
            result.pixels[static_cast<std::size_t>(y) * stride + i] =
                static_cast<std::uint8_t>(std::clamp(line[i], 0.0f, 255.0f));
    }
    return result;
}

}  // namespace heddle
