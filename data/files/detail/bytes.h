#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/export.h"

namespace heddle {

/// A regular file open for reading. Every error names the file; reading past the end is one.
class HEDDLE_API InputFile {
  public:
    explicit InputFile(const std::string& path);
    ~InputFile();
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    const std::string& path() const { return path_; }
    std::uint64_t size() const { return size_; }
    /// Bytes `offset` .. `offset + count - 1`.
    void read(std::uint64_t offset, void* destination, std::size_t count) const;

  private:
    std::string path_;
    std::uint64_t size_ = 0;
    int descriptor_ = -1;
};

/// The bytes of a file; throws `Error` where it has more than `limit`.
HEDDLE_API std::vector<std::uint8_t> read_file(const std::string& path, std::uint64_t limit = std::uint64_t{1} << 32);

/// The bytes of a gzip file, or of a plain one as they are. `limit` bounds what comes out, and memory grows with what
/// really comes out, never with what a header promises. Trailing bytes and damaged data are errors.
HEDDLE_API std::vector<std::uint8_t> read_maybe_gzip(const std::string& path,
                                                     std::uint64_t limit = std::uint64_t{1} << 32);

/// a * b; throws `Error` "<place>: ..." where it does not fit.
HEDDLE_API std::uint64_t multiply_sizes(std::uint64_t a, std::uint64_t b, const std::string& place);

}  // namespace heddle
