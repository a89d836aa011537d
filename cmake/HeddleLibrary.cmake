# libheddle: every .cpp of the floors from core to models. A new file is picked up at the next build.
set(heddle_sources)
foreach(floor core kernels ops layers data train models)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${floor}/*.cpp)
  list(APPEND heddle_sources ${files})
endforeach()
# The devices' own libraries have these (HeddleDevices.cmake).
list(FILTER heddle_sources EXCLUDE REGEX "/core/driver/(sim|cuda)/|/kernels/(simt|cudnn|plugins)/|/kernels/[a-z]+/(cudnn|cublaslt)[^/]*$")

set(heddle_soversion ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
include(HeddleRecipes)
add_library(heddle SHARED ${heddle_sources} ${heddle_recipes})
add_library(heddle::heddle ALIAS heddle)
set_target_properties(heddle PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${heddle_soversion})
target_compile_features(heddle PUBLIC cxx_std_20)
# On the target itself: what heddle_options brings comes after a parent project's include_directories(BEFORE ...).
target_include_directories(heddle BEFORE PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(heddle PRIVATE heddle_options fmt::fmt nlohmann_json::nlohmann_json OneDNN::OneDNN OpenMP::OpenMP_CXX
                                     JPEG::JPEG PNG::PNG ZLIB::ZLIB Threads::Threads ${CMAKE_DL_LIBS})

# CPU kernels: their loops vectorise at full width; contraction to FMA is wanted; none of them reads errno or traps.
set(cpu_kernels ${heddle_sources})
list(FILTER cpu_kernels INCLUDE REGEX "/kernels/.*/cpu[^/]*\\.cpp$")
set_source_files_properties(${cpu_kernels} PROPERTIES COMPILE_OPTIONS
  "-O3;-ffp-contract=fast;-fno-math-errno;-fno-trapping-math;-mprefer-vector-width=512")
set_source_files_properties(${PROJECT_SOURCE_DIR}/core/driver/plugin.cpp ${PROJECT_SOURCE_DIR}/core/plugin.cpp PROPERTIES
  COMPILE_DEFINITIONS HEDDLE_SOVERSION="${heddle_soversion}")
set_source_files_properties(${PROJECT_SOURCE_DIR}/core/version.cpp PROPERTIES
  COMPILE_DEFINITIONS HEDDLE_VERSION="${PROJECT_VERSION}")
