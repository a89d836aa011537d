#include "bench/tune.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "bench/text.h"
#include "core/error.h"
#include "core/parallel.h"
#include "kernels/conv/conv.h"
#include "kernels/machine.h"
#include "ops/conv.h"
#include "ops/random.h"
#include "tests/core/scoped_env.h"
#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::bench;
using heddle::testing::message_of;

/// A convolution without memory: enough for questions about its shapes.
kernels::Conv2dForward convolution(std::int64_t channels) {
    const Shape x{2, 8, 8, channels}, w{16, 3, 3, channels};
    const kernels::Conv2dParams params{.padding = {1, 1, 1, 1}};
    const auto at = [](std::uintptr_t place) { return reinterpret_cast<void*>(place << 40); };
    return {.x = View(at(1), x, DType::f32),
            .w = View(at(2), w, DType::f32),
            .bias = View(),
            .params = params,
            .y = View(at(3), params.output_shape(x, w), DType::f32)};
}

std::string chosen(const kernels::Conv2dForward& args) {
    return kernels::conv2d_forward().choose(args, Device::cpu()).name;
}

TunedCall tuned(const kernels::Conv2dForward& args, const char* implementation) {
    return {.operation = "conv2d_forward",
            .device = DeviceKind::cpu,
            .threads = tuned_threads(DeviceKind::cpu),
            .key = kernels::conv2d_forward().key(args),
            .implementation = implementation,
            .call = "a call",
            .seconds = 1,
            .by_priority = 2};
}

Tuning tuning(std::vector<TunedCall> calls) {
    return {.machines = {{DeviceKind::cpu, machine_name(Device::cpu())}}, .calls = std::move(calls)};
}

class TuningTest : public ::testing::Test {
  protected:
    ~TuningTest() override {
        use_tuning({});
        set_thread_count(0);
    }
};

TEST_F(TuningTest, ForcedThenTunedThenPriority) {
    const auto args = convolution(16), other = convolution(32);
    use_tuning({});
    const std::string usual = chosen(args);
    ASSERT_NE(usual, "reference");
    use_tuning(tuning({tuned(args, "reference")}));
    EXPECT_EQ(chosen(args), "reference");
    EXPECT_EQ(chosen(other), kernels::conv2d_forward().explain(other, Device::cpu()).name);
    EXPECT_NE(chosen(other), "reference");
    EXPECT_EQ(kernels::conv2d_forward().explain(args, Device::cpu()).rule, Choice::Rule::tuned);
    {
        const ForceKernel force("conv2d_forward", "cpu");
        EXPECT_EQ(chosen(args), "cpu");
        EXPECT_EQ(kernels::conv2d_forward().explain(args, Device::cpu()).rule, Choice::Rule::forced);
    }
    EXPECT_EQ(chosen(args), "reference");
    use_tuning({});
    EXPECT_EQ(chosen(args), usual);
    EXPECT_EQ(kernels::conv2d_forward().explain(args, Device::cpu()).rule, Choice::Rule::priority);
}

TEST_F(TuningTest, WhatCannotRunIsPassedOver) {
    const auto args = convolution(16);
    const std::string usual = chosen(args);
    use_tuning(tuning({tuned(args, "of_another_version")}));
    EXPECT_EQ(chosen(args), usual);
    Tuning elsewhere = tuning({tuned(args, "reference")});
    elsewhere.machines[DeviceKind::cpu] = "another processor";
    use_tuning(elsewhere);
    EXPECT_EQ(chosen(args), usual);
}

TEST_F(TuningTest, EachNumberOfThreadsHasItsOwn) {
    const auto args = convolution(16);
    set_thread_count(1);
    use_tuning({});
    const std::string usual = chosen(args);
    ASSERT_NE(usual, "reference");
    set_thread_count(2);
    Tuning both = tuning({tuned(args, "reference")});
    use_tuning(both);
    EXPECT_EQ(chosen(args), "reference");
    set_thread_count(1);
    EXPECT_EQ(chosen(args), usual);
    both.merge(tuning({tuned(args, "cpu")}));  // beside the other, not in its place
    ASSERT_EQ(both.calls.size(), 2u);
    use_tuning(both);
    EXPECT_EQ(chosen(args), "cpu");
    set_thread_count(2);
    EXPECT_EQ(chosen(args), "reference");
    const SerialScope alone;  // computes on one thread
    EXPECT_EQ(chosen(args), "cpu");
}

/// Virtual machines call processors of several generations "AMD EPYC": the name must say more.
TEST(MachineName, HoldsMoreThanTheProcessorsName) {
    const std::string name = machine_name(Device::cpu());
    std::ifstream file("/proc/cpuinfo");
    int found = 0;
    for (std::string line; std::getline(file, line) && !line.empty();) {  // the first processor's lines
        const std::string value = line.substr(std::min(line.find(':') + 2, line.size()));
        for (const auto& [field, shown] : {std::pair{"cpu family\t", "family "},
                                           {"model\t", "model "},
                                           {"stepping\t", "stepping "},
                                           {"model name\t", ""}}) {
            if (!line.starts_with(field)) continue;
            ++found;
            EXPECT_NE(name.find(shown + value), std::string::npos) << name << ", " << line;
        }
    }
    EXPECT_EQ(found, 4);
    EXPECT_NE(name.find("), " + cpu_instructions() + ", oneDNN "), std::string::npos) << name;
}

TEST_F(TuningTest, KeysTellCallsApart) {
    const auto& table = kernels::conv2d_forward();
    const auto args = convolution(16);
    const std::uint64_t key = table.key(args);
    EXPECT_EQ(table.key(convolution(16)), key);
    auto other = args;
    other.params.padding = {1, 1, 1, 0};
    EXPECT_NE(table.key(other), key);
    other = args;
    other.activation = kernels::FusedActivation::relu;
    EXPECT_NE(table.key(other), key);
    other = args;
    other.bias = View(nullptr, {16}, DType::f32);
    EXPECT_NE(table.key(other), key);
    other = args;
    other.x.data = nullptr;  // addresses do not count
    EXPECT_EQ(table.key(other), key);
}

TEST_F(TuningTest, FilesThereAndBack) {
    const testing_files::TempFolder folder;
    const std::string path = folder / "sub/tuning.json";
    const auto args = convolution(16);
    Tuning first = tuning({tuned(args, "cpu"), tuned(convolution(32), "cpu")});
    first.save(path);
    Tuning again = Tuning::load(path);
    ASSERT_EQ(again.calls.size(), 2u);
    EXPECT_EQ(again.calls[0].key, first.calls[0].key);
    EXPECT_EQ(again.calls[0].threads, tuned_threads(DeviceKind::cpu));
    EXPECT_EQ(again.calls[0].implementation, "cpu");
    EXPECT_EQ(again.machines, first.machines);
    again.merge(tuning({tuned(args, "reference")}));  // in place of the known one
    ASSERT_EQ(again.calls.size(), 2u);
    EXPECT_EQ(again.calls[1].implementation, "reference");
    Tuning elsewhere = tuning({tuned(convolution(48), "cpu")});
    elsewhere.machines[DeviceKind::cpu] = "another";
    again.merge(elsewhere);  // nothing of the first machine stays
    EXPECT_EQ(again.calls.size(), 1u);

    testing_files::write_bytes(path, "{\"format\": \"heddle tuning 2\", \"machines\": {}}");
    EXPECT_NE(message_of<Error>([&] { Tuning::load(path); }).find(path), std::string::npos);
    EXPECT_NE(message_of<Error>([&] { Tuning::load(path); }).find("calls"), std::string::npos);
    testing_files::write_bytes(path, "{\"format\": \"heddle tuning 1\", \"machines\": {}, \"calls\": []}");
    EXPECT_NE(message_of<Error>([&] { Tuning::load(path); }).find("heddle tuning 2"), std::string::npos);
}

TEST_F(TuningTest, ARecorderHearsEveryCallOnce) {
    const auto sets = cases::all_cases();
    const Tensor x = ops::random_normal(Shape{2, 9, 8, 5}), w = ops::random_normal(Shape{7, 3, 3, 5});
    std::vector<SeenCall> calls;
    {
        const CallRecorder recorder(sets, DeviceKind::cpu);
        for (int i = 0; i < 3; ++i) ops::conv2d(x, w, {}, {.padding = {1, 1, 1, 1}});
        calls = recorder.calls();
    }
    ops::conv2d(x, w, {}, {});
    ASSERT_EQ(calls.size(), 1u);
    EXPECT_EQ(calls[0].count, 3);
    ASSERT_TRUE(calls[0].dims.has_value());
    EXPECT_EQ(
        cases::describe(calls[0].set->dims(), cases::complete("conv2d_forward", calls[0].set->dims(), *calls[0].dims)),
        "n=2 h=9 w=8 c=5 k=7 r=3 s=3 pad=1");
}

/// It does nothing, so it would be by far the fastest.
TEST_F(TuningTest, AWrongImplementationIsMarkedAndNeverChosen) {
    kernels::conv2d_forward().add({.name = "planted",
                                   .priority = -1,
                                   .supports = [](const kernels::Conv2dForward&) { return Support::yes(); },
                                   .run = [](const kernels::Conv2dForward&, KernelContext&) {}});
    const auto sets = cases::all_cases();
    cases::CaseSet& set = find_set(sets, "conv2d_forward");
    const auto args = convolution(16);
    const SeenCall call{
        .set = &set, .key = kernels::conv2d_forward().key(args), .dims = set.dims_of(&args), .count = 1};
    const Finding finding = tune(call, {.warmup_s = 0.001, .measure_s = 0.003});
    ASSERT_TRUE(finding.choice.has_value()) << finding.note;
    EXPECT_NE(finding.choice->implementation, "planted");
    EXPECT_EQ(finding.choice->key, call.key);
    bool found = false;
    for (const Contender& c : finding.result.contenders) {
        if (c.name != "planted") continue;
        found = true;
        EXPECT_EQ(c.state, Contender::State::wrong);
        EXPECT_FALSE(c.timing.has_value());
        EXPECT_NE(c.reason, "");
    }
    EXPECT_TRUE(found);
    EXPECT_EQ(finding.result.contenders.front().state, Contender::State::ranked);
    EXPECT_NE(table(finding.result, {}).find("planted"), std::string::npos);
}

TEST_F(TuningTest, CallsWithoutAChoiceSayWhy) {
    const auto sets = cases::all_cases();
    cases::CaseSet& set = find_set(sets, "conv2d_forward");
    EXPECT_EQ(tune({.set = &set, .key = 1, .dims = {}}, {}).note, "its arguments have no numbers in heddle bench");
    auto args = convolution(16);
    const SeenCall strange{.set = &set, .key = 12345, .dims = set.dims_of(&args)};
    EXPECT_EQ(tune(strange, {}).note, "its arguments are not those of heddle bench's case");
    args.params.padding = {1, 1, 0, 0};
    EXPECT_FALSE(set.dims_of(&args).has_value());
}

}  // namespace
