#pragma once

#include <span>
#include <string_view>

namespace heddle::detail {

/// The texts of models/recipes/*.json, in the order of their names. The build writes this function
/// (cmake/HeddleLibrary.cmake).
std::span<const std::string_view> recipe_files();

}  // namespace heddle::detail
