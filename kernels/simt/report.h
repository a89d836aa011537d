#pragma once

#include <string>

#include "kernels/simt/runtime.h"

namespace heddle::simt {

/// A source file's name from the root of the repository, however the compiler was given it.
std::string source_name(const char* file);
/// "kernels/softmax/native.cu:63"
std::string to_string(const Location& at);
bool same_place(const Location& a, const Location& b);

}  // namespace heddle::simt
