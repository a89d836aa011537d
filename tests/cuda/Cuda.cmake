# Tests of libheddle_cuda on machines without a GPU. The program links the library's own objects, so that it reaches what
# is hidden in there.
target_link_libraries(test_cuda PRIVATE heddle_cuda_host)
target_compile_definitions(test_cuda PRIVATE HEDDLE_LIBRARY="$<TARGET_FILE:heddle>"
                                             HEDDLE_CUDA_LIBRARY="$<TARGET_FILE:heddle_cuda>")
add_dependencies(test_cuda heddle_cuda)
if(TARGET heddle_cli)
  add_dependencies(test_cuda heddle_cli)
  target_compile_definitions(test_cuda PRIVATE HEDDLE_COMMAND="$<TARGET_FILE:heddle_cli>")
endif()
