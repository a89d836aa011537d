#include "train/tensorboard.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
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

}  // namespace
}  // namespace heddle
