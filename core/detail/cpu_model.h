#pragma once

#include <string>

namespace heddle::detail {

/// "AMD EPYC 7763 64-Core Processor".
std::string cpu_model();

}  // namespace heddle::detail
