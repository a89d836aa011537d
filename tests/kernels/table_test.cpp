#include "kernels/table.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include "core/allocator.h"
#include "core/error.h"
#include "kernels/softmax/softmax.h"
#include "tests/core/scoped_env.h"

namespace {

using namespace heddle;
using heddle::testing::message_of;

struct Twice {
    int value = 0;
    int* result = nullptr;
};

Support always(const Twice&) { return Support::yes(); }
Support only_even(const Twice& args) { return args.value % 2 == 0 ? Support::yes() : Support::no("an odd value"); }

class Table : public ::testing::Test {
  protected:
    Table() {
        table.add({.name = "plain", .priority = priority::plain, .supports = always});
        table.add({.name = "fast", .priority = priority::fast, .supports = only_even});
        table.add({.name = "reference", .priority = priority::reference, .supports = always});
        table.add({.name = "native", .device = DeviceKind::cuda, .priority = 99, .supports = always});
    }
    std::string chosen(int value) { return table.choose({value}, Device::cpu()).name; }

    KernelTable<Twice> table{"twice"};
};

TEST_F(Table, TheHighestPriorityThatSupportsTheCaseRuns) {
    EXPECT_EQ(chosen(4), "fast");
    EXPECT_EQ(chosen(3), "plain");
    EXPECT_STREQ(table.choose({3}, {DeviceKind::cuda}).name, "native");
    std::vector<std::string> names;
    for (const auto& entry : table.entries()) names.push_back(entry.name);
    EXPECT_EQ(names, (std::vector<std::string>{"fast", "plain", "reference", "native"}));
}

TEST_F(Table, TheSameNameReplaces) {
    table.add({.name = "fast", .priority = priority::fast, .supports = always});
    EXPECT_EQ(chosen(3), "fast");
    EXPECT_EQ(table.entries().size(), 4u);
    EXPECT_NE(table.find("native", DeviceKind::cuda), nullptr);
    EXPECT_EQ(table.find("native", DeviceKind::cpu), nullptr);
}

TEST_F(Table, ForcedNames) {
    {
        const ForceKernel force("twice", "reference");
        EXPECT_EQ(chosen(4), "reference");
        {
            const ForceKernel inner("twice", "plain");
            EXPECT_EQ(chosen(4), "plain");
        }
        EXPECT_EQ(chosen(4), "reference");
        const ForceKernel other("thrice", "fast");
        EXPECT_EQ(chosen(4), "reference");
    }
    EXPECT_EQ(chosen(4), "fast");
}

TEST_F(Table, AGuardEndsItsOwnForceAlone) {
    auto first = std::make_optional<ForceKernel>("twice", "reference");
    const ForceKernel second("twice", "plain");
    first.reset();
    EXPECT_EQ(chosen(4), "plain");
}

TEST_F(Table, AForcedOneThatCannotRunIsAnErrorThatSaysWhy) {
    {
        const ForceKernel force("twice", "fast");
        EXPECT_EQ(message_of<Error>([&] { chosen(3); }),
                  "twice: the forced implementation \"fast\" cannot run: an odd value");
    }
    const ForceKernel force("twice", "native");
    EXPECT_EQ(message_of<Error>([&] { chosen(4); }),
              "twice: the forced implementation \"native\" cannot run: there is no such implementation on cpu");
}

TEST_F(Table, WhereNoneCanRunTheReasonsAreGiven) {
    KernelTable<Twice> picky("picky");
    EXPECT_NE(message_of<Error>([&] { picky.choose({3}, Device::cpu()); }).find("none is registered"),
              std::string::npos);
    picky.add({.name = "fast", .supports = only_even});
    EXPECT_EQ(message_of<Error>([&] { picky.choose({3}, Device::cpu()); }),
              "picky: no implementation on cpu can run this case; fast: an odd value");
}

TEST_F(Table, RunGetsTheWorkspaceItAskedFor) {
    const Implementation<Twice> implementation{
        .name = "with workspace",
        .supports = always,
        .workspace_bytes = [](const Twice& args) { return static_cast<std::size_t>(args.value) * 1000; },
        .run =
            [](const Twice& args, KernelContext& context) {
                ASSERT_EQ(context.workspace_bytes, static_cast<std::size_t>(args.value) * 1000);
                EXPECT_EQ(reinterpret_cast<std::uintptr_t>(context.workspace) % 64, 0u);
                EXPECT_EQ(context.workspace == nullptr, args.value == 0);
                if (args.value == 7) fail("from the kernel");
                auto* bytes = static_cast<unsigned char*>(context.workspace);
                for (std::size_t i = 0; i < context.workspace_bytes; ++i) bytes[i] = 1;
                *args.result = 2 * args.value;
            }};
    const std::size_t before = allocator(Device::cpu()).stats().allocated;
    int result = -1;
    for (const int value : {0, 1, 100}) {
        run_implementation(implementation, Twice{value, &result}, Device::cpu(), 0);
        EXPECT_EQ(result, 2 * value);
    }
    EXPECT_THROW(run_implementation(implementation, Twice{7, &result}, Device::cpu(), 0), Error);
    EXPECT_EQ(allocator(Device::cpu()).stats().allocated, before);
}

// The variable is read once a process, so each of these runs in a child of its own.
using TableDeathTest = Table;

void choose_softmax_with(const char* setting) {
    setenv("HEDDLE_KERNEL", setting, 1);
    float x[2] = {1, 2};
    const View view(x, Shape{1, 2}, DType::f32);
    try {
        fprintf(stderr, "chosen: %s\n", kernels::softmax_forward().choose({view, view}, Device::cpu()).name);
    } catch (const Error& error) {
        fprintf(stderr, "error: %s\n", error.what());
    }
    _exit(0);
}

TEST_F(TableDeathTest, TheEnvironmentForcesKernels) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto ok = ::testing::ExitedWithCode(0);
    EXPECT_EXIT(choose_softmax_with("softmax_forward=reference"), ok, "chosen: reference");
    EXPECT_EXIT(choose_softmax_with("matmul=cpu,softmax_forward=reference"), ok, "chosen: reference");
    EXPECT_EXIT(choose_softmax_with("softmax_forward=fast"), ok, "error: softmax_forward: the forced .*\"fast\"");
    EXPECT_EXIT(choose_softmax_with("softmax_forward"), ok, "error: HEDDLE_KERNEL: expected operation=");
    EXPECT_EXIT(choose_softmax_with("softmax=reference"), ok,
                "error: HEDDLE_KERNEL: there is no operation \"softmax\"");
    EXPECT_EXIT(choose_softmax_with("=cpu"), ok, "error: HEDDLE_KERNEL: expected operation=");
}

TEST(KernelTables, NamesAreUnique) {
    std::vector<std::string> names;
    for (const KernelTableBase* table : kernel_tables()) names.push_back(table->operation());
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

}  // namespace
