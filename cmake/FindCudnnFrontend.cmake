# cuDNN's C++ interface (headers alone) and the headers of cuDNN itself, of version 9.8 or newer. The first come from
# scripts/fetch_cudnn_frontend.sh, the second lie beside the CUDA toolkit's; a folder in CMAKE_PREFIX_PATH may hold
# either. Nothing is linked. Sets
#   CudnnFrontend_FOUND, CudnnFrontend_VERSION, Cudnn_VERSION
#   Cudnn_LIBRARY_FOLDER  where libcudnn lies, or empty: the loader is asked first
find_path(CudnnFrontend_INCLUDE_DIR cudnn_frontend.h
          HINTS ${CMAKE_CURRENT_LIST_DIR}/../build/deps/cudnn-frontend PATH_SUFFIXES include)
find_path(Cudnn_INCLUDE_DIR cudnn_version.h HINTS ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES include)
if(CudnnFrontend_INCLUDE_DIR)
  file(STRINGS ${CudnnFrontend_INCLUDE_DIR}/cudnn_frontend_version.h lines
       REGEX "CUDNN_FRONTEND_(MAJOR|MINOR|PATCH)_VERSION [0-9]+")
  string(REGEX REPLACE "[^0-9;]" "" CudnnFrontend_VERSION "${lines}")
  string(REPLACE ";" "." CudnnFrontend_VERSION "${CudnnFrontend_VERSION}")
endif()
if(Cudnn_INCLUDE_DIR)
  file(STRINGS ${Cudnn_INCLUDE_DIR}/cudnn_version.h lines REGEX "define CUDNN_(MAJOR|MINOR|PATCHLEVEL) [0-9]+")
  string(REGEX REPLACE "[^0-9;]" "" Cudnn_VERSION "${lines}")
  string(REPLACE ";" "." Cudnn_VERSION "${Cudnn_VERSION}")
  string(REGEX REPLACE "\\..*" "" Cudnn_VERSION_MAJOR "${Cudnn_VERSION}")
  find_file(Cudnn_LIBRARY_FILE libcudnn.so.${Cudnn_VERSION_MAJOR}  # first that of the headers
            HINTS ${Cudnn_INCLUDE_DIR}/../lib ${Cudnn_INCLUDE_DIR}/../lib64 ${CUDAToolkit_LIBRARY_DIR}
            PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE})
  if(Cudnn_LIBRARY_FILE)
    get_filename_component(Cudnn_LIBRARY_FOLDER ${Cudnn_LIBRARY_FILE} DIRECTORY)
  endif()
endif()
set(Cudnn_RECENT FALSE)
if(Cudnn_VERSION VERSION_GREATER_EQUAL 9.8)
  set(Cudnn_RECENT TRUE)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CudnnFrontend
  REQUIRED_VARS CudnnFrontend_INCLUDE_DIR Cudnn_INCLUDE_DIR Cudnn_RECENT VERSION_VAR CudnnFrontend_VERSION)
if(CudnnFrontend_FOUND AND NOT TARGET CudnnFrontend::CudnnFrontend)
  add_library(CudnnFrontend::CudnnFrontend INTERFACE IMPORTED)
  set_target_properties(CudnnFrontend::CudnnFrontend PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${CudnnFrontend_INCLUDE_DIR};${Cudnn_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS "NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING;CUDNN_FRONTEND_SKIP_JSON_LIB")
endif()
mark_as_advanced(CudnnFrontend_INCLUDE_DIR Cudnn_INCLUDE_DIR Cudnn_LIBRARY_FILE)
