#include "core/detail/text_file.h"

#include <fstream>
#include <sstream>

#include "core/check.h"

namespace heddle::detail {

std::string read_text_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    check(file.is_open(), "{}: cannot be read", path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace heddle::detail
