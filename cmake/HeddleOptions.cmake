# What every target of ours is compiled with: `target_link_libraries(target PRIVATE heddle_options)`. Programs that
# include <heddle/...> as a consumer does (the documentation's code) take heddle_flags, which leaves our root out.
add_library(heddle_flags INTERFACE)
target_compile_features(heddle_flags INTERFACE cxx_std_20)
target_compile_options(heddle_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                            -fvisibility=hidden -fvisibility-inlines-hidden>
  # What nvcc hands to the host compiler contains line directives and casts that the others complain about.
  $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-fvisibility-inlines-hidden>)
if(HEDDLE_WERROR)
  target_compile_options(heddle_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>
                                                $<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings -Xcompiler=-Werror>)
endif()
if(NOT HEDDLE_AVX512)
  target_compile_definitions(heddle_flags INTERFACE HEDDLE_NO_AVX512)
endif()
if(HEDDLE_SANITIZE)
  target_compile_options(heddle_flags INTERFACE -fsanitize=${HEDDLE_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer -g1)
  target_link_options(heddle_flags INTERFACE -fsanitize=${HEDDLE_SANITIZE})
  target_compile_definitions(heddle_flags INTERFACE HEDDLE_SANITIZED HEDDLE_NO_CLONES)
endif()

add_library(heddle_options INTERFACE)
target_link_libraries(heddle_options INTERFACE heddle_flags)
# Our root stands before everything: a parent project may have a core/ of its own.
target_include_directories(heddle_options BEFORE INTERFACE ${PROJECT_SOURCE_DIR})
