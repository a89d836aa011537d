#include "core/atomic_file.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;

// Files may grow to `bytes` while it lives: writing more fails as on a full disk.
class FileSizeLimit {
  public:
    explicit FileSizeLimit(rlim_t bytes) {
        getrlimit(RLIMIT_FSIZE, &old_);
        old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{bytes, old_.rlim_max};
        EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    }
    ~FileSizeLimit() {
        setrlimit(RLIMIT_FSIZE, &old_);
        std::signal(SIGXFSZ, old_handler_);
    }

  private:
    rlimit old_ = {};
    void (*old_handler_)(int) = nullptr;
};

TEST(AtomicFile, WritesAndReplaces) {
    const TempFolder folder;
    const std::string path = folder / "a";
    write_file_atomically(path, "one");
    EXPECT_EQ(read_bytes(path), "one");
    write_file_atomically(path, "two, longer");
    EXPECT_EQ(read_bytes(path), "two, longer");
    EXPECT_EQ(folder.files(), 1u);
}

TEST(AtomicFile, KeepsTheOldFileUntilCommit) {
    const TempFolder folder;
    const std::string path = folder / "a";
    write_file_atomically(path, "old");
    {
        AtomicFile file(path);
        file.write("new");
        EXPECT_EQ(read_bytes(path), "old");
    }
    EXPECT_EQ(read_bytes(path), "old");
    EXPECT_EQ(folder.files(), 1u);
}

TEST(AtomicFile, AFullDiskLeavesTheOldFileAndNoTemporary) {
    const TempFolder folder;
    const std::string path = folder / "a";
    write_file_atomically(path, "old");
    const FileSizeLimit limit(10'000);
    EXPECT_ERROR(write_file_atomically(path, std::string(100'000, 'x')), "File too large");
    EXPECT_EQ(read_bytes(path), "old");
    EXPECT_EQ(folder.files(), 1u);
}

TEST(AtomicFile, KeepsALinkAndPermissions) {
    const TempFolder folder;
    write_file_atomically(folder / "real", "old");
    ASSERT_EQ(::chmod((folder / "real").c_str(), 0640), 0);
    std::filesystem::create_symlink(folder / "real", folder / "link");
    write_file_atomically(folder / "link", "new");
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
    EXPECT_EQ(read_bytes(folder / "real"), "new");
    struct stat status = {};
    ASSERT_EQ(::stat((folder / "real").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(AtomicFile, NamesWhatIsWrong) {
    const TempFolder folder;
    EXPECT_ERROR(AtomicFile(folder / "missing/a"), "No such file or directory");
    EXPECT_ERROR(AtomicFile(folder.path()), "a folder");
    EXPECT_ERROR(AtomicFile("/dev/full"), "not a regular file");
    EXPECT_ERROR(AtomicFile(""), "empty");
    AtomicFile file(folder / "a");
    file.commit();
    EXPECT_ERROR(file.write("late"), "after commit");
    EXPECT_ERROR(file.commit(), "twice");
    EXPECT_EQ(read_bytes(folder / "a"), "");
}

}  // namespace
