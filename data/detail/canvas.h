#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "data/picture.h"

// What plots are drawn on: private to `data/`. Coordinates are pixels, y down; (0, 0) is the corner of the first one.
namespace heddle::detail {

struct Color {
    std::uint8_t red, green, blue;
};
inline constexpr Color white{255, 255, 255}, ink{38, 42, 48}, soft_ink{96, 102, 112}, grid_grey{228, 231, 236},
    frame_grey{150, 156, 166};

struct Point {
    double x, y;
};

struct TextStyle {
    double size = 11;  ///< height of a capital in pixels
    Color color = ink;
    bool bold = false;
    enum class Align { left, center, right } align = Align::left;
    bool upwards = false;  ///< turned a quarter to the left
};

class Canvas {
  public:
    Canvas(int width, int height, Color background = white) : picture_(width, height, 3) {
        fill(0, 0, width, height, background);
    }

    const Picture& picture() const { return picture_; }
    /// A rectangle of whole pixels; `opacity` in 0 .. 1.
    void fill(int x, int y, int width, int height, Color color, double opacity = 1);
    void frame(int x, int y, int width, int height, Color color);
    /// An antialiased line through the points, `width` pixels wide with round ends, kept inside the clip rectangle.
    void line(const std::vector<Point>& points, double width, Color color);
    void dot(Point center, double radius, Color color) { line({center, center}, 2 * radius, color); }
    /// `anchor`: the middle of a capital's height, at the left end, the middle or the right end.
    void text(Point anchor, std::string_view text, const TextStyle& style);
    static double text_width(std::string_view text, double size);

    /// Only pixels inside may be changed by `line` and `text`.
    void set_clip(int x, int y, int width, int height);
    void clear_clip() { set_clip(0, 0, picture_.width, picture_.height); }

    void paste(const Picture& picture, int x, int y);

  private:
    struct Segment {
        Point from, to;
    };
    void draw(const std::vector<Segment>& segments, double width, Color color);
    void blend(int x, int y, Color color, double opacity);

    Picture picture_;
    int clip_left_ = 0, clip_top_ = 0, clip_right_ = 1 << 30, clip_bottom_ = 1 << 30;
};

}  // namespace heddle::detail
