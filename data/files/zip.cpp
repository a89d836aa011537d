#include "data/files/detail/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace heddle {
namespace {

constexpr std::size_t end_bytes = 22, central_bytes = 46, local_bytes = 30;
constexpr std::uint32_t end_signature = 0x06054B50, central_signature = 0x02014B50, local_signature = 0x04034B50;

template <class T>
T little(const std::uint8_t* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

template <class T>
void put(std::string& text, T value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint32_t checksum(std::uint32_t seed, std::string_view bytes) {
    return static_cast<std::uint32_t>(crc32_z(seed, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::vector<std::uint8_t> inflate_all(const std::vector<std::uint8_t>& packed, std::uint64_t size,
                                      const std::string& place) {
    struct Stream : z_stream {
        Stream() : z_stream{} { ready = inflateInit2(this, -MAX_WBITS) == Z_OK; }
        ~Stream() {
            if (ready) inflateEnd(this);
        }
        bool ready = false;
    } stream;
    check(stream.ready, "{}: zlib has no memory", place);
    std::vector<std::uint8_t> bytes;
    std::size_t used = 0, read = 0;
    for (int status = Z_OK; status != Z_STREAM_END;) {
        // One byte more than promised, so that more is noticed.
        if (used == bytes.size()) {
            check(used <= size, "{}: unpacks to more than the {} bytes it declares", place, size);
            bytes.resize(
                static_cast<std::size_t>(std::min<std::uint64_t>(size + 1, std::max<std::size_t>(1 << 16, used * 2))));
        }
        const std::size_t in = std::min<std::size_t>(packed.size() - read, 1 << 30);
        const std::size_t out = std::min<std::size_t>(bytes.size() - used, 1 << 30);
        stream.next_in = const_cast<Bytef*>(packed.data() + read);
        stream.avail_in = static_cast<uInt>(in);
        stream.next_out = bytes.data() + used;
        stream.avail_out = static_cast<uInt>(out);
        status = inflate(&stream, Z_NO_FLUSH);
        check(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, "{}: damaged deflate data", place);
        read += in - stream.avail_in;
        used += out - stream.avail_out;
        check(status == Z_STREAM_END || stream.avail_in != in || stream.avail_out != out, "{}: truncated deflate data",
              place);
    }
    check(used == size && read == packed.size(), "{}: unpacks to {} bytes, declares {}", place, used, size);
    bytes.resize(used);
    return bytes;
}

}  // namespace

ZipReader::ZipReader(const std::string& path) : file_(path) {
    check(file_.size() >= end_bytes, "{}: not a zip archive: it has {} bytes", path, file_.size());
    // The end record is followed by a comment of up to 65535 bytes.
    const std::size_t tail_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(file_.size(), end_bytes + 65535));
    const std::uint64_t tail_start = file_.size() - tail_bytes;
    std::vector<std::uint8_t> tail(tail_bytes);
    file_.read(tail_start, tail.data(), tail.size());
    std::size_t at = tail_bytes - end_bytes + 1;
    bool found = false;
    while (at > 0 && !found) {
        --at;
        found = little<std::uint32_t>(&tail[at]) == end_signature &&
                little<std::uint16_t>(&tail[at + 20]) == tail_bytes - at - end_bytes;
    }
    check(found, "{}: not a zip archive, or truncated: it has no end record", path);
    const std::uint8_t* end = &tail[at];
    const std::uint16_t count = little<std::uint16_t>(end + 10);
    const std::uint64_t size = little<std::uint32_t>(end + 12), start = little<std::uint32_t>(end + 16);
    check(count != 0xFFFF && start != 0xFFFFFFFF, "{}: zip64 archives (4 GiB and more) are not read; use .npy files",
          path);
    check(start + size == tail_start + at, "{}: damaged zip archive: the directory is not where it should be", path);
    std::vector<std::uint8_t> directory(static_cast<std::size_t>(size));
    file_.read(start, directory.data(), directory.size());

    std::size_t next = 0;
    for (int i = 0; i < count; ++i) {
        check(directory.size() - next >= central_bytes && little<std::uint32_t>(&directory[next]) == central_signature,
              "{}: damaged zip directory at entry {}", path, i);
        const std::uint8_t* record = &directory[next];
        const std::size_t name = little<std::uint16_t>(record + 28);
        const std::size_t extra = little<std::uint16_t>(record + 30), comment = little<std::uint16_t>(record + 32);
        check(directory.size() - next - central_bytes >= name + extra + comment,
              "{}: damaged zip directory at entry {}", path, i);
        Entry entry;
        entry.name.assign(reinterpret_cast<const char*>(record) + central_bytes, name);
        entry.method = little<std::uint16_t>(record + 10);
        entry.checksum = little<std::uint32_t>(record + 16);
        entry.packed = little<std::uint32_t>(record + 20);
        entry.unpacked = little<std::uint32_t>(record + 24);
        const std::uint64_t local = little<std::uint32_t>(record + 42);
        check((little<std::uint16_t>(record + 8) & 1) == 0, "{}: {} is encrypted", path, entry.name);
        check(entry.method == 0 || entry.method == 8,
              "{}: {} is packed by method {}; only stored and deflated are read", path, entry.name, entry.method);
        check(entry.packed != 0xFFFFFFFF && entry.unpacked != 0xFFFFFFFF && local != 0xFFFFFFFF,
              "{}: {} has 4 GiB or more (zip64), which is not read; use .npy files", path, entry.name);
        check(entry.method == 8 || entry.packed == entry.unpacked, "{}: {}: damaged zip directory (sizes)", path,
              entry.name);
        std::uint8_t header[local_bytes];
        file_.read(local, header, sizeof header);
        check(little<std::uint32_t>(header) == local_signature, "{}: {}: damaged zip archive (no local header)", path,
              entry.name);
        entry.position = local + local_bytes + little<std::uint16_t>(header + 26) + little<std::uint16_t>(header + 28);
        check(entry.position <= start && entry.packed <= start - entry.position,
              "{}: {}: its bytes lie outside the archive", path, entry.name);
        entries_.push_back(std::move(entry));
        next += central_bytes + name + extra + comment;
    }
    check(next == directory.size(), "{}: damaged zip directory: {} bytes after the last entry", path,
          directory.size() - next);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const Entry& entry : entries_) ranges.emplace_back(entry.position, entry.position + entry.packed);
    std::sort(ranges.begin(), ranges.end());
    for (std::size_t i = 1; i < ranges.size(); ++i)
        check(ranges[i].first >= ranges[i - 1].second, "{}: damaged zip archive: entries overlap", path);
}

std::vector<std::uint8_t> ZipReader::read(std::size_t index) const {
    const Entry& entry = entries_.at(index);
    const std::string place = fmt::format("{}: {}", file_.path(), entry.name);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(entry.packed));
    file_.read(entry.position, bytes.data(), bytes.size());
    if (entry.method == 8) bytes = inflate_all(bytes, entry.unpacked, place);
    const std::string_view view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    check(checksum(0, view) == entry.checksum, "{}: its checksum does not match: the archive is damaged", place);
    return bytes;
}

void ZipWriter::add(const std::string& name, std::string_view head, std::string_view body) {
    check(std::find(names_.begin(), names_.end(), name) == names_.end(), "{}: two entries are named \"{}\"", path_,
          name);
    check(name.size() <= 0xFFFF && names_.size() < 0xFFFE, "{}: too many entries, or too long a name", path_);
    const std::uint64_t size = std::uint64_t{head.size()} + body.size();
    check(position_ + size < 0xFFFF0000, "{}: would have 4 GiB or more; save .npy files instead", path_);
    names_.push_back(name);
    std::string common;  // what local and central records share
    put<std::uint16_t>(common, 20);
    put<std::uint16_t>(common, 0x0800);  // names are UTF-8
    put<std::uint16_t>(common, 0);       // stored
    put<std::uint16_t>(common, 0);       // 1980-01-01 00:00, so that equal arrays make equal files
    put<std::uint16_t>(common, 0x21);
    put<std::uint32_t>(common, checksum(checksum(0, head), body));
    put<std::uint32_t>(common, static_cast<std::uint32_t>(size));
    put<std::uint32_t>(common, static_cast<std::uint32_t>(size));
    put<std::uint16_t>(common, static_cast<std::uint16_t>(name.size()));
    put<std::uint16_t>(common, 0);  // no extra fields

    std::string local;
    put<std::uint32_t>(local, local_signature);
    local += common + name;
    put<std::uint32_t>(directory_, central_signature);
    put<std::uint16_t>(directory_, 20);
    directory_ += common;
    directory_.append(2 + 2 + 2 + 4, '\0');  // comment, disk, attributes
    put<std::uint32_t>(directory_, static_cast<std::uint32_t>(position_));
    directory_ += name;
    file_.write(local);
    file_.write(head);
    file_.write(body);
    position_ += local.size() + size;
}

void ZipWriter::commit() {
    check(position_ + directory_.size() < 0xFFFFFFFF, "{}: would have 4 GiB or more; save .npy files instead", path_);
    std::string end;
    put<std::uint32_t>(end, end_signature);
    put<std::uint32_t>(end, 0);  // disks
    put<std::uint16_t>(end, static_cast<std::uint16_t>(names_.size()));
    put<std::uint16_t>(end, static_cast<std::uint16_t>(names_.size()));
    put<std::uint32_t>(end, static_cast<std::uint32_t>(directory_.size()));
    put<std::uint32_t>(end, static_cast<std::uint32_t>(position_));
    put<std::uint16_t>(end, 0);
    file_.write(directory_);
    file_.write(end);
    file_.commit();
}

}  // namespace heddle
