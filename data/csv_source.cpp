#include <cmath>
#include <filesystem>

#include "core/check.h"
#include "data/detail/formats.h"
#include "data/files/csv.h"

namespace heddle::detail {
namespace {

std::int64_t label_column(const CsvTable& table, const std::string& wanted) {
    if (!wanted.empty()) return table.column(wanted);
    for (const char* usual : {"label", "class", "target"})
        for (std::size_t i = 0; i < table.names().size(); ++i)
            if (table.names()[i] == usual) return static_cast<std::int64_t>(i);
    return table.columns() - 1;
}

// Text is a class label; so are integers that take every value 0 .. n - 1 and repeat (ten rows per value on average).
bool is_class(const CsvTable& table, std::int64_t column) {
    if (!table.is_numeric(column)) return true;
    std::vector<bool> seen;
    for (std::int64_t row = 0; row < table.rows(); ++row) {
        const double value = table.number(row, column);
        if (value < 0 || value != std::floor(value) || value * 10 > static_cast<double>(table.rows())) return false;
        if (seen.size() <= static_cast<std::size_t>(value)) seen.resize(static_cast<std::size_t>(value) + 1);
        seen[static_cast<std::size_t>(value)] = true;
    }
    for (const bool used : seen)
        if (!used) return false;
    return seen.size() >= 2 && static_cast<std::int64_t>(seen.size()) * 10 <= table.rows();
}

// A column whose first field is text is no feature. One whose first field is a number must be numeric throughout: a
// damaged field is an error, not a reason to drop the feature.
bool is_feature(const CsvTable& table, std::int64_t column) {
    if (table.is_numeric(column)) return true;
    try {
        table.number(0, column);
    } catch (const Error&) {
        return false;
    }
    for (std::int64_t row = 1; row < table.rows(); ++row) table.number(row, column);
    return true;
}

}  // namespace

DataSource open_csv(const std::string& path, const SourceOptions& options) {
    CsvOptions csv;
    if (path.ends_with(".tsv")) csv.separator = '\t';
    const CsvTable table = read_csv(path, csv);
    const std::int64_t label = label_column(table, options.label_column);
    std::vector<std::int64_t> features;
    std::vector<std::string> left_out;
    for (std::int64_t column = 0; column < table.columns(); ++column) {
        if (column == label) continue;
        if (is_feature(table, column))
            features.push_back(column);
        else
            left_out.push_back(table.names()[static_cast<std::size_t>(column)]);
    }
    check(table.columns() > 1 || table.names()[0].find(';') == std::string::npos,
          "{}: its fields are separated by ';'; expected ',' (or tabs, in a .tsv file)", path);
    check(!features.empty(), "{}: no column of numbers besides the label \"{}\"{}", path,
          table.names()[static_cast<std::size_t>(label)],
          left_out.empty() ? "" : fmt::format(" (not numbers: {})", fmt::join(left_out, ", ")));
    check(table.rows() >= 2, "{}: one row cannot be split into a training and a test part", path);

    DataSource source{.name = std::filesystem::path(path).stem().string(), .kind = "csv", .path = path};
    const bool classes = is_class(table, label);
    Tensor target;
    if (classes)
        std::tie(target, source.class_names) = table.labels(label);
    else
        target = table.numbers({label});
    const TensorDataset all(table.numbers(features), target, source.class_names);
    std::tie(source.train, source.test) = all.split(options.test_fraction, options.seed);
    source.note = fmt::format("target: column \"{}\" ({}); {} of {} rows, shuffled with seed {}, are the test part",
                              table.names()[static_cast<std::size_t>(label)],
                              classes ? fmt::format("{} classes", source.class_names.size()) : "a number",
                              source.test.size(), all.size(), options.seed);
    if (!left_out.empty())
        source.note += fmt::format("; left out, as not all its fields are numbers: {}", fmt::join(left_out, ", "));
    return source;
}

}  // namespace heddle::detail
