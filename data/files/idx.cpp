#include "data/files/idx.h"

#include <cstring>
#include <span>

#include "core/check.h"
#include "data/files/detail/bytes.h"

namespace heddle {
namespace {

// Big-endian words of the file become this machine's.
template <class Word>
void copy_swapped(const std::uint8_t* from, void* to, std::int64_t count) {
    auto* out = static_cast<std::uint8_t*>(to);
    for (std::int64_t i = 0; i < count; ++i) {
        Word word;
        std::memcpy(&word, from + i * static_cast<std::int64_t>(sizeof word), sizeof word);
        word = sizeof word == 4 ? static_cast<Word>(__builtin_bswap32(static_cast<std::uint32_t>(word)))
                                : static_cast<Word>(__builtin_bswap64(word));
        std::memcpy(out + i * static_cast<std::int64_t>(sizeof word), &word, sizeof word);
    }
}

DType parse_type(std::uint8_t code, const std::string& path) {
    switch (code) {
        case 0x08:
            return DType::u8;
        case 0x0C:
            return DType::i32;
        case 0x0D:
            return DType::f32;
        case 0x0E:
            return DType::f64;
        default:
            fail(fmt::format("{}: IDX type 0x{:02x} is not supported (0x08 u8, 0x0c i32, 0x0d f32, 0x0e f64)", path,
                             code));
    }
}

}  // namespace

Tensor load_idx(const std::string& path) {
    const std::vector<std::uint8_t> bytes = read_maybe_gzip(path);
    check(bytes.size() >= 4 && bytes[0] == 0 && bytes[1] == 0, "{}: not an IDX file", path);
    const DType dtype = parse_type(bytes[2], path);
    const std::size_t rank = bytes[3];
    check(rank >= 1 && rank <= Shape::max_rank, "{}: an IDX file of rank {} (expected 1 .. {})", path, rank,
          Shape::max_rank);
    const std::size_t start = 4 + 4 * rank;
    check(bytes.size() >= start, "{}: truncated IDX header: {} bytes where {} are needed", path, bytes.size(), start);
    Shape shape;
    std::uint64_t wanted = size_of(dtype);
    bool empty = false;
    for (std::size_t axis = 0; axis < rank; ++axis) {
        std::uint32_t extent;
        std::memcpy(&extent, &bytes[4 + 4 * axis], sizeof extent);
        extent = __builtin_bswap32(extent);
        shape.push_back(extent);
        empty = empty || extent == 0;
        if (extent > 0) wanted = multiply_sizes(wanted, extent, path);
    }
    if (empty) wanted = 0;
    check(wanted == bytes.size() - start, "{}: IDX {} {} needs {} bytes after the header, the file holds {}", path,
          to_string(dtype), shape.to_string(), wanted, bytes.size() - start);
    Tensor tensor = Tensor::empty(shape, {.dtype = dtype});
    const std::uint8_t* data = bytes.data() + start;
    if (size_of(dtype) == 1 && wanted > 0) std::memcpy(tensor.raw(), data, tensor.bytes());
    if (size_of(dtype) == 4) copy_swapped<std::uint32_t>(data, tensor.raw(), tensor.elements());
    if (size_of(dtype) == 8) copy_swapped<std::uint64_t>(data, tensor.raw(), tensor.elements());
    return tensor;
}

}  // namespace heddle
