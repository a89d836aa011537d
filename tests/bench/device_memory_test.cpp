#include <gtest/gtest.h>

#include "core/driver/driver.h"
#include "core/error.h"
#include "kernels/matmul/matmul.h"
#include "tests/cases/case.h"

// What NVIDIA's libraries support depends on where operands are: questions to them use operands on the device.
namespace {

using namespace heddle;
using namespace heddle::cases;

bool on_the_simulator(const void* memory) {
    try {
        driver({DeviceKind::sim}).copy(const_cast<void*>(memory), memory, 1, CopyKind::device_to_device, 0);
        return true;
    } catch (const Error&) {
        return false;
    }
}

TEST(DeviceMemory, WhoeverAsksShowsOperandsOnTheDevice) {
    if (device_status()[static_cast<std::size_t>(DeviceKind::sim)].count == 0) GTEST_SKIP() << "no simulator";
    constexpr const char* name = "planted_particular";
    kernels::matmul().add({.name = name,
                           .device = DeviceKind::sim,
                           .priority = -1,
                           .supports =
                               [](const kernels::Matmul& args) {
                                   return on_the_simulator(args.a.data) && on_the_simulator(args.c.data)
                                              ? Support::yes()
                                              : Support::no("host memory");
                               },
                           .workspace_bytes = [](const kernels::Matmul& args) -> std::size_t {
                               if (!on_the_simulator(args.c.data)) throw Error("expected memory of the device");
                               return 64;
                           },
                           .run = kernels::matmul().find("native", DeviceKind::sim)->run});
    for (const auto& set : all_cases()) {
        if (set->table().operation() != std::string("matmul")) continue;
        EXPECT_EQ(set->offer(0, name, DeviceKind::sim, DType::f32).reason(), "");
        const ForceKernel force("matmul", name);
        EXPECT_EQ(set->choice(0, DeviceKind::sim, DType::f32).error, "");
        bool seen = false;
        for (const auto& candidate : set->trial(0, {DeviceKind::sim}, DType::f32, {})->candidates()) {
            if (candidate.name != name) continue;
            seen = true;
            EXPECT_EQ(candidate.reason, "");
            EXPECT_EQ(candidate.workspace_bytes, 64u);
        }
        EXPECT_TRUE(seen);
    }
}

}  // namespace
