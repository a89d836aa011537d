#include "data/detail/canvas.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "data/detail/font.h"

namespace heddle::detail {

void Canvas::blend(int x, int y, Color color, double opacity) {
    std::uint8_t* pixel = picture_.at(x, y);
    const double channel[] = {static_cast<double>(color.red), static_cast<double>(color.green),
                              static_cast<double>(color.blue)};
    for (int c = 0; c < 3; ++c)
        pixel[c] = static_cast<std::uint8_t>(std::lround(pixel[c] + (channel[c] - pixel[c]) * opacity));
}

void Canvas::fill(int x, int y, int width, int height, Color color, double opacity) {
    for (int row = std::max(y, 0); row < std::min(y + height, picture_.height); ++row)
        for (int column = std::max(x, 0); column < std::min(x + width, picture_.width); ++column)
            blend(column, row, color, opacity);
}

void Canvas::frame(int x, int y, int width, int height, Color color) {
    fill(x, y, width, 1, color);
    fill(x, y + height - 1, width, 1, color);
    fill(x, y, 1, height, color);
    fill(x + width - 1, y, 1, height, color);
}

void Canvas::set_clip(int x, int y, int width, int height) {
    clip_left_ = x;
    clip_top_ = y;
    clip_right_ = x + width;
    clip_bottom_ = y + height;
}

// The coverage of all segments is accumulated before it is blended, so that joints are not darker than the rest.
void Canvas::draw(const std::vector<Segment>& segments, double width, Color color) {
    if (segments.empty()) return;
    const double reach = width / 2 + 1;
    double low_x = 1e30, high_x = -1e30, low_y = 1e30, high_y = -1e30;
    for (const Segment& segment : segments)
        for (const Point& end : {segment.from, segment.to}) {
            low_x = std::min(low_x, end.x - reach);
            high_x = std::max(high_x, end.x + reach);
            low_y = std::min(low_y, end.y - reach);
            high_y = std::max(high_y, end.y + reach);
        }
    const auto clamped = [](double value, int low, int high) {
        return static_cast<int>(std::clamp(value, static_cast<double>(low), static_cast<double>(high)));
    };
    const int right_edge = std::min(clip_right_, picture_.width), bottom_edge = std::min(clip_bottom_, picture_.height);
    const int left = clamped(std::floor(low_x), clip_left_, right_edge),
              top = clamped(std::floor(low_y), clip_top_, bottom_edge);
    const int right = clamped(std::ceil(high_x), left, right_edge),
              bottom = clamped(std::ceil(high_y), top, bottom_edge);
    if (left == right || top == bottom) return;
    const auto columns = static_cast<std::size_t>(right - left);
    std::vector<float> cover(columns * static_cast<std::size_t>(bottom - top));
    for (const Segment& segment : segments) {
        const double dx = segment.to.x - segment.from.x, dy = segment.to.y - segment.from.y;
        const double length2 = dx * dx + dy * dy;
        const int y0 = clamped(std::floor(std::min(segment.from.y, segment.to.y) - reach), top, bottom);
        const int y1 = clamped(std::ceil(std::max(segment.from.y, segment.to.y) + reach), top, bottom);
        const int x0 = clamped(std::floor(std::min(segment.from.x, segment.to.x) - reach), left, right);
        const int x1 = clamped(std::ceil(std::max(segment.from.x, segment.to.x) + reach), left, right);
        for (int y = y0; y < y1; ++y)
            for (int x = x0; x < x1; ++x) {
                const double px = x + 0.5 - segment.from.x, py = y + 0.5 - segment.from.y;
                const double along = length2 > 0 ? std::clamp((px * dx + py * dy) / length2, 0.0, 1.0) : 0;
                const double distance = std::hypot(px - along * dx, py - along * dy);
                const auto part = static_cast<float>(std::clamp(width / 2 + 0.5 - distance, 0.0, std::min(1.0, width)));
                float& slot = cover[static_cast<std::size_t>(y - top) * columns + static_cast<std::size_t>(x - left)];
                slot = std::max(slot, part);
            }
    }
    for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x)
            if (const float part =
                    cover[static_cast<std::size_t>(y - top) * columns + static_cast<std::size_t>(x - left)];
                part > 0)
                blend(x, y, color, static_cast<double>(part));
}

void Canvas::line(const std::vector<Point>& points, double width, Color color) {
    std::vector<Segment> segments;
    for (std::size_t i = 1; i < points.size(); ++i) segments.push_back({points[i - 1], points[i]});
    if (points.size() == 1) segments.push_back({points[0], points[0]});
    draw(segments, width, color);
}

double Canvas::text_width(std::string_view text, double size) {
    return static_cast<double>(detail::text_width(text)) * size / 6;
}

void Canvas::text(Point anchor, std::string_view text, const TextStyle& style) {
    const double scale = style.size / 6;  // between the centres of the first and the last row
    const double width = text_width(text, style.size);
    const double start = style.align == TextStyle::Align::left     ? 0
                         : style.align == TextStyle::Align::center ? -width / 2
                                                                   : -width;
    const auto place = [&](float x, float y) {
        const double right = start + static_cast<double>(x) * scale, down = (static_cast<double>(y) - 3) * scale;
        return style.upwards ? Point{anchor.x + down, anchor.y - right} : Point{anchor.x + right, anchor.y + down};
    };
    std::vector<Segment> segments;
    for (const Stroke& stroke : text_strokes(text))
        segments.push_back({place(stroke.x0, stroke.y0), place(stroke.x1, stroke.y1)});
    draw(segments, std::max(1.0, scale * (style.bold ? 1.25 : 0.8)), style.color);
}

void Canvas::paste(const Picture& picture, int x, int y) {
    const Picture colored = convert_channels(picture, 3);
    for (int row = std::max(0, -y); row < colored.height && y + row < picture_.height; ++row) {
        const int first = std::max(0, -x), last = std::min(colored.width, picture_.width - x);
        if (first < last)
            std::memcpy(picture_.at(x + first, y + row), colored.at(first, row),
                        static_cast<std::size_t>(last - first) * 3);
    }
}

}  // namespace heddle::detail
