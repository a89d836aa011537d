#include "kernels/simt/report.h"

#include <cstring>
#include <string_view>

#include "core/check.h"
#include "core/export.h"
#include "kernels/simt/builtins.h"
#include "kernels/simt/race.h"
#include "kernels/simt/scheduler.h"

namespace heddle::simt {

std::string source_name(const char* file) {
    std::string_view name = file;
    if (name.starts_with(HEDDLE_SOURCE_ROOT)) name.remove_prefix(std::strlen(HEDDLE_SOURCE_ROOT));
    while (name.starts_with("../")) name.remove_prefix(3);
    return std::string(name);
}

std::string to_string(const Location& at) { return fmt::format("{}:{}", source_name(at.file_name()), at.line()); }

bool same_place(const Location& a, const Location& b) {
    return a.line() == b.line() && a.column() == b.column() &&
           (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

HEDDLE_API void fail(Location at, const std::string& message) {
    const race::Unseen unseen;
    const Scheduler& scheduler = Scheduler::active();
    heddle::fail(fmt::format("{}: {}, block ({}, {}, {}), thread ({}, {}, {}): {}", scheduler.operation(),
                             to_string(at), blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z,
                             message));
}

HEDDLE_API void fail_misaligned(const void* address, std::size_t bytes, Location at) {
    fail(at, fmt::format("misaligned access: {} bytes at {}, which is {} bytes beyond a multiple of {}", bytes, address,
                         reinterpret_cast<std::uintptr_t>(address) % bytes, bytes));
}

HEDDLE_API void fail_width(int width, const char* name, Location at) {
    fail(at, fmt::format("{}: a width of {}, which is no power of two up to 32", name, width));
}

}  // namespace heddle::simt
