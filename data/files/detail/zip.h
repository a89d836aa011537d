#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/atomic_file.h"
#include "core/export.h"
#include "data/files/detail/bytes.h"

namespace heddle {

/// The files of a zip archive, stored or deflated. Encrypted archives and zip64 (4 GiB and more) are refused; entries
/// must not share bytes, so an archive cannot unpack to more than deflate's own 1032 times its size.
class HEDDLE_API ZipReader {
  public:
    struct Entry {
        std::string name;
        std::uint16_t method = 0;
        std::uint32_t checksum = 0;
        std::uint64_t packed = 0, unpacked = 0;
        std::uint64_t position = 0;  ///< of the data
    };

    explicit ZipReader(const std::string& path);
    const std::vector<Entry>& entries() const { return entries_; }
    /// The bytes of entry `index`, held against their checksum.
    std::vector<std::uint8_t> read(std::size_t index) const;

  private:
    InputFile file_;
    std::vector<Entry> entries_;
};

/// Writes a zip archive of stored entries, atomically.
class HEDDLE_API ZipWriter {
  public:
    explicit ZipWriter(const std::string& path) : path_(path), file_(path) {}
    /// One entry of two pieces of bytes. Throws `Error` for a name twice, or beyond 4 GiB.
    void add(const std::string& name, std::string_view head, std::string_view body);
    void commit();

  private:
    std::string path_;
    AtomicFile file_;
    std::string directory_;
    std::vector<std::string> names_;
    std::uint64_t position_ = 0;
};

}  // namespace heddle
