# The libraries of the devices, which libheddle opens on demand:
#   libheddle_sim   the hand-written kernels compiled for the CPU, on the simulator (needs CUDA's headers only)
#   libheddle_cuda  the same kernels compiled by nvcc, the cuda driver, and the vendor's libraries' implementations
# HEDDLE_SIM, HEDDLE_CUDA: ON, OFF, or AUTO (built where the toolkit is there). HEDDLE_CUDNN: the same for cuDNN's
# implementations in libheddle_cuda (where cuDNN's headers and cudnn-frontend's are).
set(HEDDLE_SIM AUTO CACHE STRING "Build the simulator's library: ON, OFF, AUTO")
set(HEDDLE_CUDA AUTO CACHE STRING "Build the CUDA library: ON, OFF, AUTO")
set(HEDDLE_CUDNN AUTO CACHE STRING "Build cuDNN's implementations: ON, OFF, AUTO")
set(HEDDLE_CUDA_ARCHITECTURES 90a CACHE STRING "GPU architectures (as CMAKE_CUDA_ARCHITECTURES)")

find_package(CUDAToolkit 12.8 QUIET)
include(CheckLanguage)
if(HEDDLE_CUDA STREQUAL AUTO AND HEDDLE_SANITIZE)
  set(heddle_cuda OFF)  # sanitizers do not reach what nvcc compiles; the simulator is where kernels are checked
elseif(HEDDLE_CUDA)
  if(CUDAToolkit_FOUND AND NOT CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
  endif()
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER AND CUDAToolkit_FOUND)
    set(heddle_cuda ON)
  elseif(HEDDLE_CUDA STREQUAL AUTO)
    set(heddle_cuda OFF)
  else()
    message(FATAL_ERROR "HEDDLE_CUDA=ON needs the CUDA toolkit 12.8 or newer with nvcc: set CUDAToolkit_ROOT to it, or HEDDLE_CUDA=OFF")
  endif()
else()
  set(heddle_cuda OFF)
endif()
if(HEDDLE_SIM STREQUAL ON AND NOT CUDAToolkit_FOUND)
  message(FATAL_ERROR "HEDDLE_SIM=ON needs the headers of the CUDA toolkit 12.8 or newer: set CUDAToolkit_ROOT to it, or HEDDLE_SIM=OFF")
endif()
set(heddle_sim OFF)
if(HEDDLE_SIM AND CUDAToolkit_FOUND)
  set(heddle_sim ON)
endif()
set(heddle_cudnn OFF)
set(heddle_cudnn_status "cudnn OFF")
if(heddle_cuda AND HEDDLE_CUDNN)
  find_package(CudnnFrontend 1.32 QUIET)
  if(CudnnFrontend_FOUND)
    set(heddle_cudnn ON)
    set(heddle_cudnn_status "cudnn ${Cudnn_VERSION} (frontend ${CudnnFrontend_VERSION})")
  else()
    set(heddle_cudnn_status "cudnn OFF (needs cuDNN 9.8's headers and cudnn-frontend 1.32: scripts/fetch_cudnn_frontend.sh)")
    if(NOT HEDDLE_CUDNN STREQUAL AUTO)
      message(FATAL_ERROR "HEDDLE_CUDNN=ON: ${heddle_cudnn_status}")
    endif()
  endif()
endif()
message(STATUS "Heddle devices: cpu, sim ${heddle_sim}, cuda ${heddle_cuda}, ${heddle_cudnn_status}")

file(GLOB heddle_native_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*/native*.cu ${PROJECT_SOURCE_DIR}/kernels/native*.cu)

# Beside libheddle, in the build and installed; the file's name carries the version that libheddle looks for.
function(heddle_device_library target)
  set_target_properties(${target} PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${heddle_soversion}
    LIBRARY_OUTPUT_DIRECTORY $<TARGET_FILE_DIR:heddle> INSTALL_RPATH $ORIGIN)
  target_link_libraries(${target} PRIVATE heddle_options heddle fmt::fmt)
  target_compile_definitions(${target} PRIVATE HEDDLE_VERSION="${PROJECT_VERSION}")
  target_include_directories(${target} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
  target_link_libraries(${target} INTERFACE heddle CUDA::toolkit)  # of plug-ins
endfunction()

if(heddle_sim)
  add_subdirectory(${PROJECT_SOURCE_DIR}/kernels/simt)  # a folder of its own: there the .cu files are C++
endif()

if(heddle_cuda)
  set(CMAKE_CUDA_ARCHITECTURES ${HEDDLE_CUDA_ARCHITECTURES})
  set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
  if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${PROJECT_SOURCE_DIR}/scripts/nvcc_report.sh ${heddle_ccache})
  endif()
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake before 3.26 does not know that nvcc speaks C++20
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  endif()
  include(HeddleCuda)
endif()

foreach(device sim cuda)
  if(TARGET heddle_${device})
    add_library(heddle::${device} ALIAS heddle_${device})
  endif()
endforeach()
