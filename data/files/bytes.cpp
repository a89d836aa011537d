#include "data/files/detail/bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/check.h"

namespace heddle {
namespace {

constexpr std::size_t largest_read = std::size_t{1} << 30;

struct Inflater {
    z_stream stream = {};
    Inflater() { ready = inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK; }  // 16: a gzip header and checksum
    ~Inflater() {
        if (ready) inflateEnd(&stream);
    }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    bool ready = false;
};

std::vector<std::uint8_t> gunzip(const std::vector<std::uint8_t>& packed, const std::string& path,
                                 std::uint64_t limit) {
    std::vector<std::uint8_t> bytes;
    std::size_t used = 0, read = 0;
    // Several gzip members may follow one another, as in `cat a.gz b.gz`.
    while (read < packed.size()) {
        Inflater inflater;
        check(inflater.ready, "{}: zlib has no memory", path);
        z_stream& stream = inflater.stream;
        for (int status = Z_OK; status != Z_STREAM_END;) {
            if (used == bytes.size()) {
                check(used < limit, "{}: holds more than {} bytes", path, limit);
                const std::uint64_t grown = std::max<std::uint64_t>(1 << 16, std::uint64_t{used} * 2);
                bytes.resize(static_cast<std::size_t>(std::min(grown, limit)));
            }
            const std::size_t in = std::min(packed.size() - read, largest_read);
            const std::size_t out = std::min(bytes.size() - used, largest_read);
            stream.next_in = const_cast<Bytef*>(packed.data() + read);
            stream.avail_in = static_cast<uInt>(in);
            stream.next_out = bytes.data() + used;
            stream.avail_out = static_cast<uInt>(out);
            status = inflate(&stream, Z_NO_FLUSH);
            const bool stuck = stream.avail_in == in && stream.avail_out == out;
            read += in - stream.avail_in;
            used += out - stream.avail_out;
            check(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR,
                  "{}: damaged gzip data near byte {} ({})", path, read, stream.msg ? stream.msg : "no message");
            check(status == Z_STREAM_END || !(read == packed.size() && (stuck || stream.avail_out > 0)),
                  "{}: the gzip data ends early, at byte {}: the file is truncated", path, read);
        }
    }
    bytes.resize(used);
    return bytes;
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    check(descriptor_ >= 0, "{}: cannot be read: {}", path, std::strerror(errno));
    struct stat status = {};
    const bool known = ::fstat(descriptor_, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
        ::close(descriptor_);
        fail(fmt::format("{}: cannot be read: it is not a regular file", path));
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read(std::uint64_t offset, void* destination, std::size_t count) const {
    check(offset <= size_ && count <= size_ - offset,
          "{}: is too short: bytes {} .. {} are needed, it has {}; the file is truncated", path_, offset,
          offset + count, size_);
    char* next = static_cast<char*>(destination);
    while (count > 0) {
        const ssize_t got = ::pread(descriptor_, next, std::min(count, largest_read), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        check(got >= 0, "{}: reading at byte {}: {}", path_, offset, std::strerror(errno));
        check(got > 0, "{}: became shorter while it was read (at byte {})", path_, offset);
        next += got;
        offset += static_cast<std::uint64_t>(got);
        count -= static_cast<std::size_t>(got);
    }
}

std::vector<std::uint8_t> read_file(const std::string& path, std::uint64_t limit) {
    const InputFile file(path);
    check(file.size() <= limit, "{}: has {} bytes, more than the {} that are read at most", path, file.size(), limit);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(file.size()));
    file.read(0, bytes.data(), bytes.size());
    return bytes;
}

std::vector<std::uint8_t> read_maybe_gzip(const std::string& path, std::uint64_t limit) {
    std::vector<std::uint8_t> bytes = read_file(path, limit);
    if (bytes.size() < 2 || bytes[0] != 0x1F || bytes[1] != 0x8B) return bytes;
    return gunzip(bytes, path, limit);
}

std::uint64_t multiply_sizes(std::uint64_t a, std::uint64_t b, const std::string& place) {
    std::uint64_t product = 0;
    check(!__builtin_mul_overflow(a, b, &product), "{}: declares an impossible size ({} x {})", place, a, b);
    return product;
}

}  // namespace heddle
