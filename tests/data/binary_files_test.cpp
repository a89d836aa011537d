// IDX and CIFAR files.
#include "data/files/cifar.h"
#include "data/files/idx.h"
#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;

std::string idx(int type, const std::vector<std::uint32_t>& shape, const std::string& data) {
    std::string bytes = {0, 0, static_cast<char>(type), static_cast<char>(shape.size())};
    for (const std::uint32_t extent : shape)
        for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift);
    return bytes + data;
}

TEST(Idx, PlainAndGzipped) {
    const Tensor packed = load_idx(fixture("tiny-idx3-ubyte.gz"));
    EXPECT_EQ(packed.shape(), (Shape{2, 3, 4}));
    std::string counting;
    for (char i = 0; i < 24; ++i) counting += i;
    const TempFolder folder;
    write_bytes(folder / "plain", idx(8, {2, 3, 4}, counting));
    const Tensor plain = load_idx(folder / "plain");
    EXPECT_EQ(plain.dtype(), DType::u8);
    EXPECT_EQ(plain.to_vector<std::uint8_t>(), packed.to_vector<std::uint8_t>());
    EXPECT_EQ(plain.to_vector<int>().back(), 23);
}

TEST(Idx, BigEndianWords) {
    const TempFolder folder;
    write_bytes(folder / "i32", idx(0x0C, {2}, std::string("\x00\x00\x01\x02\xFF\xFF\xFF\xFF", 8)));
    EXPECT_EQ(load_idx(folder / "i32").to_vector<std::int32_t>(), (std::vector<std::int32_t>{258, -1}));
    write_bytes(folder / "f32", idx(0x0D, {1}, std::string("\x3F\xC0\x00\x00", 4)));
    EXPECT_EQ(load_idx(folder / "f32").to_vector<float>(), (std::vector<float>{1.5f}));
    write_bytes(folder / "f64", idx(0x0E, {1}, std::string("\xBF\xF8\x00\x00\x00\x00\x00\x00", 8)));
    EXPECT_EQ(load_idx(folder / "f64").to_vector<double>(), (std::vector<double>{-1.5}));
}

TEST(Idx, HostileFiles) {
    const TempFolder folder;
    const auto refuses = [&](const std::string& bytes, const char* part) {
        write_bytes(folder / "f", bytes);
        EXPECT_ERROR(load_idx(folder / "f"), part);
    };
    refuses(idx(8, {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "x"), "impossible size");
    refuses(idx(8, {0xFFFFFFFF, 0xFFFFFFFF}, "x"), "needs");
    refuses(idx(8, {2}, "xyz"), "needs 2 bytes after the header, the file holds 3");
    refuses(idx(9, {2}, "xy"), "0x09");
    refuses(idx(8, {}, ""), "rank 0");
    refuses(idx(8, std::vector<std::uint32_t>(9, 1), "x"), "rank 9");
    refuses("hello", "not an IDX file");
    const auto load = [](const std::string& path) { load_idx(path); };
    const std::string packed = read_bytes(fixture("tiny-idx3-ubyte.gz"));
    expect_truncations_refused(packed, load);
    expect_truncations_refused(idx(8, {2, 3}, "abcdef"), load);
    EXPECT_GT(fuzz(packed, load, 200), 0.5);
    EXPECT_GT(fuzz(idx(8, {2, 3}, "abcdef"), load, 200, 12), 0.5);
}

std::string record(std::initializer_list<int> labels, int red, int green, int blue) {
    std::string bytes;
    for (const int label : labels) bytes += static_cast<char>(label);
    for (const int value : {red, green, blue}) bytes += std::string(1024, static_cast<char>(value));
    return bytes;
}

TEST(Cifar, TenAndHundred) {
    const TempFolder folder;
    write_bytes(folder / "a.bin", record({9}, 1, 2, 3) + record({0}, 4, 5, 6));
    write_bytes(folder / "b.bin", record({5}, 7, 8, 9));
    const CifarRecords ten = load_cifar({folder / "a.bin", folder / "b.bin"});
    EXPECT_EQ(ten.pictures.shape(), (Shape{3, 32, 32, 3}));
    EXPECT_EQ(ten.labels.to_vector<std::int64_t>(), (std::vector<std::int64_t>{9, 0, 5}));
    const auto pixels = ten.pictures.to_vector<std::uint8_t>();
    EXPECT_EQ((std::vector<std::uint8_t>(pixels.begin(), pixels.begin() + 4)), (std::vector<std::uint8_t>{1, 2, 3, 1}));
    EXPECT_EQ(pixels.back(), 9);
    write_bytes(folder / "c.bin", record({3, 99}, 1, 2, 3));
    EXPECT_EQ(load_cifar({folder / "c.bin"}, CifarKind::cifar100_fine).labels.to_vector<int>(), std::vector<int>{99});
    EXPECT_EQ(load_cifar({folder / "c.bin"}, CifarKind::cifar100_coarse).labels.to_vector<int>(), std::vector<int>{3});
}

TEST(Cifar, HostileFiles) {
    const TempFolder folder;
    write_bytes(folder / "label.bin", record({1}, 0, 0, 0) + record({10}, 0, 0, 0));
    EXPECT_ERROR(load_cifar({folder / "label.bin"}), "record 1: label 10");
    write_bytes(folder / "short.bin", record({1}, 0, 0, 0).substr(1));
    EXPECT_ERROR(load_cifar({folder / "short.bin"}), "not a multiple of the 3073");
    write_bytes(folder / "empty.bin", "");
    EXPECT_ERROR(load_cifar({folder / "empty.bin"}), "0 bytes");
    EXPECT_ERROR(load_cifar({folder / "none.bin"}), "No such file");
    write_bytes(folder / "names", "cat\r\n\ndog\n");
    EXPECT_EQ(load_class_names(folder / "names"), (std::vector<std::string>{"cat", "dog"}));
}

}  // namespace
