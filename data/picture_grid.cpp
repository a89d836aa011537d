#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/tensor.h"
#include "data/detail/canvas.h"
#include "data/plot.h"

namespace heddle {
namespace {

using detail::Canvas;
using detail::TextStyle;

constexpr int gap = 10, caption_height = 16, title_height = 42;
constexpr double caption_size = 9;

// Small pictures grow by a whole factor, so that their pixels stay squares; large ones shrink.
Picture fit(const Picture& picture, int cell) {
    const int larger = std::max(picture.width, picture.height);
    check(larger > 0 && std::min(picture.width, picture.height) > 0, "picture grid: a picture without pixels");
    if (larger > cell) {
        const double scale = static_cast<double>(cell) / larger;
        return resize(picture, std::max(1, static_cast<int>(std::lround(picture.width * scale))),
                      std::max(1, static_cast<int>(std::lround(picture.height * scale))));
    }
    const int factor = cell / larger;
    Picture result(picture.width * factor, picture.height * factor, picture.channels);
    for (int y = 0; y < result.height; ++y)
        for (int x = 0; x < result.width; ++x)
            std::copy_n(picture.at(x / factor, y / factor), picture.channels, result.at(x, y));
    return result;
}

std::string shortened(std::string text, double width) {
    if (Canvas::text_width(text, caption_size) <= width) return text;
    while (!text.empty() && Canvas::text_width(text + "...", caption_size) > width) text.pop_back();
    return text + "...";
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines(1);
    for (const char letter : text)
        if (letter == '\n')
            lines.emplace_back();
        else
            lines.back() += letter;
    return lines;
}

}  // namespace

Picture draw_picture_grid(std::span<const Picture> pictures, const GridOptions& options) {
    check(!pictures.empty(), "picture grid: no pictures");
    check(options.captions.empty() || options.captions.size() == pictures.size(),
          "picture grid: {} pictures and {} captions", pictures.size(), options.captions.size());
    check(options.cell >= 8 && options.cell <= 2048 && options.columns >= 0 && pictures.size() <= 100'000,
          "picture grid: expected a cell of 8 .. 2048 pixels and columns of 0 or more, got {} and {}", options.cell,
          options.columns);
    const int count = static_cast<int>(pictures.size());
    const int columns =
        std::min(count, options.columns > 0 ? options.columns
                                            : static_cast<int>(std::ceil(std::sqrt(static_cast<double>(count)))));
    const int rows = (count + columns - 1) / columns;
    const int step_x = options.cell + gap;
    std::vector<std::vector<std::string>> captions;
    std::size_t caption_lines = 0;
    for (const std::string& caption : options.captions) {
        captions.push_back(lines_of(caption));
        caption_lines = std::max(caption_lines, captions.back().size());
    }
    const int step_y =
        options.cell + gap + (captions.empty() ? 0 : caption_height * static_cast<int>(caption_lines) + 6);
    const int top = options.title.empty() ? gap : title_height;
    Canvas canvas(columns * step_x + gap, top + rows * step_y);
    canvas.text({canvas.picture().width / 2.0, title_height / 2.0}, options.title,
                {.size = 13, .bold = true, .align = TextStyle::Align::center});
    for (int i = 0; i < count; ++i) {
        const Picture picture = fit(pictures[static_cast<std::size_t>(i)], options.cell);
        const int x = gap + i % columns * step_x, y = top + i / columns * step_y;
        canvas.paste(picture, x + (options.cell - picture.width) / 2, y + (options.cell - picture.height) / 2);
        if (captions.empty()) continue;
        double below = y + options.cell + 11.0;
        for (const std::string& line : captions[static_cast<std::size_t>(i)]) {
            canvas.text({x + options.cell / 2.0, below}, shortened(line, options.cell + gap / 2.0),
                        {.size = caption_size, .align = TextStyle::Align::center});
            below += caption_height;
        }
    }
    return canvas.picture();
}

void save_picture_grid(const std::string& path, std::span<const Picture> pictures, const GridOptions& options) {
    save_png(path, draw_picture_grid(pictures, options));
}

std::vector<Picture> to_pictures(const Tensor& images, double low, double high) {
    check(images.defined() && images.dtype() == DType::f32 && images.rank() == 4 &&
              (images.size(3) == 1 || images.size(3) == 3) && low < high,
          "to_pictures: expected f32 [N, height, width, 1 or 3] and low < high");
    const Tensor host = images.to(Device::cpu());
    const auto* value = host.data<float>();
    std::vector<Picture> pictures;
    for (std::int64_t i = 0; i < images.size(0); ++i) {
        Picture picture(static_cast<int>(images.size(2)), static_cast<int>(images.size(1)),
                        static_cast<int>(images.size(3)));
        for (std::uint8_t& pixel : picture.pixels) {
            const double scaled = (static_cast<double>(*value++) - low) / (high - low) * 255;
            pixel = scaled > 0 ? static_cast<std::uint8_t>(std::min(255.0, scaled) + 0.5) : std::uint8_t{0};  // NaN: 0
        }
        pictures.push_back(std::move(picture));
    }
    return pictures;
}

}  // namespace heddle
