# What consumers include: a copy of every public header under <build>/include/heddle/, in which `#include "core/x.h"`
# reads `#include "heddle/core/x.h"`. Consumers never see our root, so a core/ of their own is safe. The same copies
# are installed. Target heddle_headers writes them, one command per header.
include(PublicHeaders)
heddle_public_headers(heddle_public_headers ${PROJECT_SOURCE_DIR})
heddle_kernel_headers(heddle_kernel_headers ${PROJECT_SOURCE_DIR})

set(heddle_include_dir ${PROJECT_BINARY_DIR}/include)
set(written)
foreach(header heddle.h ${heddle_public_headers} ${heddle_kernel_headers})
  set(output ${heddle_include_dir}/heddle/${header})
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${PROJECT_SOURCE_DIR}/${header} -DOUTPUT=${output}
            -P ${PROJECT_SOURCE_DIR}/cmake/RewriteHeader.cmake
    DEPENDS ${PROJECT_SOURCE_DIR}/${header} ${PROJECT_SOURCE_DIR}/cmake/RewriteHeader.cmake
    COMMENT "Writing heddle/${header}"
    VERBATIM)
  list(APPEND written ${output})
endforeach()
add_custom_target(heddle_headers ALL DEPENDS ${written})
add_dependencies(heddle heddle_headers)
target_include_directories(heddle INTERFACE $<BUILD_INTERFACE:${heddle_include_dir}>)
