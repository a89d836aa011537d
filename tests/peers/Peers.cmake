# The device library that test_peers loads in the place of libheddle_cuda.
add_library(test_two_devices MODULE peers/two_devices.cpp)
set_target_properties(test_two_devices PROPERTIES PREFIX "" OUTPUT_NAME two_devices)
target_link_libraries(test_two_devices PRIVATE heddle_options heddle)
target_compile_definitions(test_two_devices PRIVATE HEDDLE_VERSION="${PROJECT_VERSION}")
set(two_devices ${CMAKE_CURRENT_BINARY_DIR}/two_devices)  # holds it alone, under the name that is looked for
file(MAKE_DIRECTORY ${two_devices})
add_custom_command(TARGET test_two_devices POST_BUILD COMMAND ${CMAKE_COMMAND} -E copy
                   $<TARGET_FILE:test_two_devices> ${two_devices}/libheddle_cuda.so.${heddle_soversion})
add_dependencies(test_peers test_two_devices)
target_compile_definitions(test_peers PRIVATE HEDDLE_TEST_DEVICES="${two_devices}")
