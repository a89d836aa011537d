# Tests of libheddle_cuda on machines without a GPU. The program links the library's own objects, so that it reaches what
# is hidden in there.
target_link_libraries(test_cuda PRIVATE heddle_cuda_host)
target_compile_definitions(test_cuda PRIVATE HEDDLE_LIBRARY="$<TARGET_FILE:heddle>"
                                             HEDDLE_CUDA_LIBRARY="$<TARGET_FILE:heddle_cuda>")
add_dependencies(test_cuda heddle_cuda)
# Thrust's host system, for what libheddle_cuda runs on its CUDA system.
target_include_directories(test_cuda SYSTEM PRIVATE ${HEDDLE_CCCL_INCLUDE_DIR})
target_compile_definitions(test_cuda PRIVATE THRUST_DEVICE_SYSTEM=THRUST_DEVICE_SYSTEM_CPP)
if(TARGET heddle_cli)
  add_dependencies(test_cuda heddle_cli)
  target_compile_definitions(test_cuda PRIVATE HEDDLE_COMMAND="$<TARGET_FILE:heddle_cli>")
endif()
