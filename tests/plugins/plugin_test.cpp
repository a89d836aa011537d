#include "core/plugin.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/device.h"
#include "core/error.h"
#include "core/tensor.h"
#include "core/version.h"
#include "kernels/softmax/softmax.h"
#include "ops/softmax.h"
#include "tests/core/scoped_env.h"

namespace heddle {
namespace {

using testing::message_of;
using testing::ScopedEnv;

std::string file(const std::string& name) { return HEDDLE_TEST_PLUGINS "/" + name + ".so"; }

/// One line, with all the parts.
void expect_refused(const std::string& name, const std::vector<std::string>& parts) {
    const std::string message = message_of<Error>([&] { load_plugin(name); });
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : parts) EXPECT_NE(message.find(part), std::string::npos) << part << "\n" << message;
    for (const PluginInfo& plugin : loaded_plugins()) EXPECT_NE(plugin.file, name);
}

TEST(Plugin, WhatIsNone) {
    expect_refused("/nowhere/mine.so", {"plug-in /nowhere/mine.so: no such file"});
    expect_refused("nowhere_at_all.so", {"plug-in nowhere_at_all.so: it cannot be loaded", "nowhere_at_all.so"});
    expect_refused(HEDDLE_TEST_FOLDER "/plugin_test.cpp", {"plugin_test.cpp: it cannot be loaded"});
    expect_refused(file("no_entry"), {"no_entry.so: it has no function heddle_plugin"});
    expect_refused(file("no_kernels"), {"no_kernels.so: it has no register_kernels"});
}

TEST(Plugin, OfAnotherHeddle) {
    expect_refused(file("other_abi"),
                   {"other_abi.so: it was compiled for Heddle 7.3, this is Heddle " + std::string(version())});
}

TEST(Plugin, AddsAnImplementation) {
    const auto& table = kernels::softmax_forward();
    ASSERT_EQ(table.find("flat", DeviceKind::cpu), nullptr);
    const std::size_t before = table.entries().size();
    load_plugin(file("own_softmax"));
    load_plugin(file("own_softmax"));
    EXPECT_EQ(table.entries().size(), before + 1);
    ASSERT_EQ(loaded_plugins().size(), 1u);
    EXPECT_EQ(loaded_plugins()[0].name, "own_softmax");
    EXPECT_EQ(loaded_plugins()[0].file, file("own_softmax"));
}

// Before this process' first operation, which loads what the variable names, once. A failed attempt leaves it to the
// next.
TEST(Plugin, OfTheEnvironment) {
    {
        const ScopedEnv env("HEDDLE_PLUGINS", (file("own_softmax") + ":" + file("no_entry")).c_str());
        EXPECT_EQ(message_of<Error>([] { load_plugins(); }),
                  "HEDDLE_PLUGINS: plug-in " + file("no_entry") + ": it has no function heddle_plugin");
    }
    const ScopedEnv env("HEDDLE_PLUGINS", (":" + file("own_softmax") + ":" + file("other_softmax") + ":").c_str());
    EXPECT_EQ(kernels::softmax_forward().find("flatter", DeviceKind::cpu), nullptr);
    const Tensor y = ops::softmax(Tensor::zeros(Shape{1, 4}));
    EXPECT_NE(kernels::softmax_forward().find("flatter", DeviceKind::cpu), nullptr);
}

TEST(Plugin, IsChosenByItsPriorityOrByName) {
    load_plugin(file("own_softmax"));
    const Tensor x = Tensor::zeros(Shape{1, 4});
    EXPECT_EQ(ops::softmax(x).to_vector<float>()[0], 0.25f);  // the plug-in's has the lowest priority
    const ForceKernel force("softmax_forward", "flat");
    EXPECT_EQ(ops::softmax(x).to_vector<float>()[0], 0.125f);
}

#ifdef HEDDLE_TEST_SIM
// Without it every test on the simulator would be one that did not run.
TEST(DeviceLibraries, TheSimulatorThatWasBuiltLoads) {
    for (const DeviceStatus& status : device_status())
        if (status.kind == DeviceKind::sim) {
            EXPECT_GT(status.count, 0) << status.why_missing;
        }
}
#endif

}  // namespace
}  // namespace heddle
