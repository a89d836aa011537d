#pragma once

#include <string>
#include <string_view>

namespace heddle::detail {

/// What /proc/cpuinfo says of the first processor under this name ("cpu family"); empty where it does not.
std::string cpu_fact(std::string_view name);

/// "AMD EPYC 7763 64-Core Processor".
std::string cpu_model();

}  // namespace heddle::detail
