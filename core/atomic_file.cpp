#include "core/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/check.h"

namespace heddle {
namespace {

constexpr std::size_t largest_write = std::size_t{1} << 30;  // Linux writes at most 2 GiB at once

std::string folder_of(const std::string& path) {
    const std::string folder = std::filesystem::path(path).parent_path().string();
    return folder.empty() ? "." : folder;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
    check(!path.empty(), "write: the file name is empty");
    std::error_code ignored;
    if (std::filesystem::is_symlink(path, ignored)) {
        const auto target = std::filesystem::weakly_canonical(path, ignored);
        if (!ignored) path_ = target.string();
    }
    struct stat old = {};
    const bool replaces = ::stat(path_.c_str(), &old) == 0;
    check(!replaces || S_ISREG(old.st_mode), "{}: cannot be written: it is {}, not a regular file", path,
          S_ISDIR(old.st_mode) ? "a folder" : "a device or pipe");
    temporary_ = path_ + ".tmp";
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    check(descriptor_ >= 0, "{}: cannot be written: creating {}: {}", path_, temporary_, std::strerror(errno));
    if (replaces && ::fchmod(descriptor_, old.st_mode & 07777) != 0) fail_and_remove("setting its permissions");
}

AtomicFile::~AtomicFile() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
}

void AtomicFile::fail_and_remove(const char* step) {
    const int reason = errno;
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    ::unlink(temporary_.c_str());
    fail(fmt::format("{}: cannot be written: {}: {}", path_, step, std::strerror(reason)));
}

void AtomicFile::write(const void* bytes, std::size_t count) {
    check(descriptor_ >= 0, "{}: written after commit, or after an error", path_);
    const char* next = static_cast<const char*>(bytes);
    while (count > 0) {
        const ssize_t written = ::write(descriptor_, next, std::min(count, largest_write));
        if (written < 0) {
            if (errno == EINTR) continue;
            fail_and_remove("writing");
        }
        next += written;
        count -= static_cast<std::size_t>(written);
    }
}

void AtomicFile::commit() {
    check(descriptor_ >= 0, "{}: committed twice, or after an error", path_);
    if (::fsync(descriptor_) != 0) fail_and_remove("syncing");
    if (::close(std::exchange(descriptor_, -1)) != 0) fail_and_remove("closing");
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail_and_remove("renaming");
    // The file is in place; syncing the folder makes the new name outlive a power cut. Some file systems cannot.
    const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    ::fsync(folder);
    ::close(folder);
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
    AtomicFile file(path);
    file.write(bytes);
    file.commit();
}

}  // namespace heddle
