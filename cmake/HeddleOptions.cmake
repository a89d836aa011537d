# What every target of ours is compiled with: `target_link_libraries(target PRIVATE heddle_options)`.
add_library(heddle_options INTERFACE)
target_compile_features(heddle_options INTERFACE cxx_std_20)
target_compile_options(heddle_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                                                -fvisibility=hidden -fvisibility-inlines-hidden)
if(HEDDLE_WERROR)
  target_compile_options(heddle_options INTERFACE -Werror)
endif()
if(HEDDLE_SANITIZE)
  target_compile_options(heddle_options INTERFACE -fsanitize=${HEDDLE_SANITIZE} -fno-omit-frame-pointer -g)
  target_link_options(heddle_options INTERFACE -fsanitize=${HEDDLE_SANITIZE})
  target_compile_definitions(heddle_options INTERFACE HEDDLE_SANITIZED HEDDLE_NO_CLONES)
endif()
# Our root stands before everything: a parent project may have a core/ of its own.
target_include_directories(heddle_options BEFORE INTERFACE ${PROJECT_SOURCE_DIR})
