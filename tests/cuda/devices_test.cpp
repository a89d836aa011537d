#include "core/driver/cuda/devices.h"

#include <gtest/gtest.h>

namespace {

using namespace heddle::cuda;

TEST(CudaDevices, ArchitecturesRunOnWhatTheyWereCompiledFor) {
    struct Expected {
        const char* architectures;
        int major, minor;
        bool runs;
    };
    for (const Expected& e : {Expected{"90a", 9, 0, true},
                              {"90a", 10, 0, false},
                              {"90a", 8, 0, false},
                              {"90", 9, 0, true},
                              {"90", 12, 0, true},
                              {"90", 8, 9, false},
                              {"80-real", 8, 0, true},
                              {"80-real", 8, 6, true},
                              {"86-real", 8, 0, false},
                              {"80-real", 9, 0, false},
                              {"80-virtual", 9, 0, true},
                              {"100f", 10, 3, true},
                              {"100f", 12, 0, false},
                              {"75-real,80-real,90a-real,90-virtual", 7, 5, true},
                              {"75-real,80-real,90a-real,90-virtual", 7, 0, false},
                              {"75-real;80-real;90a-real;90-virtual", 12, 0, true},
                              {"native", 5, 2, true},
                              {"all-major", 8, 6, true},
                              {"", 9, 0, false},
                              {"nonsense", 9, 0, false}})
        EXPECT_EQ(runs_on(e.architectures, e.major, e.minor), e.runs)
            << e.architectures << " on " << e.major << "." << e.minor;
}

TEST(CudaDevices, WhatIsMissingIsSaidAndWhatToDo) {
    EXPECT_EQ(why_no_device(cudaErrorInsufficientDriver, 0, nullptr).find("no NVIDIA driver (libcuda.so.1 not found)"),
              0u);
    const std::string old = why_no_device(cudaErrorInsufficientDriver, 12040, nullptr);
    EXPECT_NE(old.find("too old"), std::string::npos) << old;
    EXPECT_NE(old.find("12.4"), std::string::npos) << old;
    const std::string hidden = why_no_device(cudaErrorNoDevice, 13000, "");
    EXPECT_NE(hidden.find("CUDA_VISIBLE_DEVICES=\"\""), std::string::npos) << hidden;
    EXPECT_EQ(why_no_device(cudaErrorNoDevice, 13000, nullptr).find("VISIBLE"), std::string::npos);
    EXPECT_NE(why_no_device(cudaErrorStubLibrary, 0, nullptr).find("stub"), std::string::npos);
    EXPECT_NE(why_no_device(cudaErrorUnknown, 13000, nullptr).find("cudaErrorUnknown"), std::string::npos);
}

TEST(CudaDevices, EitherThereAreSomeOrAReasonIsGiven) {
    const Devices& found = devices();
    if (found.ordinals.empty())
        EXPECT_FALSE(found.why.empty());
    else
        EXPECT_NE(describe(found.ordinals.front()).find("compute capability"), std::string::npos);
}

}  // namespace
