#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <sstream>

#include "core/device.h"
#include "core/driver/driver.h"
#include "core/error.h"
#include "kernels/softmax/softmax.h"
#include "tests/core/scoped_env.h"

// libheddle_cuda on a machine without a GPU. On one with a GPU, the tests of what is missing are skipped, and say so.
namespace {

using namespace heddle;
using heddle::testing::message_of;

/// What libheddle found when it opened the library.
const DeviceStatus& status() {
    static const DeviceStatus& result = *new DeviceStatus(device_status()[1]);
    return result;
}

std::string output_of(const std::string& command) {
    std::string text;
    FILE* pipe = popen(command.c_str(), "r");
    for (int c; (c = std::fgetc(pipe)) != EOF;) text.push_back(static_cast<char>(c));
    pclose(pipe);
    return text;
}

TEST(CudaLibrary, DependsOnNothingOfCuda) {
    const std::string needed = output_of("readelf --dynamic --wide " HEDDLE_CUDA_LIBRARY " | grep NEEDED");
    EXPECT_NE(needed.find("libheddle.so"), std::string::npos) << needed;
    for (const char* library : {"cuda", "cudart", "cublas", "cudnn", "nvrtc"})
        EXPECT_EQ(needed.find(library), std::string::npos) << needed;
}

TEST(CudaLibrary, LoadingItIsCheap) {
    // A process of its own: here the library's objects are linked in, and others may have loaded it.
    const char* program =
        "import ctypes, time\n"
        "ctypes.CDLL('" HEDDLE_LIBRARY
        "')\n"
        "def resident():\n"
        "    return int(open('/proc/self/statm').read().split()[1]) * 4096\n"
        "before, start = resident(), time.perf_counter()\n"
        "ctypes.CDLL('" HEDDLE_CUDA_LIBRARY
        "')\n"
        "print(time.perf_counter() - start, resident() - before)\n";
    std::istringstream result(output_of(std::string("python3 -c \"") + program + "\""));
    double seconds = -1, bytes = -1;
    result >> seconds >> bytes;
    ASSERT_GE(bytes, 0) << "the program failed";
    RecordProperty("seconds", std::to_string(seconds));
    RecordProperty("bytes", std::to_string(bytes));
    std::printf("    loading takes %.1f ms and %.1f MB\n", seconds * 1e3, bytes / 1e6);
    EXPECT_LT(seconds, 0.5);
    EXPECT_LT(bytes, 50e6);
}

TEST(CudaLibrary, ListsItsKernelsWithAndWithoutADevice) {
    status();
    EXPECT_NE(kernels::softmax_forward().find("native", DeviceKind::cuda), nullptr);
}

TEST(CudaLibrary, WithoutADriverItSaysWhatIsMissing) {
    if (status().count > 0) GTEST_SKIP() << "there is a GPU";
    EXPECT_FALSE(status().why_missing.empty());
    if (!dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL)) {
        EXPECT_NE(status().why_missing.find("libcuda.so.1"), std::string::npos) << status().why_missing;
    }
    const std::string message = message_of<Error>([] { driver({DeviceKind::cuda}); });
    EXPECT_NE(message.find("device cuda:0"), std::string::npos) << message;
    EXPECT_NE(message.find(status().why_missing), std::string::npos) << message;
    EXPECT_EQ(Device::best(), Device::cpu());
}

#ifdef HEDDLE_COMMAND
TEST(CudaLibrary, WithoutADeviceNoVendorLibraryIsOpened) {
    if (status().count > 0) GTEST_SKIP() << "there is a GPU";
    const std::string names = output_of("LD_DEBUG=files " HEDDLE_COMMAND " info 2>&1 | grep 'calling init'");
    EXPECT_NE(names.find("libheddle_cuda"), std::string::npos) << names;
    for (const char* library : {"libcudnn", "libcublas", "libnvrtc", "libcudart"})
        EXPECT_EQ(names.find(library), std::string::npos) << names;
}

TEST(CudaLibrary, TheCommandSaysWhatIsMissing) {
    if (status().count > 0) GTEST_SKIP() << "there is a GPU";
    const std::string info = output_of(HEDDLE_COMMAND " info");
    EXPECT_NE(info.find("none: " + status().why_missing), std::string::npos) << info;
    EXPECT_NE(info.find("cuBLASLt not used: there is no GPU"), std::string::npos) << info;
    const std::string train = output_of(HEDDLE_COMMAND " train cnn --data nowhere --device cuda 2>&1");
    EXPECT_NE(train.find(status().why_missing), std::string::npos) << train;
}
#endif

}  // namespace
