# cmake --install: library, the devices' libraries that were built, headers, CMake package heddle::heddle, pkg-config
# file, command.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS heddle EXPORT heddle LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT heddle
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# Beside libheddle, which opens them. Programs link neither; plug-ins with kernels do (heddle::sim, heddle::cuda).
set(heddle_installed heddle)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/heddle)
foreach(device sim cuda)
  if(TARGET heddle_${device})
    set_target_properties(heddle_${device} PROPERTIES EXPORT_NAME ${device})
    install(TARGETS heddle_${device} EXPORT heddle_${device} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
            COMPONENT heddle_${device} NAMELINK_SKIP)
    install(EXPORT heddle_${device} NAMESPACE heddle:: FILE heddle-${device}.cmake DESTINATION ${package_dir})
    list(APPEND heddle_installed heddle_${device})
  endif()
endforeach()
if(CMAKE_STRIP)
  foreach(library ${heddle_installed})
    install(CODE "
      if(CMAKE_INSTALL_CONFIG_NAME STREQUAL \"Release\")
        execute_process(COMMAND ${CMAKE_STRIP} --strip-unneeded
          \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/$<TARGET_FILE_NAME:${library}>\" COMMAND_ERROR_IS_FATAL ANY)
      endif()" COMPONENT ${library})
  endforeach()
endif()
foreach(header heddle.h ${heddle_public_headers} ${heddle_kernel_headers})
  get_filename_component(folder heddle/${header} DIRECTORY)
  install(FILES ${heddle_include_dir}/heddle/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${folder})
endforeach()

# The file name in lower case serves find_package(heddle) and find_package(Heddle).
install(EXPORT heddle NAMESPACE heddle:: FILE heddle-targets.cmake DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/heddle-config.cmake.in
                              ${PROJECT_BINARY_DIR}/heddle-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/heddle-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/heddle-config.cmake ${PROJECT_BINARY_DIR}/heddle-config-version.cmake
        DESTINATION ${package_dir})

set(heddle_pc_prefix "@prefix@")
configure_file(${PROJECT_SOURCE_DIR}/cmake/heddle.pc.in ${PROJECT_BINARY_DIR}/heddle.pc.in @ONLY)
# The prefix is known when installing (cmake --install --prefix), not before.
install(CODE "
  set(prefix \"\${CMAKE_INSTALL_PREFIX}\")
  configure_file(\"${PROJECT_BINARY_DIR}/heddle.pc.in\" \"${PROJECT_BINARY_DIR}/heddle.pc\" @ONLY)")
install(FILES ${PROJECT_BINARY_DIR}/heddle.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(TARGET heddle_cli)
  file(RELATIVE_PATH lib_from_bin ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(heddle_cli PROPERTIES INSTALL_RPATH "$ORIGIN/${lib_from_bin}")
  install(TARGETS heddle_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  # `heddle bench --pytorch` looks for the first beside the folder of the command; the second is its module.
  install(FILES benchmarks/pytorch_operators.py benchmarks/pytorch_cases.py DESTINATION share/heddle OPTIONAL)
endif()
