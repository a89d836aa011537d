#include "train/tensorboard.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

namespace heddle {
namespace {

std::uint64_t little_endian(const std::string& bytes, std::size_t at, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
        value |= std::uint64_t{static_cast<unsigned char>(bytes.at(at + i))} << (8 * i);
    return value;
}

std::uint32_t masked(const std::string& bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

/// The payloads of a TFRecord file, with lengths and checksums checked.
std::vector<std::string> records(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::string> payloads;
    for (std::size_t at = 0; at < all.size();) {
        const std::size_t length = little_endian(all, at, 8);
        EXPECT_EQ(little_endian(all, at + 8, 4), masked(all.substr(at, 8)));
        payloads.push_back(all.substr(at + 12, length));
        EXPECT_EQ(payloads.back().size(), length);
        EXPECT_EQ(little_endian(all, at + 12 + length, 4), masked(payloads.back()));
        at += 16 + length;
    }
    return payloads;
}

std::string temporary_folder(const char* name) {
    const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / name;
    std::filesystem::remove_all(folder);
    return folder.string();
}

// RFC 3720, appendix B.4, and the usual check value.
TEST(TensorBoard, Crc32c) {
    EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
    EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
    EXPECT_EQ(crc32c("6789", crc32c("12345")), crc32c("123456789"));
}

TEST(TensorBoard, EventsReadBack) {
    const std::string folder = temporary_folder("heddle_events");
    std::string path;
    {
        EventWriter writer(folder);
        path = writer.path();
        writer.scalar("loss", 0.15625, 300, 1.5);
    }
    EXPECT_NE(path.find("events.out.tfevents."), std::string::npos);
    const std::vector<std::string> payloads = records(path);
    ASSERT_EQ(payloads.size(), 2u);

    // wall_time = 1 (double), file_version = 3 (string).
    EXPECT_EQ(payloads[0][0], '\x09');
    EXPECT_EQ(payloads[0].substr(9), std::string("\x1A\x0D") + "brain.Event:2");

    // wall_time = 1.5; step = 300; summary { value { tag "loss", simple_value 0.15625 = 0x3E200000 } }.
    using namespace std::string_literals;
    EXPECT_EQ(payloads[1],
              "\x09\0\0\0\0\0\0\xF8\x3F"s
              "\x10\xAC\x02"s
              "\x2A\x0D\x0A\x0B"s
              "\x0A\x04loss"s
              "\x15\0\0\x20\x3E"s);
    std::filesystem::remove_all(folder);
}

// A field of this number (below 16) that holds bytes (fewer than 128).
std::string bytes_field(int number, const std::string& bytes) {
    return std::string{static_cast<char>((number << 3) | 2), static_cast<char>(bytes.size())} + bytes;
}

std::string doubles(const std::vector<double>& values) {
    std::string bytes(values.size() * 8, '\0');
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

TEST(TensorBoard, HistogramsAndPictures) {
    const std::string folder = temporary_folder("heddle_events_histograms");
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Picture picture(3, 2, 1, 7);
    std::string path;
    {
        EventWriter writer(folder);
        path = writer.path();
        writer.histogram("w", std::vector<float>{0.5f, 0.5f, nan}, 1, 0);
        std::vector<float> ramp;
        for (int i = 0; i <= 300; ++i) ramp.push_back(static_cast<float>(i));
        writer.histogram("w", ramp, 2, 0);
        writer.histogram("w", std::vector<float>{nan}, 3, 0);
        writer.image("p", picture, 4, 0);
    }
    const std::vector<std::string> payloads = records(path);
    ASSERT_EQ(payloads.size(), 4u) << "a histogram of nothing is none";
    std::string histo;
    const double numbers[] = {0.5, 0.5, 2, 1, 0.5};  // min, max, num, sum, sum of squares
    for (int i = 0; i < 5; ++i) histo += std::string(1, static_cast<char>(((i + 1) << 3) | 1)) + doubles({numbers[i]});
    histo += bytes_field(6, doubles({0.5})) + bytes_field(7, doubles({2}));
    EXPECT_TRUE(payloads[1].ends_with(bytes_field(1, bytes_field(1, "w") + bytes_field(5, histo))));

    // 30 intervals of 10: the last one has 290 to 300.
    std::vector<double> counts(30, 10), limits;
    counts.back() = 11;
    for (int i = 1; i <= 30; ++i) limits.push_back(10 * i);
    EXPECT_NE(payloads[2].find(doubles(limits)), std::string::npos);
    EXPECT_TRUE(payloads[2].ends_with(doubles(counts)));

    const std::vector<std::uint8_t> png = encode_png(picture);
    ASSERT_LT(png.size(), 100u);
    EXPECT_TRUE(payloads[3].ends_with(
        bytes_field(4, "\x08\x02\x10\x03\x18\x01" + bytes_field(4, std::string(png.begin(), png.end())))));
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace heddle
