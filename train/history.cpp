#include "train/history.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <ostream>

#include "core/check.h"
#include "data/files/csv.h"

namespace heddle {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double Result::at(std::string_view name) const {
    for (const Entry& entry : entries_)
        if (entry.first == name) return entry.second;
    std::vector<std::string> names;
    for (const Entry& entry : entries_) names.push_back(entry.first);
    fail(fmt::format("no result \"{}\"; there are: {}", name, fmt::join(names, ", ")));
}

bool Result::has(std::string_view name) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.first == name; });
}

void Result::set(std::string_view name, double value) {
    for (Entry& entry : entries_)
        if (entry.first == name) {
            entry.second = value;
            return;
        }
    entries_.emplace_back(name, value);
}

std::string Result::to_string() const {
    std::string text;
    for (const auto& [name, value] : entries_)
        text += fmt::format("{}{} {:.4g}", text.empty() ? "" : ", ", name, value);
    return text;
}

std::ostream& operator<<(std::ostream& out, const Result& result) { return out << result.to_string(); }

void History::add(std::int64_t epoch, const Result& row) {
    for (const auto& [name, value] : row)
        if (!has(name)) {
            names_.push_back(name);
            series_.emplace_back(epochs_.size(), missing);
        }
    epochs_.push_back(epoch);
    for (std::size_t i = 0; i < names_.size(); ++i)
        series_[i].push_back(row.has(names_[i]) ? row.at(names_[i]) : missing);
}

const std::vector<double>& History::at(std::string_view name) const {
    const auto place = std::find(names_.begin(), names_.end(), name);
    check(place != names_.end(), "no history of \"{}\"; there are: {}", name, fmt::join(names_, ", "));
    return series_[static_cast<std::size_t>(place - names_.begin())];
}

bool History::has(std::string_view name) const { return std::find(names_.begin(), names_.end(), name) != names_.end(); }

Result History::row(std::size_t index) const {
    check(index < epochs_.size(), "no row {} in a history of {} epochs", index, epochs_.size());
    Result row;
    for (std::size_t i = 0; i < names_.size(); ++i) row.set(names_[i], series_[i][index]);
    return row;
}

std::string History::to_csv() const {
    std::string text = "epoch";
    for (const std::string& name : names_) text += "," + name;
    text += "\n";
    for (std::size_t row = 0; row < epochs_.size(); ++row) {
        text += fmt::format("{}", epochs_[row]);
        for (const std::vector<double>& values : series_) text += fmt::format(",{}", values[row]);
        text += "\n";
    }
    return text;
}

void History::write_csv(const std::string& path) const {
    std::ofstream file(path, std::ios::binary);
    file << to_csv();
    file.close();
    check(file.good(), "cannot write {}", path);
}

History History::from_csv(std::string_view text, const std::string& path) {
    const CsvTable table = parse_csv(text, path, {.header = CsvOptions::Header::yes});
    check(!table.names().empty() && table.names().front() == "epoch",
          "{}: no history: its first column is not \"epoch\"", path);
    const auto number = [&](std::int64_t row, std::int64_t column, auto value) {
        const std::string& field = table.text(row, column);
        const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
        check(error == std::errc() && end == field.data() + field.size(), "{}: row {}, column {}: \"{}\" is no number",
              path, row + 1, column + 1, field);
        return value;
    };
    History history;
    for (std::int64_t row = 0; row < table.rows(); ++row) {
        Result values;
        for (std::int64_t column = 1; column < table.columns(); ++column)
            values.set(table.names()[static_cast<std::size_t>(column)], number(row, column, 0.0));
        history.add(number(row, 0, std::int64_t{0}), values);
    }
    return history;
}

}  // namespace heddle
