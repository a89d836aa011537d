#include "cli/report_page.h"

#include <cmath>
#include <cstdint>
#include <span>
#include <utility>

#include "cli/output.h"
#include "core/check.h"

namespace heddle::cli {
namespace {

// The content security policy keeps a browser from fetching anything, whatever the page contains.
constexpr const char* head = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #262a30; max-width: 1320px; margin: 2rem auto; padding: 0 1.5rem; }}
h1 {{ font-size: 1.6rem; margin-bottom: 0.2rem; }}
h2 {{ font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #e4e7ec; }}
.quiet {{ color: #606670; }}
.figures {{ display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.2rem 0; }}
.figures div {{ background: #f3f5f8; border-radius: 6px; padding: 0.6rem 1rem; }}
.figures b {{ display: block; font-size: 1.25rem; }}
.side {{ display: flex; flex-wrap: wrap; gap: 1rem 3rem; align-items: flex-start; }}
.scroll {{ max-height: 30rem; overflow: auto; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; padding: 0.15rem 1.2rem 0.15rem 0; vertical-align: top; }}
th {{ font-weight: normal; color: #606670; }}
.numbers th, .numbers td {{ text-align: right; font-variant-numeric: tabular-nums; }}
img {{ max-width: 100%; height: auto; }}
pre {{ font-size: 12px; overflow: auto; }}
</style>
</head>
<body>
)";

std::string escaped(std::string_view text) {
    std::string out;
    for (const char letter : text) switch (letter) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += letter;
        }
    return out;
}

std::string base64(std::span<const std::uint8_t> bytes) {
    constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t left = bytes.size() - i;
        const std::uint32_t three = (std::uint32_t{bytes[i]} << 16) |
                                    (left > 1 ? std::uint32_t{bytes[i + 1]} << 8 : 0) | (left > 2 ? bytes[i + 2] : 0u);
        for (std::size_t digit = 0; digit < 4; ++digit)
            out += digit <= left ? digits[(three >> (18 - 6 * digit)) & 63] : '=';
    }
    return out;
}

std::string words(std::string key) {
    for (char& letter : key)
        if (letter == '_') letter = ' ';
    return key;
}

std::string scalar_text(const Config& value) {
    if (value.is_string()) return value.string();
    if (value.is_boolean()) return value.boolean() ? "yes" : "no";
    if (value.is_integer()) return fmt::format("{}", value.integer());
    return fmt::format("{:.6g}", value.number());
}

/// A row for each value; those inside others carry the outer names.
void add_rows(std::string& html, const std::string& name, const Config& value) {
    if (value.is_object()) {
        for (const auto& [key, inner] : value.object()) add_rows(html, name.empty() ? key : name + ": " + key, inner);
        return;
    }
    std::string text;
    if (value.is_array()) {
        const Config::Array& items = value.array();
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (items[i].is_object() || items[i].is_array())
                add_rows(html, items.size() > 1 ? fmt::format("{} {}", name, i + 1) : name, items[i]);
            else
                text += (text.empty() ? "" : ", ") + scalar_text(items[i]);
        }
    } else {
        text = scalar_text(value);
    }
    if (!text.empty()) html += fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", escaped(words(name)), escaped(text));
}

std::string table(const char* title, const Config& values) {
    std::string html = fmt::format("<div><h2>{}</h2>\n<table>\n", title);
    add_rows(html, "", values);
    return html + "</table></div>\n";
}

std::string duration(double seconds) {
    if (seconds < 60) return fmt::format("{:.1f} s", seconds);
    const auto whole = static_cast<std::int64_t>(std::llround(seconds));
    if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
    return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

std::string headline(const Config& results, std::size_t epochs) {
    std::string html = "<div class=\"figures\">\n";
    const auto figure = [&](const char* name, const std::string& value) {
        html += fmt::format("<div><b>{}</b>{}</div>\n", value, name);
    };
    const auto with = [&](const char* key, const char* name, auto&& text) {
        if (results.has(key)) figure(name, text(results.at(key).number()));
    };
    with("test_accuracy", "test accuracy", [](double value) { return fmt::format("{:.2f} %", 100 * value); });
    with("test_loss", "test loss", [](double value) { return fmt::format("{:.4f}", value); });
    figure(epochs == 1 ? "epoch" : "epochs", fmt::format("{}", epochs));
    with("seconds", "in training steps", duration);
    with("images_per_second", "examples per second", [](double value) { return fmt::format("{:.0f}", value); });
    with("peak_memory_bytes", "peak memory", [](double value) { return megabytes(static_cast<std::size_t>(value)); });
    return html + "</div>\n";
}

std::string epoch_table(const History& history) {
    std::string html = "<h2>Epochs</h2>\n<div class=\"scroll\"><table class=\"numbers\">\n<tr><th>epoch</th>";
    for (const std::string& name : history.names()) html += fmt::format("<th>{}</th>", escaped(words(name)));
    html += "</tr>\n";
    for (std::size_t row = 0; row < history.epochs().size(); ++row) {
        html += fmt::format("<tr><td>{}</td>", history.epochs()[row] + 1);
        for (const auto& [name, value] : history.row(row))
            html += std::isfinite(value) ? fmt::format("<td>{:.4g}</td>", value) : "<td>-</td>";
        html += "</tr>\n";
    }
    return html + "</table></div>\n";
}

}  // namespace

std::string run_page(const Config& run, const History& history, const std::vector<PagePicture>& pictures) {
    const Config& settings = run.at("settings");
    const std::string title =
        escaped(fmt::format("{} on {}", settings.at("model").string(), settings.at("data").string()));
    std::string html = fmt::format(fmt::runtime(head), fmt::arg("title", title));
    html += fmt::format("<h1>{}</h1>\n<p class=\"quiet\">{}, started {}</p>\n", title,
                        escaped(run.at("status").string()), escaped(run.at("started").string()));
    html += headline(run.has("results") ? run.at("results") : Config(), history.epochs().size());
    for (const PagePicture& picture : pictures)
        html += fmt::format("<h2>{0}</h2>\n<img alt=\"{0}\" width=\"{1}\" src=\"data:image/png;base64,{2}\">\n",
                            escaped(picture.title), picture.width, base64(picture.png));
    html += epoch_table(history);
    html += "<div class=\"side\">\n" + table("Settings", settings) + table("Recipe", run.at("recipe")) +
            table("Versions", run.at("versions")) + "</div>\n";
    html += fmt::format("<h2>Model</h2>\n<pre>{}</pre>\n", escaped(run.at("summary").string()));
    return html + "</body>\n</html>\n";
}

}  // namespace heddle::cli
