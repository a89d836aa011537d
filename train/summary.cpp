#include <algorithm>
#include <array>
#include <set>

#include "core/check.h"
#include "train/detail/state.h"

namespace heddle {
namespace {

struct Row {
    std::string layer, shape, parameters;
};

std::string grouped(std::int64_t number) {
    std::string digits = fmt::format("{}", number);
    for (std::ptrdiff_t place = static_cast<std::ptrdiff_t>(digits.size()) - 3; place > 0; place -= 3)
        digits.insert(static_cast<std::size_t>(place), 1, ',');
    return digits;
}

std::string size_text(std::int64_t bytes) {
    if (bytes < 1024) return fmt::format("{} B", bytes);
    if (bytes < 1024 * 1024) return fmt::format("{:.2f} KiB", static_cast<double>(bytes) / 1024);
    return fmt::format("{:.2f} MiB", static_cast<double>(bytes) / (1024 * 1024));
}

/// With N for the batch.
std::string shape_text(const Shape& shape) {
    std::string text = "[N";
    for (const std::int64_t extent : shape) text += fmt::format(", {}", extent);
    return text + "]";
}

std::string output_text(const Layer& layer) {
    if (!layer->built()) return "?";
    std::vector<std::string> shapes;
    for (const Shape& shape : layer->output_shapes(layer->built_for())) shapes.push_back(shape_text(shape));
    return fmt::format("{}", fmt::join(shapes, ", "));
}

void add_rows(const Layer& layer, const std::string& name, std::size_t depth, std::set<const LayerImpl*>& seen,
              std::vector<Row>& rows) {
    const bool shared = !seen.insert(&layer.impl()).second;
    const bool leaf = layer->children().empty();
    Row row{fmt::format("{:{}}{} ({})", "", 2 * depth, name, layer->class_name()), output_text(layer), ""};
    if (shared)
        row.parameters = "shared";
    else if (leaf || !layer->own_parameters().empty() || !layer->own_buffers().empty()) {
        std::int64_t count = 0;
        for (const auto& [key, tensor] : layer->own_parameters()) count += tensor.elements();
        for (const auto& [key, tensor] : layer->own_buffers()) count += tensor.elements();
        row.parameters = grouped(count);
    }
    rows.push_back(row);
    if (shared) return;
    for (const auto& [key, child] : layer->children()) add_rows(child, key, depth + 1, seen, rows);
}

}  // namespace

std::string Model::summary() const {
    check(!input_shapes().empty(), "summary: the model is not built: call it, or build(input shape) first");
    std::vector<Row> rows{{"Layer", "Output shape", "Parameters"}};
    std::set<const LayerImpl*> seen;
    for (const auto& [name, child] : impl().children()) add_rows(child, name, 0, seen, rows);
    if (impl().children().empty()) add_rows(*this, "0", 0, seen, rows);

    std::array<std::size_t, 3> width{};
    for (const Row& row : rows) {
        width[0] = std::max(width[0], row.layer.size());
        width[1] = std::max(width[1], row.shape.size());
        width[2] = std::max(width[2], row.parameters.size());
    }
    const std::string line = fmt::format("{:->{}}\n", "", width[0] + width[1] + width[2] + 4);
    const std::string& title = impl().name();
    std::string text = fmt::format("{}{}\n", impl().class_name(), title.empty() ? "" : fmt::format(" \"{}\"", title));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (i < 2) text += line;
        text += fmt::format("{:<{}}  {:<{}}  {:>{}}\n", rows[i].layer, width[0], rows[i].shape, width[1],
                            rows[i].parameters, width[2]);
    }
    std::int64_t trained = 0, fixed = 0, bytes = 0;
    const auto count = [&](const Tensor& tensor) {
        (tensor.requires_grad() ? trained : fixed) += tensor.elements();
        bytes += static_cast<std::int64_t>(tensor.bytes());
    };
    for (const auto& [name, tensor] : detail::unique_parameters(*this)) count(tensor);
    for (const auto& [name, tensor] : buffers()) count(tensor);
    text += line;
    text += fmt::format("Parameters: {} ({}), of which trainable: {}, not trainable: {}\n", grouped(trained + fixed),
                        size_text(bytes), grouped(trained), grouped(fixed));
    return text;
}

}  // namespace heddle
