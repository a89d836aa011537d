#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/export.h"

namespace heddle {

/// A file that appears whole or not at all: it is written beside its place as `<path>.tmp`, synced, and renamed by
/// `commit()`. A kill at any moment leaves the old file or the new one. Where anything fails (no space, no permission)
/// an `Error` names the file and the system's reason, and the temporary is removed; so it is where `commit()` is never
/// reached. A symbolic link stays one: the file it points to is replaced. One writer of a path at a time.
class HEDDLE_API AtomicFile {
  public:
    explicit AtomicFile(const std::string& path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(const void* bytes, std::size_t count);
    void write(std::string_view text) { write(text.data(), text.size()); }
    /// Syncs the file, renames it over `path`, syncs the folder. Nothing may be written afterwards.
    void commit();

  private:
    [[noreturn]] void fail_and_remove(const char* step);
    std::string path_, temporary_;
    int descriptor_ = -1;
};

/// The whole of it in one call.
HEDDLE_API void write_file_atomically(const std::string& path, std::string_view bytes);

}  // namespace heddle
