#include "core/driver/plugin.h"

#include "core/check.h"
#include "core/driver/sim/driver.h"
#include "core/env.h"
#include "core/version.h"
#include "kernels/native_registry.h"
#include "kernels/simt/control.h"

// What libheddle_sim exports: there is one simulated device, wherever its kernels can run.
namespace heddle::sim {
namespace {

RunOrder run_order() {
    const std::string text = env("HEDDLE_SIM_STREAMS").value_or("earliest");
    if (text == "earliest") return RunOrder::earliest;
    if (text == "latest") return RunOrder::latest;
    if (text == "random") return RunOrder::random;
    fail(fmt::format("HEDDLE_SIM_STREAMS: expected earliest, latest or random, got \"{}\"", text));
}

std::unique_ptr<Driver> make_driver(int) {
    return std::make_unique<SimDriver>(run_order(),
                                       static_cast<std::uint64_t>(env_integer("HEDDLE_SIM_SEED").value_or(0)));
}

std::string description(int) { return "simulator: hand-written CUDA kernels on one thread of the CPU, for tests"; }

constexpr detail::DevicePlugin plugin = {
    .abi = detail::plugin_abi,
    .version = HEDDLE_VERSION,
    .count = [](std::string& why) { return simt::processor_suffices(why) ? 1 : 0; },
    .description = description,
    .make_driver = make_driver,
    .register_kernels = kernels::sim::register_native_kernels};

}  // namespace
}  // namespace heddle::sim

extern "C" HEDDLE_API const heddle::detail::DevicePlugin* heddle_device_plugin() { return &heddle::sim::plugin; }
