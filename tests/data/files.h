#pragma once

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "core/error.h"
#include "core/random.h"

// What the tests of file formats share.
namespace heddle::testing_files {

/// A folder of its own, removed with all it holds.
class TempFolder {
  public:
    TempFolder() {
        static int next = 0;
        const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
        path_ = std::filesystem::path(::testing::TempDir()) /
                ("heddle_data_" + std::to_string(::getpid()) + "_" + (test ? test->name() : "suite") + "_" +
                 std::to_string(next++));
        std::filesystem::create_directories(path_);
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    std::string operator/(const std::string& name) const { return (path_ / name).string(); }
    std::string path() const { return path_.string(); }
    std::size_t files() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
    }

  private:
    std::filesystem::path path_;
};

inline std::string fixture(const std::string& name) { return std::string(HEDDLE_TEST_FOLDER) + "/fixtures/" + name; }

inline std::string read_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, const std::string& bytes) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream file(path, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.flush()) << path;
}

/// The message of the `Error` that `body` throws; a failure where it throws none.
template <class Body>
std::string error_of(const Body& body) {
    try {
        body();
    } catch (const Error& error) {
        return error.what();
    }
    ADD_FAILURE() << "no Error was thrown";
    return {};
}

/// Expects an `Error` that holds `part`, in one line.
#define EXPECT_ERROR(statement, part)                                                      \
    do {                                                                                   \
        const std::string message = ::heddle::testing_files::error_of([&] { statement; }); \
        EXPECT_NE(message.find(part), std::string::npos) << message;                       \
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;                       \
    } while (false)

/// Every beginning of `bytes` must be refused with an `Error` that names the file.
template <class Load>
void expect_truncations_refused(const std::string& bytes, const Load& load, std::size_t step = 1) {
    const TempFolder folder;
    const std::string path = folder / "truncated";
    for (std::size_t length = 0; length < bytes.size(); length += step) {
        write_bytes(path, bytes.substr(0, length));
        const std::string message = error_of([&] { load(path); });
        EXPECT_NE(message.find(path), std::string::npos) << length << " of " << bytes.size() << " bytes: " << message;
        if (::testing::Test::HasFailure()) return;
    }
}

/// Files with a few bytes changed must load or be refused with an `Error`; anything else ends the test. Returns the
/// part of them that was refused. HEDDLE_TEST_FULL makes ten times as many.
template <class Load>
double fuzz(const std::string& bytes, const Load& load, int rounds, std::size_t within = SIZE_MAX) {
    const TempFolder folder;
    const std::string path = folder / "changed";
    Generator random(20240607);
    int refused = 0;
    if (std::getenv("HEDDLE_TEST_FULL")) rounds *= 10;
    for (int round = 0; round < rounds; ++round) {
        std::string changed = bytes;
        const std::uint64_t changes = 1 + random.below(4);
        for (std::uint64_t i = 0; i < changes; ++i) {
            const auto place = static_cast<std::size_t>(random.below(std::min(within, bytes.size())));
            const std::uint64_t kind = random.below(3);
            if (kind == 0) changed[place] = static_cast<char>(changed[place] ^ (1 << random.below(8)));
            if (kind == 1) changed[place] = static_cast<char>(random.below(256));
            if (kind == 2) changed[place] = random.below(2) ? '\xFF' : '9';
        }
        write_bytes(path, changed);
        try {
            load(path);
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
            ++refused;
        }
        if (::testing::Test::HasFailure()) return 0;
    }
    return static_cast<double>(refused) / rounds;
}

}  // namespace heddle::testing_files
