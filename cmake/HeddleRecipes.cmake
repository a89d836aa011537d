# models/recipes/*.json become a source file of the library, so that a program needs no file beside it.
file(GLOB recipe_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/models/recipes/*.json)
list(SORT recipe_files)
set(recipe_texts)
foreach(file ${recipe_files})
  file(READ ${file} text)
  string(APPEND recipe_texts "R\"recipe(${text})recipe\",\n")
endforeach()
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${recipe_files})
set(heddle_recipes ${PROJECT_BINARY_DIR}/recipe_files.cpp)
file(CONFIGURE OUTPUT ${heddle_recipes} @ONLY CONTENT [[
#include "models/detail/recipe_files.h"

namespace heddle::detail {

std::span<const std::string_view> recipe_files() {
    static constexpr std::string_view texts[] = {
@recipe_texts@};
    return texts;
}

}  // namespace heddle::detail
]])
