# More rounds of the native kernels' cases on the simulator, whose threads and streams the plain round takes in order.
# f16 is left out: its code is that of bf16.
# Each has a file of results of its own: programs of one name that end side by side would race for theirs.
set(results_of GTEST_OUTPUT=json:${PROJECT_BINARY_DIR}/results/test_)
set(rounds --gtest_filter=*/sim.*:*/sim/bf16.*)
foreach(order reverse random)
  add_test(NAME kernels_sim_${order} COMMAND test_kernels ${rounds})
  set_tests_properties(kernels_sim_${order} PROPERTIES LABELS unit
    ENVIRONMENT "${results_of}kernels_sim_${order}.json;HEDDLE_SIM_ORDER=${order};HEDDLE_SIM_SEED=1;HEDDLE_EVIDENCE=")
endforeach()
foreach(order latest random)
  foreach(program ops train)
    add_test(NAME ${program}_sim_${order} COMMAND test_${program} --gtest_filter=*DeviceOps*:*DeviceTraining*)
    set_tests_properties(${program}_sim_${order} PROPERTIES LABELS unit
      ENVIRONMENT "${results_of}${program}_sim_${order}.json;HEDDLE_SIM_STREAMS=${order};HEDDLE_SIM_SEED=2;HEDDLE_EVIDENCE=")
  endforeach()
endforeach()

# The same cases with the simulator under a sanitizer (kernels/simt/CMakeLists.txt): heddle_sim_tsan and
# test_kernels_tsan are built and run by test.sh --full alone.
if(HEDDLE_SANITIZE)
  return()
endif()
# Each mutant of the kernels runs the case that notices it (docs/mutations.md); test.sh --full looks for all anew.
add_test(NAME mutations COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/scripts/mutate_kernels.py
                                --build ${PROJECT_BINARY_DIR} --replay)
set_tests_properties(mutations PROPERTIES LABELS unit)
foreach(name asan tsan)
  add_executable(test_kernels_${name} kernels/cases_test.cpp)
  target_link_libraries(test_kernels_${name} PRIVATE heddle_options heddle heddle_cases GTest::gtest GTest::gtest_main
                                                     nlohmann_json::nlohmann_json)
  add_dependencies(test_kernels_${name} heddle_sim_${name})
endforeach()
target_link_options(test_kernels_asan PRIVATE -fsanitize=address,undefined)
target_link_options(test_kernels_tsan PRIVATE -fsanitize=thread)
set_target_properties(test_kernels_tsan PROPERTIES EXCLUDE_FROM_ALL ON)
set(sanitized_kernels "HEDDLE_ALLOCATOR=passthrough;HEDDLE_EVIDENCE=")
add_test(NAME kernels_sim_asan COMMAND test_kernels_asan ${rounds})
set_tests_properties(kernels_sim_asan PROPERTIES LABELS unit ENVIRONMENT
  "${results_of}kernels_sim_asan.json;HEDDLE_DEVICE_LIBRARIES=${PROJECT_BINARY_DIR}/sim_asan;${sanitized_kernels};ASAN_OPTIONS=detect_leaks=0;UBSAN_OPTIONS=print_stacktrace=1")
