#include "bench/plot.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "bench/text.h"
#include "core/check.h"

namespace heddle::bench {
namespace {

// Okabe and Ito's colours, which colour-blind people tell apart.
constexpr const char* colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F"};
constexpr double width = 960, margin_left = 70, margin_right = 20;

std::string escaped(const std::string& text) {
    std::string out;
    for (const char letter : text)
        out += letter == '&' ? "&amp;" : letter == '<' ? "&lt;" : letter == '>' ? "&gt;" : std::string(1, letter);
    return out;
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
    return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1, x2, y2, style);
}

std::string words(double x, double y, const std::string& text, const char* style = "") {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, style, escaped(text));
}

/// The contenders that were timed have a colour each, in the order of their first appearance.
class Palette {
  public:
    explicit Palette(const Report& report) {
        for (const CaseResult& r : report.cases)
            for (const Contender& c : r.contenders)
                if (c.timing && std::find(names_.begin(), names_.end(), c.name) == names_.end())
                    names_.push_back(c.name);
    }
    const char* of(const std::string& name) const {
        const auto place = std::find(names_.begin(), names_.end(), name) - names_.begin();
        return colours[static_cast<std::size_t>(place) % std::size(colours)];
    }
    std::string legend(double y) const {
        std::string svg;
        double x = margin_left;
        for (const std::string& name : names_) {
            svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" height=\"12\" fill=\"{}\"/>\n", x, y - 10,
                               of(name));
            svg += words(x + 17, y, name);
            x += 40 + 7.2 * static_cast<double>(name.size());
        }
        return svg;
    }
    bool empty() const { return names_.empty(); }

  private:
    std::vector<std::string> names_;
};

/// A logarithmic axis: whole decades around the values.
struct Decades {
    double low = 0, high = 1;  // exponents of ten

    void include(double value) {
        if (!(value > 0)) return;
        low = seen ? std::min(low, std::floor(std::log10(value))) : std::floor(std::log10(value));
        high = seen ? std::max(high, std::ceil(std::log10(value))) : std::ceil(std::log10(value));
        seen = true;
        if (high <= low) high = low + 1;
    }
    double place(double value) const { return (std::log10(value) - low) / (high - low); }
    bool seen = false;
};

std::string roofline(const Report& report, const Palette& palette, double top, double height) {
    const Ceilings& c = report.ceilings;
    Decades across, up;
    for (const CaseResult& r : report.cases) {
        if (r.flops <= 0) continue;
        across.include(r.flops / r.bytes);
        for (const Contender& contender : r.contenders)
            if (contender.timing) up.include(r.flops / contender.timing->median);
    }
    if (!across.seen || !up.seen) return "";
    for (const auto& [dtype, peak] : c.flops_per_second) {
        up.include(peak * 1.2);
        if (c.bytes_per_second > 0) across.include(peak / c.bytes_per_second);
    }
    const double room = width - margin_left - margin_right;
    const auto x = [&](double value) { return margin_left + room * across.place(value); };
    const auto y = [&](double value) { return top + height * (1 - up.place(value)); };
    std::string svg = words(margin_left, top - 12, "Roofline", "font-weight=\"bold\"");
    for (double e = across.low; e <= across.high; ++e) {
        const double at = x(std::pow(10, e));
        svg += line(at, top, at, top + height, "stroke=\"#e4e7ec\"");
        svg += words(at, top + height + 16, fmt::format("{:g}", std::pow(10, e)), "text-anchor=\"middle\"");
    }
    for (double e = up.low; e <= up.high; ++e) {
        const double at = y(std::pow(10, e));
        svg += line(margin_left, at, margin_left + room, at, "stroke=\"#e4e7ec\"");
        svg += words(margin_left - 6, at + 4, quantity(std::pow(10, e), ""), "text-anchor=\"end\"");
    }
    svg += words(margin_left + room / 2, top + height + 34, "FLOP a byte", "text-anchor=\"middle\"");
    svg += words(margin_left - 50, top - 12, "FLOP/s");
    for (const auto& [dtype, peak] : c.flops_per_second) {
        if (c.bytes_per_second <= 0) continue;
        const double left = std::pow(10, across.low), right = std::pow(10, across.high);
        const double ridge = std::clamp(peak / c.bytes_per_second, left, right);
        const double start = std::max(left, std::pow(10, up.low) / c.bytes_per_second);
        const char* style = "stroke=\"#262a30\" stroke-width=\"1.5\"";
        svg += line(x(start), y(start * c.bytes_per_second), x(ridge), y(ridge * c.bytes_per_second), style);
        svg += line(x(ridge), y(peak), x(right), y(peak), style);
        svg += words(x(right) - 4, y(peak) - 6,
                     fmt::format("{} {}", heddle::to_string(dtype), quantity(peak, "FLOP/s")), "text-anchor=\"end\"");
    }
    for (const CaseResult& r : report.cases)
        for (const Contender& contender : r.contenders)
            if (contender.timing && r.flops > 0)
                svg += fmt::format(
                    "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\" "
                    "fill-opacity=\"0.8\"><title>{}</title></circle>\n",
                    x(r.flops / r.bytes), y(r.flops / contender.timing->median), palette.of(contender.name),
                    escaped(fmt::format("{} {}, {}: {}", r.operation, r.name, contender.name,
                                        duration(contender.timing->median))));
    return svg;
}

/// One group a case, one bar a contender; without ceilings bars are relative to the fastest.
std::string bars(const Report& report, const Palette& palette, double top, double& height) {
    constexpr double bar = 11, gap = 12, labels = 330;
    const double room = width - labels - 130;
    std::string svg = words(margin_left, top - 12, "Share of what the ceilings allow", "font-weight=\"bold\"");
    double y = top, most = 1;
    const auto share = [&](const CaseResult& r, const Contender& c) {
        double floor = r.floor_seconds(report.ceilings);
        if (floor <= 0) floor = r.contenders.front().timing ? r.contenders.front().timing->median : 0;
        return floor / c.timing->median;
    };
    for (const CaseResult& r : report.cases)
        for (const Contender& c : r.contenders)
            if (c.timing) most = std::max(most, share(r, c));
    std::string groups;
    for (const CaseResult& r : report.cases) {
        const double first = y;
        for (const Contender& c : r.contenders) {
            if (!c.timing) continue;
            const double length = room * share(r, c) / most;
            groups += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
                                  labels, y, std::max(length, 1.0), bar - 1, palette.of(c.name));
            groups +=
                words(labels + length + 5, y + bar - 2,
                      fmt::format("{:.0f} %, {}", 100 * share(r, c), duration(c.timing->median)), "font-size=\"10\"");
            y += bar;
        }
        if (y == first) continue;
        groups += words(labels - 8, (first + y) / 2 + 4, fmt::format("{} {}", r.operation, r.name),
                        "text-anchor=\"end\" font-size=\"11\"");
        y += gap;
    }
    height = y - top;
    const double whole = labels + room / most;
    return svg + line(whole, top - 4, whole, y, "stroke=\"#262a30\" stroke-dasharray=\"3 3\"") + groups;
}

}  // namespace

std::string plot(const Report& report) {
    const Palette palette(report);
    check(!palette.empty(), "nothing was timed: there is nothing to draw");
    std::string body = words(margin_left, 28, fmt::format("{}, {}", report.machine, report.device), "font-size=\"15\"");
    body += palette.legend(52);
    double top = 100;
    const std::string roof = roofline(report, palette, top, 320);
    if (!roof.empty()) top += 320 + 80;
    double height = 0;
    body += roof + bars(report, palette, top, height);
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
               "height=\"{1:.0f}\" font-family=\"sans-serif\" font-size=\"12\">\n"
               "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
               width, top + height + 20) +
           body + "</svg>\n";
}

}  // namespace heddle::bench
