#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "core/device.h"
#include "core/device_library.h"
#include "kernels/cudnn/device.h"
#include "kernels/vendor.h"

// cuDNN's implementations on a machine without a GPU: plans are made for an H100 that h100_device_properties.json
// describes. (That file is written by hand, from NVIDIA's published figures, and accepted by cuDNN; record_gpu, which
// scripts/gpu_report.sh runs, writes a real one.) Plans show that cuDNN accepts a case and compiles its kernels for
// that GPU, never that the numbers are right.
namespace heddle::cudnn {

inline std::string h100_properties() {
    std::ifstream file(HEDDLE_TEST_FOLDER "/h100_device_properties.json");
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Once per process, before anything is planned. Loads libheddle_cuda, for the native kernels that some of cuDNN's
/// implementations use, and puts this program's own copy of cuDNN's into the tables, which can be told what to plan
/// for.
inline void plan_for_h100() {
    static const bool done = [] {
        device_status();
        kernels::cuda::register_cudnn();
        plan_for_described_device(h100_properties(), 90);
        return true;
    }();
    ASSERT_TRUE(done);
}

/// Engines that are compiled at run time load what they compiled, which takes a driver. The stand-in has its name, for
/// this process alone (make_stand_in.py), also where there is a real one.
inline void load_stand_in_driver() {
    static void* const library = dlopen(HEDDLE_STAND_IN_DRIVER, RTLD_NOW | RTLD_GLOBAL);
    ASSERT_NE(library, nullptr) << dlerror();
    ASSERT_EQ(dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD), library) << "another driver is loaded already";
}

}  // namespace heddle::cudnn
