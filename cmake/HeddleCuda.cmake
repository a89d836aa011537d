# libheddle_cuda: the cuda driver, the hand-written kernels, and the implementations by NVIDIA's libraries. cuDNN and
# cuBLASLt are opened when a device is there, so nothing of CUDA is linked but the static runtime.
string(REPLACE ";" "," heddle_architecture_list "${HEDDLE_CUDA_ARCHITECTURES}")

# Headers alone: cuBLAS's, and those of CUB and Thrust, which CUDA 13 has in a folder of their own.
find_path(HEDDLE_CUBLAS_INCLUDE_DIR cublasLt.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
find_path(HEDDLE_CCCL_INCLUDE_DIR thrust/version.h HINTS ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES cccl)
mark_as_advanced(HEDDLE_CUBLAS_INCLUDE_DIR HEDDLE_CCCL_INCLUDE_DIR)
if(NOT HEDDLE_CUBLAS_INCLUDE_DIR OR NOT HEDDLE_CCCL_INCLUDE_DIR)
  message(FATAL_ERROR "libheddle_cuda needs the CUDA toolkit's headers of cuBLAS (cublasLt.h), CUB and Thrust: install them, or set HEDDLE_CUDA=OFF")
endif()

# What the host compiler makes; the tests link it, too (tests/cuda).
file(GLOB heddle_cuda_host CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/driver/cuda/*.cpp
     ${PROJECT_SOURCE_DIR}/kernels/plugins/cuda_*.cpp ${PROJECT_SOURCE_DIR}/kernels/*/cublaslt*.cpp)
add_library(heddle_cuda_host OBJECT ${heddle_cuda_host})
set_target_properties(heddle_cuda_host PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_link_libraries(heddle_cuda_host PUBLIC heddle_options heddle fmt::fmt CUDA::cudart_static Threads::Threads ${CMAKE_DL_LIBS})
target_include_directories(heddle_cuda_host SYSTEM PUBLIC ${CUDAToolkit_INCLUDE_DIRS} ${HEDDLE_CUBLAS_INCLUDE_DIR})
target_compile_definitions(heddle_cuda_host PRIVATE HEDDLE_CUDA_ARCHITECTURES="${heddle_architecture_list}"
                           HEDDLE_CUDA_LIBRARY_FOLDER="${CUDAToolkit_LIBRARY_DIR}")

# cuDNN's implementations, where its headers are (HEDDLE_CUDNN in HeddleDevices.cmake).
if(heddle_cudnn)
  file(GLOB heddle_cudnn_host CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cudnn/*.cpp ${PROJECT_SOURCE_DIR}/kernels/*/cudnn.cpp)
  target_sources(heddle_cuda_host PRIVATE ${heddle_cudnn_host})
  target_link_libraries(heddle_cuda_host PUBLIC CudnnFrontend::CudnnFrontend)
  # It is all of cudnn_frontend, and runs once per case: half the time to compile it.
  set_source_files_properties(${PROJECT_SOURCE_DIR}/kernels/cudnn/graph.cpp PROPERTIES COMPILE_OPTIONS -O1)
  target_compile_definitions(heddle_cuda_host PRIVATE HEDDLE_CUDNN_FOLDER="${Cudnn_LIBRARY_FOLDER}")
endif()

file(GLOB heddle_cuda_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*/cub_*.cu
     ${PROJECT_SOURCE_DIR}/kernels/*/thrust_*.cu)
if("${HEDDLE_CUDA_ARCHITECTURES}" MATCHES "90a")  # wgmma is in no other code
  set_source_files_properties(${PROJECT_SOURCE_DIR}/kernels/matmul/native_hopper.cu PROPERTIES COMPILE_DEFINITIONS HEDDLE_SM90A)
endif()
add_library(heddle_cuda SHARED ${heddle_native_kernels} ${heddle_cuda_kernels} ${PROJECT_SOURCE_DIR}/kernels/plugins/cuda.cpp
            $<TARGET_OBJECTS:heddle_cuda_host>)
heddle_device_library(heddle_cuda)
set_target_properties(heddle_cuda PROPERTIES
  CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF CUDA_VISIBILITY_PRESET hidden
  CUDA_RUNTIME_LIBRARY Static)
target_compile_options(heddle_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--extended-lambda --expt-relaxed-constexpr -lineinfo -Xptxas=-v>)
target_link_libraries(heddle_cuda PRIVATE CUDA::cudart_static Threads::Threads ${CMAKE_DL_LIBS})
if(heddle_cudnn)
  target_compile_definitions(heddle_cuda PRIVATE HEDDLE_CUDNN)
endif()
