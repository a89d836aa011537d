# cuDNN's implementations on machines without a GPU: plans for an H100 that is only described (described.h). The program
# links libheddle_cuda's own objects. Engines that are compiled at run time need a driver: a stand-in for this process.
target_link_libraries(test_cudnn PRIVATE heddle_cuda_host)
set(stand_in ${CMAKE_CURRENT_BINARY_DIR}/stand_in/libcuda.so.1)
add_custom_command(OUTPUT ${stand_in}
  COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/cudnn/make_stand_in.py
          --stub $<TARGET_FILE:CUDA::cuda_driver> --compiler ${CMAKE_CXX_COMPILER} --output ${stand_in}
  DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cudnn/make_stand_in.py VERBATIM)
add_custom_target(stand_in_driver DEPENDS ${stand_in})
add_dependencies(test_cudnn heddle_cuda stand_in_driver)
target_compile_definitions(test_cudnn PRIVATE HEDDLE_STAND_IN_DRIVER="${stand_in}")

# One process has the stand-in, the other one must not.
set_tests_properties(cudnn PROPERTIES ENVIRONMENT "GTEST_FILTER=-CudnnWithoutDriver.*")
add_test(NAME cudnn_without_driver COMMAND test_cudnn --gtest_filter=CudnnWithoutDriver.*)
set_tests_properties(cudnn_without_driver PROPERTIES LABELS unit
  ENVIRONMENT "GTEST_OUTPUT=json:${PROJECT_BINARY_DIR}/results/test_cudnn_without_driver.json")
