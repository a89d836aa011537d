#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace heddle {

struct CsvOptions {
    char separator = ',';
    /// automatic: the first row is a header where one of its fields is text above a column of numbers, or all are text.
    enum class Header { automatic, yes, no } header = Header::automatic;
};

/// A table of text fields. Quoted fields may hold separators, newlines and doubled quotes; a line may end in CR LF;
/// empty lines are skipped.
class HEDDLE_API CsvTable {
  public:
    std::int64_t rows() const { return columns_ == 0 ? 0 : static_cast<std::int64_t>(fields_.size()) / columns_; }
    std::int64_t columns() const { return columns_; }
    /// From the header, else "column 1", ...
    const std::vector<std::string>& names() const { return names_; }
    /// The index of a column; throws `Error` listing the names where there is none.
    std::int64_t column(std::string_view name) const;
    const std::string& text(std::int64_t row, std::int64_t column) const;
    /// Throws `Error` with file, line and column for a field that is not a finite number.
    double number(std::int64_t row, std::int64_t column) const;
    /// Whether every field of the column is a number.
    bool is_numeric(std::int64_t column) const;

    /// f32 [rows, columns.size()]: columns by index or by name, `numbers({0, 2})`, `numbers({"a", "b"})`.
    Tensor numbers(std::span<const std::int64_t> columns) const;
    Tensor numbers(std::initializer_list<std::int64_t> columns) const;
    Tensor numbers(const std::vector<std::string>& names) const;
    /// A column as i64 [rows] class labels and the class names: for a column of text the sorted distinct values, for
    /// integers 0 .. n - 1 their numbers.
    std::pair<Tensor, std::vector<std::string>> labels(std::int64_t column) const;

  private:
    friend HEDDLE_API CsvTable parse_csv(std::string_view, const std::string&, CsvOptions);
    std::string path_;
    std::int64_t columns_ = 0;
    std::vector<std::string> names_, fields_;
    std::vector<std::int64_t> lines_;  // of each row
};

/// Throws `Error` with line and column for rows of different lengths, an unclosed quote, text after a closing one.
HEDDLE_API CsvTable read_csv(const std::string& path, CsvOptions options = {});
/// `path` names the text in messages.
HEDDLE_API CsvTable parse_csv(std::string_view text, const std::string& path, CsvOptions options = {});

}  // namespace heddle
