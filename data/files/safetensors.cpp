#include "data/files/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/atomic_file.h"
#include "core/check.h"
#include "data/files/detail/bytes.h"

namespace heddle {
namespace {

using nlohmann::ordered_json;

constexpr std::uint64_t largest_header = 100'000'000;  // the format's own limit

struct TypeName {
    const char* name;
    DType dtype;
};
constexpr TypeName type_names[] = {{"F64", DType::f64},   {"F32", DType::f32},     {"F16", DType::f16},
                                   {"BF16", DType::bf16}, {"I64", DType::i64},     {"I32", DType::i32},
                                   {"U8", DType::u8},     {"BOOL", DType::boolean}};

struct Entry {
    std::string name;
    DType dtype;
    Shape shape;
    std::uint64_t begin, end;
};

struct Header {
    std::vector<Entry> entries;  // by position
    std::map<std::string, std::string> metadata;
    std::uint64_t data_start = 0;
};

// Refuses what nlohmann would accept in silence (a key twice) or recurse on (deep nesting).
ordered_json parse_header(const std::string& text, const std::string& path) {
    std::vector<std::set<std::string>> keys;
    std::string repeated;
    bool too_deep = false;
    const auto watch = [&](int depth, ordered_json::parse_event_t event, ordered_json& value) {
        using Event = ordered_json::parse_event_t;
        too_deep = too_deep || depth > 8;
        if (event == Event::object_start) keys.emplace_back();
        if (event == Event::object_end && !keys.empty()) keys.pop_back();
        if (event == Event::key && !keys.empty() && !keys.back().insert(value.get<std::string>()).second)
            repeated = value.get<std::string>();
        return true;
    };
    ordered_json json;
    try {
        json = ordered_json::parse(text, watch);
    } catch (const nlohmann::json::exception& error) {
        fail(fmt::format("{}: not a safetensors file, or damaged: its header is no JSON ({})", path, error.what()));
    }
    check(repeated.empty(), "{}: the safetensors header has \"{}\" twice", path, repeated);
    check(!too_deep && json.is_object(), "{}: the safetensors header is not an object of tensors", path);
    return json;
}

std::uint64_t size_value(const ordered_json& value, const std::string& place, const char* what) {
    check(value.is_number_unsigned(), "{}: {} is not a whole number of 0 or more", place, what);
    return value.get<std::uint64_t>();
}

Entry parse_entry(const std::string& name, const ordered_json& value, const std::string& path,
                  std::uint64_t data_bytes) {
    const std::string place = fmt::format("{}: tensor \"{}\"", path, name);
    check(value.is_object() && value.size() == 3 && value.contains("dtype") && value.contains("shape") &&
              value.contains("data_offsets"),
          "{}: expected an object of dtype, shape and data_offsets", place);
    check(value["dtype"].is_string(), "{}: dtype is not text", place);
    const std::string dtype = value["dtype"].get<std::string>();
    const auto* type = std::find_if(std::begin(type_names), std::end(type_names),
                                    [&](const TypeName& known) { return dtype == known.name; });
    check(type != std::end(type_names), "{}: dtype {} is not supported (F64, F32, F16, BF16, I64, I32, U8, BOOL)",
          place, dtype);
    const ordered_json& extents = value["shape"];
    check(extents.is_array() && extents.size() <= Shape::max_rank, "{}: shape is not a list of at most {} extents",
          place, Shape::max_rank);
    Entry entry{name, type->dtype, Shape{}, 0, 0};
    std::uint64_t bytes = size_of(type->dtype);
    bool empty = false;
    for (const ordered_json& extent : extents) {
        const std::uint64_t size = size_value(extent, place, "an extent");
        check(size <= INT64_MAX, "{}: declares an impossible size ({})", place, size);
        empty = empty || size == 0;
        if (size > 0) bytes = multiply_sizes(bytes, size, place);
        check(bytes <= INT64_MAX, "{}: declares an impossible size", place);
        entry.shape.push_back(static_cast<std::int64_t>(size));
    }
    if (empty) bytes = 0;
    const ordered_json& offsets = value["data_offsets"];
    check(offsets.is_array() && offsets.size() == 2, "{}: data_offsets is not a pair", place);
    entry.begin = size_value(offsets[0], place, "a data offset");
    entry.end = size_value(offsets[1], place, "a data offset");
    check(entry.begin <= entry.end && entry.end <= data_bytes,
          "{}: bytes {} .. {} lie outside the {} of the file; it is truncated or damaged", place, entry.begin,
          entry.end, data_bytes);
    check(entry.end - entry.begin == bytes, "{}: {} {} needs {} bytes, data_offsets give {}", place, dtype,
          entry.shape.to_string(), bytes, entry.end - entry.begin);
    return entry;
}

Header read_header(const InputFile& file) {
    const std::string& path = file.path();
    check(file.size() >= 8, "{}: not a safetensors file: it has {} bytes", path, file.size());
    std::uint64_t length = 0;  // little-endian, as this machine is
    file.read(0, &length, sizeof length);
    check(length <= largest_header && length <= file.size() - 8,
          "{}: not a safetensors file, or truncated: it declares a header of {} bytes and has {}", path, length,
          file.size());
    std::string text(static_cast<std::size_t>(length), '\0');
    file.read(8, text.data(), text.size());
    check(!text.empty() && text[0] == '{', "{}: not a safetensors file: its header does not begin with {{", path);
    const ordered_json json = parse_header(text, path);

    Header header;
    header.data_start = 8 + length;
    const std::uint64_t data_bytes = file.size() - header.data_start;
    for (const auto& [name, value] : json.items()) {
        if (name != "__metadata__") {
            header.entries.push_back(parse_entry(name, value, path, data_bytes));
            continue;
        }
        check(value.is_object(), "{}: __metadata__ is not an object of texts", path);
        for (const auto& [key, text_value] : value.items()) {
            check(text_value.is_string(), "{}: metadata \"{}\" is not text", path, key);
            header.metadata[key] = text_value.get<std::string>();
        }
    }
    std::stable_sort(header.entries.begin(), header.entries.end(), [](const Entry& a, const Entry& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t next = 0;
    for (const Entry& entry : header.entries) {
        check(entry.begin == next, "{}: tensor \"{}\" begins at byte {} where {} is expected: ranges {}", path,
              entry.name, entry.begin, next, entry.begin < next ? "overlap" : "leave a hole");
        next = entry.end;
    }
    check(next == data_bytes, "{}: {} bytes after the last tensor", path, data_bytes - next);
    return header;
}

// JSON must be UTF-8; names come from programs, so what is not is an error of the caller.
std::string dump(const ordered_json& json, const std::string& path) {
    try {
        return json.dump();
    } catch (const nlohmann::json::exception& error) {
        fail(fmt::format("{}: a tensor name or metadata is not UTF-8 ({})", path, error.what()));
    }
}

}  // namespace

bool SafetensorsFile::has(const std::string& name) const {
    return std::any_of(tensors.begin(), tensors.end(), [&](const auto& entry) { return entry.first == name; });
}

const Tensor& SafetensorsFile::at(const std::string& name) const {
    for (const auto& [key, tensor] : tensors)
        if (key == name) return tensor;
    fail(fmt::format("safetensors: no tensor \"{}\" among {}", name, tensors.size()));
}

SafetensorsFile load_safetensors(const std::string& path) {
    const InputFile file(path);
    Header header = read_header(file);
    SafetensorsFile result;
    result.metadata = std::move(header.metadata);
    for (const Entry& entry : header.entries) {
        Tensor tensor = Tensor::empty(entry.shape, {.dtype = entry.dtype});
        file.read(header.data_start + entry.begin, tensor.raw(), tensor.bytes());
        if (entry.dtype == DType::boolean) {
            const auto* values = static_cast<const std::uint8_t*>(tensor.raw());
            check(std::all_of(values, values + tensor.bytes(), [](std::uint8_t value) { return value <= 1; }),
                  "{}: tensor \"{}\": a BOOL that is neither 0 nor 1", path, entry.name);
        }
        result.tensors.emplace_back(entry.name, std::move(tensor));
    }
    return result;
}

std::map<std::string, std::string> load_safetensors_metadata(const std::string& path) {
    return read_header(InputFile(path)).metadata;
}

void save_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata) {
    ordered_json json = ordered_json::object();
    if (!metadata.empty()) json["__metadata__"] = metadata;
    for (const auto& [name, tensor] : tensors) check(tensor.defined(), "{}: tensor \"{}\" is undefined", path, name);
    // Widest types first keeps every tensor aligned to its type, which readers that map the file rely on.
    std::vector<std::size_t> order(tensors.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return size_of(tensors[a].second.dtype()) > size_of(tensors[b].second.dtype());
    });
    std::uint64_t position = 0;
    std::set<std::string> names;
    for (const std::size_t i : order) {
        const auto& [name, tensor] = tensors[i];
        check(name != "__metadata__" && names.insert(name).second, "{}: two tensors are named \"{}\"", path, name);
        std::vector<std::int64_t> extents(tensor.shape().begin(), tensor.shape().end());
        const auto* type = std::find_if(std::begin(type_names), std::end(type_names),
                                        [&](const TypeName& known) { return known.dtype == tensor.dtype(); });
        json[name] = {
            {"dtype", type->name}, {"shape", extents}, {"data_offsets", {position, position + tensor.bytes()}}};
        position += tensor.bytes();
    }
    std::string header = dump(json, path);
    header.resize((header.size() + 7) / 8 * 8, ' ');
    AtomicFile file(path);
    const std::uint64_t length = header.size();
    file.write(&length, sizeof length);
    file.write(header);
    for (const std::size_t i : order) {
        const Tensor host = tensors[i].second.to(Device::cpu());
        file.write(host.raw(), host.bytes());
    }
    file.commit();
}

}  // namespace heddle
