# Which headers are public, decided here alone: every header of the floors, except
#   - in kernels/: headers that export nothing (no HEDDLE_API in them), unless `public_kernels` lists them;
#   - elsewhere: what `private` lists (regular expressions on the path from the root).
# A public header includes the standard library and public headers only (scripts/check_headers.py).
#
# The kernel headers are installed too: the vocabulary of CUDA kernels, for plug-ins that have some. They include CUDA's
# headers besides, and heddle.h none of them. Every header of kernels/simt, but for what the simulator is made of and the
# vocabulary of Hopper, whose emulation exports nothing.
#
# `cmake -P cmake/PublicHeaders.cmake` prints the first list, with -DKERNELS=ON before the -P the second.
cmake_policy(SET CMP0057 NEW)  # IN_LIST, also when run as a script

function(heddle_public_headers result root)
  set(private
    "core/check\\.h"
    "core/driver/plugin\\.h"
    "core/driver/(cuda|sim)/.*"
    ".*/detail/.*")
  set(public_kernels
    kernels/activation.h
    kernels/call_key.h
    kernels/elementwise/elementwise.h
    kernels/view.h)

  set(depends CONFIGURE_DEPENDS)
  if(CMAKE_SCRIPT_MODE_FILE)
    set(depends)
  endif()
  set(headers)
  foreach(floor core kernels ops layers data train models)
    file(GLOB_RECURSE found ${depends} RELATIVE ${root} ${root}/${floor}/*.h)
    list(SORT found)
    foreach(header ${found})
      set(public TRUE)
      if(floor STREQUAL "kernels" AND NOT header IN_LIST public_kernels)
        file(STRINGS ${root}/${header} exported REGEX "HEDDLE_API" LIMIT_COUNT 1)
        if(NOT exported)
          set(public FALSE)
        endif()
      endif()
      foreach(pattern ${private})
        if(header MATCHES "^${pattern}$")
          set(public FALSE)
        endif()
      endforeach()
      if(public)
        list(APPEND headers ${header})
      endif()
    endforeach()
  endforeach()
  set(${result} ${headers} PARENT_SCOPE)
endfunction()

function(heddle_kernel_headers result root)
  set(depends CONFIGURE_DEPENDS)
  if(CMAKE_SCRIPT_MODE_FILE)
    set(depends)
  endif()
  file(GLOB headers ${depends} RELATIVE ${root} ${root}/kernels/simt/*.h)
  list(FILTER headers EXCLUDE REGEX "/(control|fiber|half_bits|hopper_runtime|mbarriers?|race|registers|report|scheduler|shared_memory|tensor_map|warp|warpgroup|wgmma)\\.h$")
  list(SORT headers)
  set(${result} ${headers} PARENT_SCOPE)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  get_filename_component(root ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
  if(KERNELS)
    heddle_kernel_headers(headers ${root})
  else()
    heddle_public_headers(headers ${root})
  endif()
  string(REPLACE ";" "\n" headers "${headers}")
  execute_process(COMMAND ${CMAKE_COMMAND} -E echo "${headers}")
endif()
