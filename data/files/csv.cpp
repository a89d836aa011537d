#include "data/files/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "core/check.h"
#include "data/files/detail/bytes.h"

namespace heddle {
namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

std::optional<double> parse_number(std::string_view field) {
    std::string_view text = trimmed(field);
    if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.empty() || !std::isfinite(value))
        return std::nullopt;
    return value;
}

struct Row {
    std::int64_t line = 0;
    std::vector<std::string> fields;
};

// Reads one row after another; counts lines inside quotes too.
class Reader {
  public:
    Reader(std::string_view text, const std::string& path, char separator)
        : text_(text), path_(path), separator_(separator) {
        if (text_.starts_with("\xEF\xBB\xBF")) next_ = 3;  // a byte order mark
    }

    bool read(Row& row) {
        while (next_ < text_.size() && (text_[next_] == '\n' || text_.substr(next_, 2) == "\r\n")) end_line();
        if (next_ >= text_.size()) return false;
        row.line = line_;
        row.fields.clear();
        for (;;) {
            row.fields.push_back(field(row));
            if (next_ < text_.size() && text_[next_] == separator_) {
                ++next_;
                continue;
            }
            if (next_ < text_.size()) end_line();
            return true;
        }
    }

  private:
    bool at_end() const {
        return next_ >= text_.size() || text_[next_] == separator_ || text_[next_] == '\n' ||
               text_.substr(next_, 2) == "\r\n";
    }
    void end_line() {
        next_ += text_[next_] == '\r' ? 2 : 1;
        ++line_;
    }
    std::string field(const Row& row) {
        std::string value;
        if (next_ >= text_.size() || text_[next_] != '"') {
            const std::size_t start = next_;
            while (!at_end()) ++next_;
            return std::string(text_.substr(start, next_ - start));
        }
        ++next_;
        for (;; ++next_) {
            check(next_ < text_.size(), "{}:{}: column {}: the quote is not closed", path_, row.line,
                  row.fields.size() + 1);
            if (text_[next_] == '"') {
                ++next_;
                if (next_ >= text_.size() || text_[next_] != '"') break;
            } else if (text_[next_] == '\n') {
                ++line_;
            }
            value += text_[next_];
        }
        check(at_end(), "{}:{}: column {}: text after the closing quote", path_, line_, row.fields.size() + 1);
        return value;
    }

    std::string_view text_;
    const std::string& path_;
    char separator_;
    std::size_t next_ = 0;
    std::int64_t line_ = 1;
};

bool looks_like_header(const std::vector<std::string>& first, const std::vector<std::string>* second) {
    bool all_text = true;
    for (std::size_t i = 0; i < first.size(); ++i) {
        const bool text = !parse_number(first[i]);
        all_text = all_text && text;
        if (text && second && parse_number((*second)[i])) return true;
    }
    return all_text && second;
}

}  // namespace

std::int64_t CsvTable::column(std::string_view name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    check(found != names_.end(), "{}: no column \"{}\" among {}", path_, name, fmt::join(names_, ", "));
    return found - names_.begin();
}

const std::string& CsvTable::text(std::int64_t row, std::int64_t column) const {
    check(row >= 0 && row < rows() && column >= 0 && column < columns_, "{}: no field at row {}, column {}", path_, row,
          column);
    return fields_[static_cast<std::size_t>(row * columns_ + column)];
}

double CsvTable::number(std::int64_t row, std::int64_t column) const {
    const std::string& field = text(row, column);
    const std::optional<double> value = parse_number(field);
    check(value.has_value(), "{}:{}: column \"{}\": expected a number, got \"{}\"", path_,
          lines_[static_cast<std::size_t>(row)], names_[static_cast<std::size_t>(column)], field.substr(0, 80));
    return *value;
}

bool CsvTable::is_numeric(std::int64_t column) const {
    for (std::int64_t row = 0; row < rows(); ++row)
        if (!parse_number(text(row, column))) return false;
    return rows() > 0;
}

Tensor CsvTable::numbers(std::span<const std::int64_t> columns) const {
    const auto width = static_cast<std::int64_t>(columns.size());
    std::vector<float> values(static_cast<std::size_t>(rows() * width));
    auto next = values.begin();
    for (std::int64_t row = 0; row < rows(); ++row)
        for (const std::int64_t column : columns) *next++ = static_cast<float>(number(row, column));
    return Tensor::from(values, Shape{rows(), width});
}

Tensor CsvTable::numbers(std::initializer_list<std::int64_t> columns) const {
    return numbers(std::span(columns.begin(), columns.size()));
}

Tensor CsvTable::numbers(const std::vector<std::string>& names) const {
    std::vector<std::int64_t> columns;
    for (const std::string& name : names) columns.push_back(column(name));
    return numbers(columns);
}

std::pair<Tensor, std::vector<std::string>> CsvTable::labels(std::int64_t column) const {
    std::vector<std::int64_t> labels(static_cast<std::size_t>(rows()));
    std::vector<std::string> names;
    if (is_numeric(column)) {
        std::int64_t classes = 0;
        for (std::int64_t row = 0; row < rows(); ++row) {
            const double value = number(row, column);
            check(value >= 0 && value == std::floor(value) && value < 1e6,
                  "{}:{}: column \"{}\": expected a class number 0 .. 999999, got {}", path_,
                  lines_[static_cast<std::size_t>(row)], names_[static_cast<std::size_t>(column)], value);
            labels[static_cast<std::size_t>(row)] = static_cast<std::int64_t>(value);
            classes = std::max(classes, static_cast<std::int64_t>(value) + 1);
        }
        for (std::int64_t i = 0; i < classes; ++i) names.push_back(fmt::format("{}", i));
    } else {
        std::map<std::string, std::int64_t> numbers;
        for (std::int64_t row = 0; row < rows(); ++row) numbers[text(row, column)] = 0;
        for (auto& [name, number] : numbers) {
            number = static_cast<std::int64_t>(names.size());
            names.push_back(name);
        }
        for (std::int64_t row = 0; row < rows(); ++row)
            labels[static_cast<std::size_t>(row)] = numbers.at(text(row, column));
    }
    return {Tensor::from(labels, Shape{rows()}), names};
}

CsvTable parse_csv(std::string_view text, const std::string& path, CsvOptions options) {
    CsvTable table;
    table.path_ = path;
    Reader reader(text, path, options.separator);
    std::vector<Row> head;  // the header is decided on the first two rows
    for (Row row; head.size() < 2 && reader.read(row);) head.push_back(row);
    check(!head.empty(), "{}: the file is empty", path);
    table.columns_ = static_cast<std::int64_t>(head[0].fields.size());

    const auto add = [&](Row& row) {
        check(static_cast<std::int64_t>(row.fields.size()) == table.columns_,
              "{}:{}: expected {} columns as in the first row, got {}", path, row.line, table.columns_,
              row.fields.size());
        table.lines_.push_back(row.line);
        for (std::string& field : row.fields) table.fields_.push_back(std::move(field));
    };
    bool header = options.header == CsvOptions::Header::yes;
    if (options.header == CsvOptions::Header::automatic) {
        const bool even = head.size() == 2 && head[1].fields.size() == head[0].fields.size();
        header = looks_like_header(head[0].fields, even ? &head[1].fields : nullptr);
    }
    if (header) {
        for (const std::string& name : head[0].fields) table.names_.emplace_back(trimmed(name));
    } else {
        for (std::int64_t i = 1; i <= table.columns_; ++i) table.names_.push_back(fmt::format("column {}", i));
        add(head[0]);
    }
    if (head.size() == 2) add(head[1]);
    for (Row row; reader.read(row);) add(row);
    check(table.rows() > 0, "{}: has a header and no rows", path);
    return table;
}

CsvTable read_csv(const std::string& path, CsvOptions options) {
    const std::vector<std::uint8_t> bytes = read_maybe_gzip(path);
    return parse_csv(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), path, options);
}

}  // namespace heddle
