#include "train/detail/notice.h"

#include <cstdio>
#include <mutex>
#include <set>

namespace heddle::detail {

void notice(const std::string& line) {
    static std::mutex mutex;
    static std::set<std::string> said;
    const std::lock_guard lock(mutex);
    if (said.insert(line).second) std::fprintf(stderr, "heddle: %s\n", line.c_str());
}

}  // namespace heddle::detail
