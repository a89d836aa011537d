#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "data/detail/canvas.h"
#include "data/plot.h"

namespace heddle {
namespace {

using detail::Canvas;
using detail::Color;
using detail::TextStyle;
using Align = TextStyle::Align;

constexpr Color right_color{0, 114, 178}, wrong_color{213, 94, 0};  // as the first two lines of a plot
constexpr int title_height = 42, gap = 12, label_room = 26, longest_name = 180;
constexpr double name_size = 9, title_size = 13;

std::string shortened(std::string text, double width) {
    if (Canvas::text_width(text, name_size) <= width) return text;
    while (!text.empty() && Canvas::text_width(text + "...", name_size) > width) text.pop_back();
    return text + "...";
}

/// Between white and `color`.
Color shade(Color color, double part) {
    const auto mix = [part](std::uint8_t channel) {
        return static_cast<std::uint8_t>(std::lround(255 + (channel - 255.0) * part));
    };
    return {mix(color.red), mix(color.green), mix(color.blue)};
}

class ConfusionPlot {
  public:
    ConfusionPlot(std::span<const std::int64_t> counts, const ConfusionOptions& options)
        : counts_(counts), classes_(static_cast<int>(std::lround(std::sqrt(static_cast<double>(counts.size()))))) {
        const auto classes = static_cast<std::size_t>(classes_);
        check(!counts.empty() && classes * classes == counts.size() && classes <= max_confusion_classes,
              "confusion matrix: expected a count for each pair of 1 .. {} classes, got {} counts",
              max_confusion_classes, counts.size());
        check(options.class_names.empty() || options.class_names.size() == classes,
              "confusion matrix: {} classes and {} names", classes, options.class_names.size());
        cell_ = std::clamp(1600 / classes_, 4, 56);
        for (std::size_t i = 0; i < classes; ++i) {
            names_.push_back(options.class_names.empty() ? fmt::format("{}", i)
                                                         : shortened(options.class_names[i], longest_name));
            widest_ = std::max(widest_, Canvas::text_width(names_.back(), name_size));
        }
        if (!named()) widest_ = 0;
    }

    Picture draw(const std::string& title) {
        left_ = label_room + static_cast<int>(widest_) + gap;
        top_ = title_height;
        const int side = classes_ * cell_, right_room = named() ? 60 : gap;
        const int title_width = static_cast<int>(Canvas::text_width(title, title_size)) + 2 * gap;
        Canvas canvas(std::max(left_ + side + right_room, title_width),
                      top_ + side + gap + static_cast<int>(widest_) + label_room);
        canvas.text({canvas.picture().width / 2.0, title_height / 2.0}, title,
                    {.size = title_size, .bold = true, .align = Align::center});
        canvas.text({label_room / 2.0, top_ + side / 2.0}, "true class",
                    {.size = 11, .align = Align::center, .upwards = true});
        canvas.text({left_ + side / 2.0, canvas.picture().height - label_room / 2.0}, "predicted class",
                    {.size = 11, .align = Align::center});
        for (int truth = 0; truth < classes_; ++truth) draw_row(canvas, truth);
        canvas.frame(left_, top_, side + 1, side + 1, detail::frame_grey);
        return canvas.picture();
    }

  private:
    bool named() const { return cell_ >= 12; }
    std::int64_t count(int truth, int predicted) const {
        return counts_[static_cast<std::size_t>(truth) * static_cast<std::size_t>(classes_) +
                       static_cast<std::size_t>(predicted)];
    }

    void draw_row(Canvas& canvas, int truth) const {
        std::int64_t total = 0;
        for (int predicted = 0; predicted < classes_; ++predicted) total += count(truth, predicted);
        const double middle = top_ + (truth + 0.5) * cell_;
        for (int predicted = 0; predicted < classes_; ++predicted)
            draw_cell(canvas, truth, predicted,
                      total > 0 ? static_cast<double>(count(truth, predicted)) / static_cast<double>(total) : 0);
        if (!named()) return;
        const std::string& name = names_[static_cast<std::size_t>(truth)];
        canvas.text({left_ - 8.0, middle}, name, {.size = name_size, .align = Align::right});
        canvas.text({left_ + (truth + 0.5) * cell_, top_ + classes_ * cell_ + 8.0}, name,
                    {.size = name_size, .align = Align::right, .upwards = true});
        if (total > 0)
            canvas.text(
                {left_ + classes_ * cell_ + 8.0, middle},
                fmt::format("{:.1f} %", 100.0 * static_cast<double>(count(truth, truth)) / static_cast<double>(total)),
                {.size = name_size, .color = detail::soft_ink});
    }

    void draw_cell(Canvas& canvas, int truth, int predicted, double part) const {
        const int x = left_ + predicted * cell_, y = top_ + truth * cell_;
        // The square root keeps small fractions visible: mistakes are often a hundredth of a row.
        canvas.fill(x, y, cell_, cell_, shade(truth == predicted ? right_color : wrong_color, std::sqrt(part)));
        if (cell_ >= 12) canvas.frame(x, y, cell_ + 1, cell_ + 1, detail::grid_grey);
        const std::int64_t number = count(truth, predicted);
        const std::string text = fmt::format("{}", number);
        const double size = cell_ < 24 ? name_size - 2 : name_size;
        // As wide as any number of these digits: all of them are shown, or none.
        if (number == 0 || Canvas::text_width(std::string(text.size(), '8'), size) > cell_ - 2) return;
        canvas.text({x + cell_ / 2.0 + 0.5, y + cell_ / 2.0 + 0.5}, text,
                    {.size = size, .color = part > 0.3 ? detail::white : detail::ink, .align = Align::center});
    }

    std::span<const std::int64_t> counts_;
    int classes_, cell_ = 0, left_ = 0, top_ = 0;
    std::vector<std::string> names_;
    double widest_ = 0;
};

}  // namespace

Picture draw_confusion_matrix(std::span<const std::int64_t> counts, const ConfusionOptions& options) {
    return ConfusionPlot(counts, options).draw(options.title);
}

}  // namespace heddle
