#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

// The letters of plots: private to `data/`.
namespace heddle::detail {

/// A pen stroke between two points of a grid whose letters are 7 units high (x right, y down, 0 at the top of a
/// capital); both ends equal: a dot.
struct Stroke {
    float x0, y0, x1, y1;
};

/// The strokes of a line of ASCII text (other bytes show as '?'), beginning at x = 0.
std::vector<Stroke> text_strokes(std::string_view text);
/// Its width in units of the grid.
float text_width(std::string_view text);

}  // namespace heddle::detail
