#include "data/files/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>
#include <string_view>

#include "core/atomic_file.h"
#include "core/check.h"
#include "data/files/detail/bytes.h"
#include "data/files/detail/zip.h"

namespace heddle {
namespace {

struct TypeName {
    const char* name;
    DType dtype;
};
constexpr TypeName type_names[] = {{"<f8", DType::f64},    {"<f4", DType::f32}, {"<f2", DType::f16},
                                   {"<i8", DType::i64},    {"<i4", DType::i32}, {"|u1", DType::u8},
                                   {"|b1", DType::boolean}};

struct Layout {
    DType dtype = DType::f32;
    Shape shape;
};

// The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
  public:
    HeaderParser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

    Layout parse() {
        Layout layout;
        bool descr = false, order = false, shape = false;
        expect('{');
        while (!accept('}')) {
            const std::string_view key = quoted();
            expect(':');
            if (key == "descr" && !descr) {
                descr = true;
                layout.dtype = dtype();
            } else if (key == "fortran_order" && !order) {
                order = true;
                check(!accept_word("True"),
                      "{}: holds an array in Fortran order; save it with numpy.ascontiguousarray(a)", path_);
                if (!accept_word("False")) damaged("True or False");
            } else if (key == "shape" && !shape) {
                shape = true;
                layout.shape = extents();
            } else {
                damaged("descr, fortran_order and shape, each once");
            }
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        skip_space();
        if (next_ != text_.size() || !descr || !order || !shape)
            damaged("descr, fortran_order and shape, then nothing");
        return layout;
    }

  private:
    [[noreturn]] void damaged(std::string_view expected) const {
        fail(fmt::format("{}: damaged .npy header at character {}: expected {}", path_, next_, expected));
    }
    void skip_space() {
        while (next_ < text_.size() && (text_[next_] == ' ' || text_[next_] == '\n')) ++next_;
    }
    bool accept(char wanted) {
        skip_space();
        if (next_ >= text_.size() || text_[next_] != wanted) return false;
        ++next_;
        return true;
    }
    void expect(char wanted) {
        if (!accept(wanted)) damaged(std::string_view(&wanted, 1));
    }
    bool accept_word(std::string_view word) {
        skip_space();
        if (!text_.substr(next_).starts_with(word)) return false;
        next_ += word.size();
        return true;
    }
    std::string_view quoted() {
        const char quote = accept('"') ? '"' : '\'';
        if (quote == '\'') expect('\'');
        const std::size_t end = text_.find(quote, next_);
        if (end == std::string_view::npos) damaged("a closing quote");
        const std::string_view result = text_.substr(next_, end - next_);
        next_ = end + 1;
        return result;
    }
    DType dtype() {
        skip_space();
        if (next_ < text_.size() && text_[next_] == '[')
            fail(fmt::format("{}: holds a structured array; save each field as an array of its own", path_));
        const std::string_view name = quoted();
        for (const TypeName& type : type_names)
            if (name == type.name || (type.name[0] == '|' && name.size() == 3 && name.substr(1) == type.name + 1))
                return type.dtype;
        fail(fmt::format("{}: dtype \"{}\" is not supported (<f8 <f4 <f2 <i8 <i4 |u1 |b1); convert it with astype",
                         path_, name));
    }
    Shape extents() {
        Shape shape;
        expect('(');
        while (!accept(')')) {
            skip_space();
            std::int64_t extent = 0;
            const char* first = text_.data() + next_;
            const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), extent);
            if (error != std::errc() || extent < 0) damaged("an extent");
            next_ += static_cast<std::size_t>(end - first);
            check(shape.rank() < Shape::max_rank, "{}: has more than {} dimensions", path_, Shape::max_rank);
            shape.push_back(extent);
            if (!accept(',')) {
                expect(')');
                break;
            }
        }
        return shape;
    }

    std::string_view text_;
    const std::string& path_;
    std::size_t next_ = 0;
};

struct Preamble {
    std::size_t prefix = 0;  // bytes before the header
    std::size_t header = 0;
};

// `start`: the first 12 bytes, or what there is.
Preamble parse_preamble(std::span<const std::uint8_t> start, std::uint64_t file_bytes, const std::string& path) {
    check(start.size() >= 10 && std::memcmp(start.data(), "\x93NUMPY", 6) == 0, "{}: not a .npy file", path);
    const int version = start[6];
    check(version >= 1 && version <= 3 && start[7] == 0, "{}: .npy version {}.{} is not known", path, version,
          start[7]);
    Preamble preamble;
    preamble.prefix = version == 1 ? 10 : 12;
    check(start.size() >= preamble.prefix, "{}: truncated .npy header", path);
    preamble.header = static_cast<std::size_t>(start[8]) | static_cast<std::size_t>(start[9]) << 8;
    if (version > 1)
        preamble.header |= static_cast<std::size_t>(start[10]) << 16 | static_cast<std::size_t>(start[11]) << 24;
    check(preamble.header <= file_bytes - preamble.prefix && preamble.header <= (1 << 20),
          "{}: truncated .npy file: it declares a header of {} bytes", path, preamble.header);
    return preamble;
}

// Checks the declared shape against the bytes that are there.
void check_size(const Layout& layout, std::uint64_t bytes, const std::string& path) {
    std::uint64_t wanted = size_of(layout.dtype);
    bool empty = false;
    for (const std::int64_t extent : layout.shape) {
        empty = empty || extent == 0;
        if (extent > 0) wanted = multiply_sizes(wanted, static_cast<std::uint64_t>(extent), path);
    }
    if (empty) wanted = 0;
    check(wanted == bytes, "{}: {} {} needs {} bytes, the file holds {}", path, to_string(layout.dtype),
          layout.shape.to_string(), wanted, bytes);
}

void check_booleans(const Tensor& tensor, const std::string& path) {
    if (tensor.dtype() != DType::boolean) return;
    const auto* values = static_cast<const std::uint8_t*>(tensor.raw());
    check(std::all_of(values, values + tensor.bytes(), [](std::uint8_t value) { return value <= 1; }),
          "{}: a boolean that is neither 0 nor 1", path);
}

Tensor parse_npy(std::span<const std::uint8_t> bytes, const std::string& path) {
    const Preamble preamble = parse_preamble(bytes.first(std::min<std::size_t>(bytes.size(), 12)), bytes.size(), path);
    const std::size_t start = preamble.prefix + preamble.header;
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + preamble.prefix, preamble.header);
    const Layout layout = HeaderParser(text, path).parse();
    check_size(layout, bytes.size() - start, path);
    Tensor tensor = Tensor::empty(layout.shape, {.dtype = layout.dtype});
    if (tensor.bytes() > 0) std::memcpy(tensor.raw(), bytes.data() + start, tensor.bytes());
    check_booleans(tensor, path);
    return tensor;
}

std::string npy_header(const Tensor& tensor, const std::string& path) {
    check(tensor.defined(), "{}: the tensor is undefined", path);
    const auto* type = std::find_if(std::begin(type_names), std::end(type_names),
                                    [&](const TypeName& known) { return known.dtype == tensor.dtype(); });
    check(type != std::end(type_names), "{}: numpy has no type {}; convert the tensor first", path,
          to_string(tensor.dtype()));
    std::string extents;
    for (const std::int64_t extent : tensor.shape()) extents += fmt::format("{}, ", extent);
    if (tensor.rank() > 1) extents.resize(extents.size() - 2);
    if (tensor.rank() == 1) extents.resize(extents.size() - 1);
    std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type->name, extents);
    text.resize((text.size() + 11 + 63) / 64 * 64 - 11, ' ');  // the data begins at a multiple of 64
    text += '\n';
    std::string header("\x93NUMPY\x01\x00", 8);
    header += static_cast<char>(text.size() & 0xFF);
    header += static_cast<char>(text.size() >> 8);
    return header + text;
}

}  // namespace

Tensor load_npy(const std::string& path) {
    const InputFile file(path);
    std::uint8_t start[12] = {};
    const std::size_t head = static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), sizeof start));
    file.read(0, start, head);
    const Preamble preamble = parse_preamble(std::span(start, head), file.size(), path);
    std::string text(preamble.header, '\0');
    file.read(preamble.prefix, text.data(), text.size());
    const Layout layout = HeaderParser(text, path).parse();
    const std::uint64_t data = preamble.prefix + preamble.header;
    check_size(layout, file.size() - data, path);
    Tensor tensor = Tensor::empty(layout.shape, {.dtype = layout.dtype});
    file.read(data, tensor.raw(), tensor.bytes());
    check_booleans(tensor, path);
    return tensor;
}

void save_npy(const std::string& path, const Tensor& tensor) {
    const std::string header = npy_header(tensor, path);
    const Tensor host = tensor.to(Device::cpu());
    AtomicFile file(path);
    file.write(header);
    file.write(host.raw(), host.bytes());
    file.commit();
}

std::vector<std::pair<std::string, Tensor>> load_npz(const std::string& path) {
    const ZipReader zip(path);
    std::vector<std::pair<std::string, Tensor>> arrays;
    for (std::size_t i = 0; i < zip.entries().size(); ++i) {
        std::string name = zip.entries()[i].name;
        const std::string place = fmt::format("{}: {}", path, name);
        if (name.ends_with(".npy")) name.resize(name.size() - 4);
        arrays.emplace_back(std::move(name), parse_npy(zip.read(i), place));
    }
    return arrays;
}

void save_npz(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& arrays) {
    ZipWriter zip(path);
    for (const auto& [name, tensor] : arrays) {
        const std::string header = npy_header(tensor, fmt::format("{}: {}", path, name));
        const Tensor host = tensor.to(Device::cpu());
        zip.add(name + ".npy", header, std::string_view(static_cast<const char*>(host.raw()), host.bytes()));
    }
    zip.commit();
}

}  // namespace heddle
