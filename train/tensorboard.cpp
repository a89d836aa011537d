#include "train/tensorboard.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <vector>

#include "core/check.h"

namespace heddle {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78u : 0);
        table[byte] = crc;
    }
    return table;
}();

/// TFRecord's masking, against checksums of data that holds checksums.
std::uint32_t masked_crc(std::string_view bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

template <class T>
std::string little_endian(T value) {
    std::string bytes(sizeof(T), '\0');
    for (std::size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<char>((value >> (8 * i)) & 0xFF);
    return bytes;
}

// Protocol buffers: a field is its number and wire type as a varint, then the value.
enum WireType { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string varint_bytes(std::uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>((value & 0x7F) | 0x80));
    out.push_back(static_cast<char>(value));
    return out;
}

std::string field(int number, WireType type, std::string_view value) {
    std::string out = varint_bytes(static_cast<std::uint64_t>((number << 3) | type));
    if (type == WireType::bytes) out += varint_bytes(value.size());
    return out.append(value);
}

std::string double_bytes(double value) { return little_endian(std::bit_cast<std::uint64_t>(value)); }
std::string double_field(int number, double value) { return field(number, fixed64, double_bytes(value)); }
std::string integer_field(int number, std::int64_t value) {
    return field(number, varint, varint_bytes(static_cast<std::uint64_t>(value)));
}
std::string packed_field(int number, const std::vector<double>& values) {
    std::string all;
    for (const double value : values) all += double_bytes(value);
    return field(number, WireType::bytes, all);
}

std::string time_field(double wall_time) { return double_field(1, wall_time); }

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string host_name() {
    std::array<char, 256> name{};
    if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
    return name.data();
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc) {
    crc = ~crc;
    for (const char byte : bytes) crc = crc_table[(crc ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

struct EventWriter::File {
    std::FILE* stream = nullptr;
    ~File() {
        if (stream) std::fclose(stream);
    }
    void record(const std::string& path, const std::string& event) const {
        const std::string length = little_endian(std::uint64_t{event.size()});
        const std::string all = length + little_endian(masked_crc(length)) + event + little_endian(masked_crc(event));
        check(std::fwrite(all.data(), 1, all.size(), stream) == all.size(), "cannot write {}", path);
    }
};

EventWriter::EventWriter(const std::string& folder) : file_(std::make_unique<File>()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    check(!error, "cannot create the folder {}: {}", folder, error.message());
    static std::atomic<int> files{0};
    const double time = now();
    path_ = fmt::format("{}/events.out.tfevents.{:010d}.{}.{}.{}", folder, static_cast<std::int64_t>(time), host_name(),
                        getpid(), files++);
    file_->stream = std::fopen(path_.c_str(), "wb");
    check(file_->stream != nullptr, "cannot create {}", path_);
    file_->record(path_, time_field(time) + field(3, WireType::bytes, "brain.Event:2"));
    flush();
}

EventWriter::~EventWriter() = default;

// Event { double wall_time = 1; int64 step = 2; Summary summary = 5 }; Summary { repeated Value value = 1 };
// Value { string tag = 1; ... }: `value` is the rest of it.
void EventWriter::record(std::string_view tag, const std::string& value, std::int64_t step, double wall_time) {
    const std::string entry = field(1, WireType::bytes, tag) + value;
    file_->record(path_, time_field(wall_time >= 0 ? wall_time : now()) + integer_field(2, step) +
                             field(5, WireType::bytes, field(1, WireType::bytes, entry)));
}

// Value { float simple_value = 2 }.
void EventWriter::scalar(std::string_view tag, double value, std::int64_t step, double wall_time) {
    record(tag, field(2, fixed32, little_endian(std::bit_cast<std::uint32_t>(static_cast<float>(value)))), step,
           wall_time);
}

// Value { HistogramProto histo = 5 }; HistogramProto { double min = 1, max = 2, num = 3, sum = 4, sum_squares = 5;
// repeated double bucket_limit = 6 [packed], bucket = 7 [packed] }, where a limit is the right end of its bucket.
void EventWriter::histogram(std::string_view tag, std::span<const float> values, std::int64_t step, double wall_time) {
    constexpr std::size_t buckets = 30;
    double low = std::numeric_limits<double>::infinity(), high = -low, count = 0, sum = 0, squares = 0;
    for (const float value : values) {
        if (!std::isfinite(value)) continue;
        const auto number = static_cast<double>(value);
        low = std::min(low, number);
        high = std::max(high, number);
        ++count;
        sum += number;
        squares += number * number;
    }
    if (count == 0) return;
    std::vector<double> limits, counts;
    if (low == high) {
        limits = {high};
        counts = {count};
    } else {
        counts.resize(buckets);
        const double width = (high - low) / buckets;
        for (std::size_t i = 1; i < buckets; ++i) limits.push_back(low + width * static_cast<double>(i));
        limits.push_back(high);
        for (const float value : values)
            if (std::isfinite(value))
                ++counts[std::min(static_cast<std::size_t>((static_cast<double>(value) - low) / width), buckets - 1)];
    }
    record(tag,
           field(5, WireType::bytes,
                 double_field(1, low) + double_field(2, high) + double_field(3, count) + double_field(4, sum) +
                     double_field(5, squares) + packed_field(6, limits) + packed_field(7, counts)),
           step, wall_time);
}

// Value { Image image = 4 }; Image { int32 height = 1, width = 2, colorspace = 3; bytes encoded_image_string = 4 }.
void EventWriter::image(std::string_view tag, const Picture& picture, std::int64_t step, double wall_time) {
    const std::vector<std::uint8_t> png = encode_png(picture);
    record(
        tag,
        field(4, WireType::bytes,
              integer_field(1, picture.height) + integer_field(2, picture.width) + integer_field(3, picture.channels) +
                  field(4, WireType::bytes, std::string(png.begin(), png.end()))),
        step, wall_time);
}

void EventWriter::flush() { check(std::fflush(file_->stream) == 0, "cannot write {}", path_); }

}  // namespace heddle
