#include "core/driver/plugin.h"
#include "core/version.h"
#include "tests/core/scripted_driver.h"

// Stands for libheddle_cuda: two devices without kernels, whose streams run nothing before somebody waits.
namespace {

using heddle::testing::ScriptedDriver;

constexpr heddle::detail::DevicePlugin plugin = {
    .abi = heddle::detail::plugin_abi,
    .version = HEDDLE_VERSION,
    .count = [](std::string&) { return 2; },
    .description = [](int) { return std::string("scripted"); },
    .make_driver = [](int) -> std::unique_ptr<heddle::Driver> {
        return std::make_unique<ScriptedDriver>(ScriptedDriver::Order::latest);
    },
    .register_kernels = [] {}};

}  // namespace

extern "C" HEDDLE_API const heddle::detail::DevicePlugin* heddle_device_plugin() { return &plugin; }
