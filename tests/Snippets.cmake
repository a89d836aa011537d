# The C++ blocks of README.md and docs/ compile and link against the public headers: building this target is the test.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
file(GLOB_RECURSE pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/*.md)
list(APPEND pages ${PROJECT_SOURCE_DIR}/README.md)
set(folder ${CMAKE_CURRENT_BINARY_DIR}/snippets)
set(sources ${folder}/main.cpp)
foreach(page ${pages})
  file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${page})
  string(REGEX REPLACE "[^A-Za-z0-9_]" "_" name ${name})
  list(APPEND sources ${folder}/${name}.cpp)
endforeach()
set(script ${PROJECT_SOURCE_DIR}/scripts/extract_snippets.py)
add_custom_command(OUTPUT ${sources} COMMAND Python3::Interpreter ${script} --out ${folder} ${pages}
                   DEPENDS ${script} ${pages} COMMENT "Extracting the code of the documentation" VERBATIM)
add_executable(heddle_snippets ${sources})
# Snippets name things without using them.
target_compile_options(heddle_snippets PRIVATE -O0 -w)
target_link_libraries(heddle_snippets PRIVATE heddle_flags heddle)
