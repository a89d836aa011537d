#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/export.h"
#include "data/picture.h"

namespace heddle {

class Tensor;

struct PlotLine {
    std::string label = {};      ///< shown in the legend; empty: not shown there
    std::vector<double> y = {};  ///< values that are not finite leave a gap
    std::vector<double> x = {};  ///< empty: 1, 2, ...
    bool markers = false;        ///< a dot at each point
    bool connected = true;       ///< false: no line through the points, markers alone
};

struct PlotPanel {
    std::string title = {};
    std::string y_label = {};
    std::vector<PlotLine> lines = {};
    bool logarithmic = false;  ///< the y axis; values that are not positive leave a gap
};

struct PlotOptions {
    std::string title = {};
    std::string x_label = "epoch";
    std::vector<PlotPanel> panels = {};  ///< side by side
    int panel_width = 640;
    int panel_height = 440;
};

/// Line plots with axes, ticks, grid and legend. Text is ASCII. Throws `Error` for a line whose x and y differ in
/// length, or no panels.
HEDDLE_API Picture draw_lines(const PlotOptions& options);
HEDDLE_API void plot_lines(const std::string& path, const PlotOptions& options);

struct GridOptions {
    std::string title = {};
    std::vector<std::string> captions = {};  ///< one per picture, or none; "\n" begins a new line
    int columns = 0;                         ///< 0: about as many as rows
    int cell = 96;                           ///< pictures are shown about this wide, enlarged by whole factors
};

/// Pictures side by side, each with its caption. Throws `Error` for no pictures, or captions of another number.
HEDDLE_API Picture draw_picture_grid(std::span<const Picture> pictures, const GridOptions& options = {});
HEDDLE_API void save_picture_grid(const std::string& path, std::span<const Picture> pictures,
                                  const GridOptions& options = {});

struct ConfusionOptions {
    std::string title = {};
    std::vector<std::string> class_names = {};  ///< one per class; empty: their numbers
};
/// The most classes that a confusion matrix is drawn for.
inline constexpr std::size_t max_confusion_classes = 1000;

/// A square of counts, `counts[truth * classes + predicted]`: true classes downwards, predicted ones to the right, each
/// cell as dark as its part of its row, and at the end of a row how much of it is right. Where there are so many
/// classes that counts or names would not be readable, they are left out. Throws `Error` for counts that are not one
/// per pair of classes, or more than `max_confusion_classes`.
HEDDLE_API Picture draw_confusion_matrix(std::span<const std::int64_t> counts, const ConfusionOptions& options = {});

/// Examples of an f32 [N, H, W, C] tensor (C 1 or 3) as pictures: `low` becomes 0, `high` 255.
HEDDLE_API std::vector<Picture> to_pictures(const Tensor& images, double low = 0, double high = 1);

}  // namespace heddle
