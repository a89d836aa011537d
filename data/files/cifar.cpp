#include "data/files/cifar.h"

#include <algorithm>

#include "core/check.h"
#include "data/files/detail/bytes.h"

namespace heddle {
namespace {

constexpr std::int64_t side = 32, plane = side * side, channels = 3;

struct Format {
    std::int64_t label_bytes;  // before the pixels
    std::int64_t label_at;     // which of them is the class
    std::int64_t classes;
};

Format format_of(CifarKind kind) {
    if (kind == CifarKind::cifar10) return {1, 0, 10};
    if (kind == CifarKind::cifar100_coarse) return {2, 0, 20};
    return {2, 1, 100};
}

}  // namespace

CifarRecords load_cifar(const std::vector<std::string>& paths, CifarKind kind) {
    const Format format = format_of(kind);
    const std::int64_t record = format.label_bytes + plane * channels;
    std::int64_t total = 0;
    for (const std::string& path : paths) {
        const auto bytes = static_cast<std::int64_t>(InputFile(path).size());
        check(bytes > 0 && bytes % record == 0,
              "{}: has {} bytes, not a multiple of the {} of a CIFAR-{} record; it is truncated or of another format",
              path, bytes, record, format.label_bytes == 1 ? 10 : 100);
        total += bytes / record;
    }
    CifarRecords records{Tensor::empty(Shape{total, side, side, channels}, {.dtype = DType::u8}),
                         Tensor::empty(Shape{total}, {.dtype = DType::i64})};
    auto* pixel = records.pictures.data<std::uint8_t>();
    auto* label = records.labels.data<std::int64_t>();
    for (const std::string& path : paths) {
        const InputFile file(path);
        const auto count = static_cast<std::int64_t>(file.size()) / record;
        check(count * record == static_cast<std::int64_t>(file.size()) &&
                  count <= total - (label - records.labels.data<std::int64_t>()),
              "{}: changed while it was read", path);
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(file.size()));
        file.read(0, bytes.data(), bytes.size());
        for (std::int64_t i = 0; i < count; ++i) {
            const std::uint8_t* from = bytes.data() + i * record;
            *label = from[format.label_at];
            check(*label < format.classes, "{}: record {}: label {} (expected 0 .. {}); damaged, or of another format",
                  path, i, *label, format.classes - 1);
            ++label;
            from += format.label_bytes;
            for (std::int64_t p = 0; p < plane; ++p)
                for (std::int64_t c = 0; c < channels; ++c) *pixel++ = from[c * plane + p];
        }
    }
    return records;
}

std::vector<std::string> load_class_names(const std::string& path) {
    const std::vector<std::uint8_t> bytes = read_file(path, 1 << 20);
    std::vector<std::string> names(1);
    for (const std::uint8_t byte : bytes) {
        if (byte == '\n')
            names.emplace_back();
        else if (byte != '\r')
            names.back() += static_cast<char>(byte);
    }
    std::erase(names, "");
    return names;
}

}  // namespace heddle
