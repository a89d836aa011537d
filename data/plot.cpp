#include "data/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "data/detail/canvas.h"

namespace heddle {
namespace {

using detail::Canvas;
using detail::Color;
using detail::Point;
using detail::TextStyle;
using Align = TextStyle::Align;

// Told apart by most people with a colour deficiency too (Okabe and Ito's palette, its yellow darkened).
constexpr Color palette[] = {{0, 114, 178},  {213, 94, 0},   {0, 158, 115},  {204, 121, 167},
                             {86, 180, 233}, {190, 160, 20}, {120, 94, 190}, {90, 90, 90}};

constexpr int margin_right = 22, margin_bottom = 58, margin_top = 46, title_height = 40;

struct Axis {
    double low = 0, high = 1;  // of what is shown: for a logarithmic axis the logarithms
    bool logarithmic = false;
    std::vector<double> ticks = {};  // likewise
    std::vector<std::string> labels = {};

    double place(double value) const { return ((logarithmic ? std::log10(value) : value) - low) / (high - low); }
};

// The smallest 1, 2 or 5 times a power of ten that makes at most `count` steps.
double nice_step(double range, int count) {
    const double rough = range / count, power = std::pow(10.0, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0})
        if (power * factor >= rough * (1 - 1e-9)) return power * factor;
    return power * 10;
}

std::string number_text(double value, double step) {
    if (std::abs(value) < step * 1e-6) value = 0;
    if (std::abs(value) >= 1e6 || (step < 1e-4)) return fmt::format("{:.4g}", value);
    const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
    return fmt::format("{:.{}f}", value, decimals);
}

void add_linear_ticks(Axis& axis, int count, bool whole) {
    double step = nice_step(axis.high - axis.low, count);
    if (whole) step = std::max(1.0, step);
    for (double index = std::ceil(axis.low / step - 1e-9); index * step <= axis.high + step * 1e-9; ++index) {
        axis.ticks.push_back(index * step);
        axis.labels.push_back(number_text(index * step, step));
    }
}

void add_logarithmic_ticks(Axis& axis) {
    const bool wide = axis.high - axis.low > 2.5;
    const int every = std::max(1, static_cast<int>((axis.high - axis.low) / 6));
    for (int power = static_cast<int>(std::floor(axis.low)); power <= static_cast<int>(std::ceil(axis.high));
         power += every)
        for (const double factor : {1.0, 2.0, 5.0}) {
            if (wide && factor > 1) continue;
            const double place = power + std::log10(factor);
            if (place < axis.low - 1e-9 || place > axis.high + 1e-9) continue;
            axis.ticks.push_back(place);
            axis.labels.push_back(fmt::format("{:g}", factor * std::pow(10.0, power)));
        }
}

double x_of(const PlotLine& line, std::size_t i) { return line.x.empty() ? static_cast<double>(i + 1) : line.x[i]; }

bool is_shown(const PlotLine& line, std::size_t i, bool logarithmic) {
    return std::isfinite(line.y[i]) && std::isfinite(x_of(line, i)) && (!logarithmic || line.y[i] > 0);
}

struct Axes {
    Axis x, y;

    // Of the tick labels at the left.
    double label_width() const {
        double widest = 0;
        for (const std::string& label : y.labels) widest = std::max(widest, Canvas::text_width(label, 10));
        return widest;
    }
};

Axes make_axes(const PlotPanel& panel) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    Axes axes{{infinity, -infinity}, {infinity, -infinity, panel.logarithmic}};
    bool whole = true;
    for (const PlotLine& line : panel.lines)
        for (std::size_t i = 0; i < line.y.size(); ++i) {
            if (!is_shown(line, i, panel.logarithmic)) continue;
            const double x = x_of(line, i), y = panel.logarithmic ? std::log10(line.y[i]) : line.y[i];
            axes.x = {std::min(axes.x.low, x), std::max(axes.x.high, x)};
            axes.y = {std::min(axes.y.low, y), std::max(axes.y.high, y), panel.logarithmic};
            whole = whole && x == std::floor(x);
        }
    if (axes.x.low > axes.x.high) axes = {{0, 1}, {0, 1, panel.logarithmic}};
    const auto widen = [](Axis& axis, double part) {
        double range = axis.high - axis.low;
        // A range below the precision of its values counts as empty.
        if (range <= 1e-12 * std::max(std::abs(axis.low), std::abs(axis.high)))
            range = axis.low == 0 ? 1 : std::abs(axis.low) * 0.2;
        const double extra = axis.high - axis.low < range ? range / 2 : range * part;
        axis.low -= extra;
        axis.high += extra;
    };
    widen(axes.x, 0.02);
    widen(axes.y, 0.06);
    add_linear_ticks(axes.x, 8, whole);
    if (panel.logarithmic)
        add_logarithmic_ticks(axes.y);
    else
        add_linear_ticks(axes.y, 7, false);
    return axes;
}

struct Box {
    int x, y, width, height;
    Point place(const Axes& axes, double px, double py) const {
        return {x + axes.x.place(px) * width, y + (1 - axes.y.place(py)) * height};
    }
};

void draw_axes(Canvas& canvas, const Box& box, const Axes& axes, const PlotPanel& panel, const std::string& x_label) {
    const TextStyle tick_style{.size = 10, .color = detail::soft_ink};
    for (std::size_t i = 0; i < axes.x.ticks.size(); ++i) {
        const int x = box.x + static_cast<int>(
                                  std::lround((axes.x.ticks[i] - axes.x.low) / (axes.x.high - axes.x.low) * box.width));
        canvas.fill(x, box.y, 1, box.height, detail::grid_grey);
        TextStyle style = tick_style;
        style.align = Align::center;
        canvas.text({x + 0.5, box.y + box.height + 14.0}, axes.x.labels[i], style);
    }
    for (std::size_t i = 0; i < axes.y.ticks.size(); ++i) {
        const int y = box.y + static_cast<int>(std::lround(
                                  (1 - (axes.y.ticks[i] - axes.y.low) / (axes.y.high - axes.y.low)) * box.height));
        canvas.fill(box.x, y, box.width, 1, detail::grid_grey);
        TextStyle style = tick_style;
        style.align = Align::right;
        canvas.text({box.x - 9.0, y + 0.5}, axes.y.labels[i], style);
    }
    canvas.frame(box.x, box.y, box.width + 1, box.height + 1, detail::frame_grey);
    canvas.text({box.x + box.width / 2.0, box.y - 20.0}, panel.title,
                {.size = 12, .bold = true, .align = Align::center});
    canvas.text({box.x + box.width / 2.0, box.y + box.height + 40.0}, x_label, {.size = 11, .align = Align::center});
    canvas.text({box.x - axes.label_width() - 32, box.y + box.height / 2.0}, panel.y_label,
                {.size = 11, .align = Align::center, .upwards = true});
}

void draw_line(Canvas& canvas, const Box& box, const Axes& axes, const PlotLine& line, bool logarithmic, Color color) {
    std::vector<Point> points;
    const auto flush = [&] {
        if (line.connected && points.size() == 1)
            canvas.dot(points[0], 3, color);
        else if (line.connected)
            canvas.line(points, 2.2, color);
        points.clear();
    };
    for (std::size_t i = 0; i < line.y.size(); ++i) {
        if (is_shown(line, i, logarithmic))
            points.push_back(box.place(axes, x_of(line, i), line.y[i]));
        else
            flush();
    }
    flush();
    for (std::size_t i = 0; (line.markers || !line.connected) && i < line.y.size(); ++i)
        if (is_shown(line, i, logarithmic)) {
            const Point center = box.place(axes, x_of(line, i), line.y[i]);
            canvas.dot(center, 4.2, detail::white);
            canvas.dot(center, 3.2, color);
        }
}

// In the corner that covers the fewest points, counted along the lines.
void draw_legend(Canvas& canvas, const Box& box, const Axes& axes, const PlotPanel& panel) {
    constexpr int row = 20, sample = 24, padding = 9;
    double widest = 0;
    int rows = 0;
    for (const PlotLine& line : panel.lines) {
        if (line.label.empty()) continue;
        widest = std::max(widest, Canvas::text_width(line.label, 10));
        ++rows;
    }
    if (rows == 0) return;
    const int width = static_cast<int>(widest) + sample + 3 * padding, height = rows * row + padding;
    const int xs[] = {box.x + box.width - width - 10, box.x + 10};
    const int ys[] = {box.y + 10, box.y + box.height - height - 10};
    int best_x = xs[0], best_y = ys[0];
    double fewest = std::numeric_limits<double>::infinity();
    for (const int y : ys)
        for (const int x : xs) {
            double covered = 0;
            for (const PlotLine& line : panel.lines)
                for (std::size_t i = 1; i < line.y.size(); ++i) {
                    if (!is_shown(line, i, panel.logarithmic) || !is_shown(line, i - 1, panel.logarithmic)) continue;
                    const Point a = box.place(axes, x_of(line, i - 1), line.y[i - 1]);
                    const Point b = box.place(axes, x_of(line, i), line.y[i]);
                    for (int k = 0; k <= 8; ++k) {
                        const double px = a.x + (b.x - a.x) * k / 8, py = a.y + (b.y - a.y) * k / 8;
                        if (px >= x && px <= x + width && py >= y && py <= y + height)
                            covered += 1.0 / static_cast<double>(line.y.size());
                    }
                }
            if (covered < fewest) {
                fewest = covered;
                best_x = x;
                best_y = y;
            }
        }
    canvas.fill(best_x, best_y, width, height, detail::white, 0.88);
    canvas.frame(best_x, best_y, width, height, detail::grid_grey);
    double y = best_y + padding / 2.0 + row / 2.0;
    for (std::size_t i = 0; i < panel.lines.size(); ++i) {
        if (panel.lines[i].label.empty()) continue;
        const Color color = palette[i % std::size(palette)];
        if (panel.lines[i].connected)
            canvas.line({{best_x + padding + 2.0, y}, {best_x + padding + sample - 2.0, y}}, 2.6, color);
        if (panel.lines[i].markers || !panel.lines[i].connected)
            canvas.dot({best_x + padding + sample / 2.0, y}, 3.4, color);
        canvas.text({best_x + 2.0 * padding + sample, y}, panel.lines[i].label, {.size = 10});
        y += row;
    }
}

}  // namespace

Picture draw_lines(const PlotOptions& options) {
    check(!options.panels.empty(), "plot: no panels");
    check(options.panel_width >= 200 && options.panel_height >= 150 && options.panel_width <= 8192 &&
              options.panel_height <= 8192 && options.panels.size() <= 64,
          "plot: expected panels of 200 x 150 .. 8192 x 8192 pixels, got {} x {}", options.panel_width,
          options.panel_height);
    for (const PlotPanel& panel : options.panels)
        for (const PlotLine& line : panel.lines)
            check(line.x.empty() || line.x.size() == line.y.size(), "plot: line \"{}\" has {} x and {} y", line.label,
                  line.x.size(), line.y.size());
    const int top = options.title.empty() ? 0 : title_height;
    const int width = options.panel_width * static_cast<int>(options.panels.size());
    Canvas canvas(width, options.panel_height + top);
    canvas.text({width / 2.0, top / 2.0 + 6}, options.title, {.size = 15, .bold = true, .align = Align::center});
    for (std::size_t i = 0; i < options.panels.size(); ++i) {
        const PlotPanel& panel = options.panels[i];
        const Axes axes = make_axes(panel);
        const int margin_left = std::min(options.panel_width / 2, static_cast<int>(axes.label_width()) + 52);
        const Box box{options.panel_width * static_cast<int>(i) + margin_left, top + margin_top,
                      options.panel_width - margin_left - margin_right,
                      options.panel_height - margin_top - margin_bottom};
        draw_axes(canvas, box, axes, panel, options.x_label);
        canvas.set_clip(box.x, box.y, box.width + 1, box.height + 1);
        for (std::size_t k = 0; k < panel.lines.size(); ++k)
            draw_line(canvas, box, axes, panel.lines[k], panel.logarithmic, palette[k % std::size(palette)]);
        canvas.clear_clip();
        draw_legend(canvas, box, axes, panel);
    }
    return canvas.picture();
}

void plot_lines(const std::string& path, const PlotOptions& options) { save_png(path, draw_lines(options)); }

}  // namespace heddle
