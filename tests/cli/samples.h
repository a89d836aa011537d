#pragma once

#include <string>
#include <vector>

#include "data/picture.h"
#include "tests/data/files.h"

// Small data sets that are easy to learn: the class is the row that is bright.
namespace heddle::cli_tests {

inline constexpr int side = 12;  // of the IDX pictures: the smallest that the cnn takes and 10 rows fit

inline std::string pixels_of(int label, int width, Generator& noise) {
    std::string pixels;
    for (int row = 0; row < width; ++row)
        for (int column = 0; column < width; ++column)
            pixels += static_cast<char>(row == label + 1 ? 220 : noise.below(60));
    return pixels;
}

inline std::string big_endian(std::uint32_t value) {
    return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
            static_cast<char>(value)};
}

inline std::string idx(const std::vector<std::uint32_t>& extents, const std::string& bytes) {
    std::string file{'\0', '\0', '\x08', static_cast<char>(extents.size())};
    for (const std::uint32_t extent : extents) file += big_endian(extent);
    return file + bytes;
}

/// A folder of IDX files: `train` and `test` pictures 12 x 12 of 10 classes.
inline void write_idx_folder(const std::string& folder, int train = 96, int test = 40) {
    Generator noise(3);
    const auto write_part = [&](const std::string& part, int count) {
        std::string pictures, labels;
        for (int i = 0; i < count; ++i) {
            pictures += pixels_of(i % 10, side, noise);
            labels += static_cast<char>(i % 10);
        }
        const auto n = static_cast<std::uint32_t>(count);
        testing_files::write_bytes(folder + "/" + part + "-images-idx3-ubyte", idx({n, side, side}, pictures));
        testing_files::write_bytes(folder + "/" + part + "-labels-idx1-ubyte", idx({n}, labels));
    };
    write_part("train", train);
    write_part("t10k", test);
}

inline std::string cifar_records(int count) {
    Generator noise(4);
    std::string bytes;
    for (int i = 0; i < count; ++i) {
        bytes += static_cast<char>(i % 10);
        for (int channel = 0; channel < 3; ++channel) bytes += pixels_of(i % 10, 32, noise);
    }
    return bytes;
}

inline void write_cifar_folder(const std::string& folder, int train = 60, int test = 20) {
    testing_files::write_bytes(folder + "/data_batch_1.bin", cifar_records(train));
    testing_files::write_bytes(folder + "/test_batch.bin", cifar_records(test));
}

/// A picture of the IDX folder's kind.
inline Picture sample_picture(int label) {
    Generator noise(5);
    Picture picture(side, side, 1);
    const std::string pixels = pixels_of(label, side, noise);
    picture.pixels.assign(pixels.begin(), pixels.end());
    return picture;
}

inline std::vector<std::string> listing(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace heddle::cli_tests
