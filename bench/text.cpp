#include "bench/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace heddle::bench {
namespace {

/// Three digits.
std::string digits(double value) { return fmt::format("{:.{}f}", value, value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2); }

std::string error_text(double error) { return std::isfinite(error) ? fmt::format("{:.1e}", error) : "infinite"; }

std::string head(const CaseResult& r, const Ceilings& ceilings) {
    std::string text = fmt::format("{} {}, {}: ", r.operation, r.name, heddle::to_string(r.dtype));
    if (r.flops > 0) text += quantity(r.flops, "FLOP") + ", ";
    text += quantity(r.bytes, "B");
    if (const double floor = r.floor_seconds(ceilings); floor > 0)
        text += fmt::format("; bound by {}, at best {}", r.compute_bound(ceilings) ? "arithmetic" : "memory",
                            duration(floor));
    if (r.sampled) text += "; errors of a sample of the outputs";
    const bool timed =
        std::any_of(r.contenders.begin(), r.contenders.end(), [](const Contender& c) { return c.timing.has_value(); });
    if (timed && !r.cold) text += "; operands warm";
    return text + "\n";
}

std::string row(const Contender& c, const CaseResult& r, const Ceilings& ceilings, std::size_t width) {
    std::string text = fmt::format("  {:<{}}", c.name, width);
    if (c.timing) {
        const Timing& t = *c.timing;
        const double floor = r.floor_seconds(ceilings);
        text += fmt::format("{:>11} {:>6} {:>13} {:>8}", duration(t.median),
                            fmt::format("{:.0f} %", 100 * t.spread / t.median),
                            r.flops > 0 ? quantity(r.flops / t.median, "FLOP/s") : quantity(r.bytes / t.median, "B/s"),
                            floor > 0 ? fmt::format("{:.0f} %", 100 * floor / t.median) : "");
    } else {
        text += fmt::format("{:>11} {:>6} {:>13} {:>8}", "not timed", "", "", "");
    }
    text += fmt::format(
        " {:>10} {:>9} {:>9}", c.workspace_bytes > 0 ? quantity(static_cast<double>(c.workspace_bytes), "B") : "-",
        c.has_error ? error_text(c.relative_error) : "-", c.has_error ? error_text(c.worst_error) : "-");
    if (c.timing && !c.timing->note.empty()) text += "  (" + c.timing->note + ")";
    return text + "\n";
}

}  // namespace

std::string duration(double seconds) {
    if (seconds < 1e-3) return digits(seconds * 1e6) + " us";
    if (seconds < 1) return digits(seconds * 1e3) + " ms";
    return digits(seconds) + " s";
}

std::string quantity(double value, const char* unit) {
    constexpr const char* prefixes[] = {"", "k", "M", "G", "T", "P"};
    std::size_t place = 0;
    for (; value >= 999.5 && place + 1 < std::size(prefixes); ++place) value /= 1000;
    return fmt::format("{} {}{}", place == 0 ? fmt::format("{:.0f}", value) : digits(value), prefixes[place], unit);
}

std::string describe(const Report& report) {
    std::string text = "heddle " + report.version;
    if (!report.commit.empty()) text += fmt::format(" (commit {})", report.commit);
    text += fmt::format(", {}: {}", report.device, report.machine);
    if (report.device == "cpu") text += fmt::format(", {} thread{}", report.threads, report.threads == 1 ? "" : "s");
    text += "\n";
    if (report.ceilings.bytes_per_second > 0) {
        text += "measured ceilings: copy " + quantity(report.ceilings.bytes_per_second, "B/s");
        for (const auto& [dtype, value] : report.ceilings.flops_per_second)
            text += fmt::format(", product in {} {}", heddle::to_string(dtype), quantity(value, "FLOP/s"));
        text += "\n";
    }
    return text;
}

std::string table(const CaseResult& r, const Ceilings& ceilings) {
    std::size_t width = 14;
    for (const Contender& c : r.contenders) width = std::max(width, c.name.size() + 2);
    std::string text = head(r, ceilings);
    if (!r.contenders.empty() && r.contenders.front().state == Contender::State::ranked)
        text += fmt::format("  {:<{}}{:>11} {:>6} {:>13} {:>8} {:>10} {:>9} {:>9}\n", "implementation", width, "median",
                            "spread", "rate", "of best", "workspace", "error", "worst");
    for (const Contender& c : r.contenders) {
        if (c.state == Contender::State::ranked) {
            text += row(c, r, ceilings, width);
            continue;
        }
        const char* word = c.state == Contender::State::wrong         ? "WRONG"
                           : c.state == Contender::State::unsupported ? "not supported"
                           : c.state == Contender::State::failed      ? "failed"
                                                                      : "left out";
        text += fmt::format("  {:<{}}{}: {}", c.name, width, word, c.reason);
        if (c.state == Contender::State::wrong) text += fmt::format(" (error {})", error_text(c.relative_error));
        text += "\n";
    }
    return text + "\n";
}

}  // namespace heddle::bench
