#include "kernels/detail/fusion.h"

#include <gtest/gtest.h>

// When layers run a fused form: asked of tables in which implementations are registered as the device libraries do it.
namespace {

using namespace heddle;
using kernels::detail::prefers_fused;

struct Step {
    bool usual = true;
};
struct StepAndMore {
    Step step = {};
};

template <class Args>
Support always(const Args&) {
    return Support::yes();
}
Support usual_ones(const Step& args) { return args.usual ? Support::yes() : Support::no("an odd number of channels"); }

class Fusion : public ::testing::Test {
  protected:
    Fusion() {
        for (const DeviceKind device : {DeviceKind::cpu, DeviceKind::sim, DeviceKind::cuda}) {
            const int rank = device == DeviceKind::cpu ? priority::fast : priority::plain;
            step.add({.name = "own", .device = device, .priority = rank, .supports = always});
            fused.add({.name = "own", .device = device, .priority = rank, .supports = always});
        }
    }
    /// What registers a library's implementation of the step.
    void add_library() {
        step.add({.name = "library", .device = DeviceKind::cuda, .priority = priority::fast, .supports = usual_ones});
    }
    bool asked(DeviceKind device, bool usual = true) {
        return prefers_fused(fused, StepAndMore{{usual}}, step, Step{usual}, {device});
    }

    KernelTable<Step> step{"fusion_test_step"};
    KernelTable<StepAndMore> fused{"fusion_test_step_and_more"};
};

TEST_F(Fusion, FusesWhereNothingBetterStandsBack) {
    for (const DeviceKind device : {DeviceKind::cpu, DeviceKind::sim, DeviceKind::cuda}) EXPECT_TRUE(asked(device));
}

TEST_F(Fusion, ALibraryIsNotReplacedByAnUnprovenKernel) {
    add_library();
    EXPECT_FALSE(asked(DeviceKind::cuda));
    EXPECT_TRUE(asked(DeviceKind::sim));
    EXPECT_TRUE(asked(DeviceKind::cpu));
}

TEST_F(Fusion, ALibraryThatDeclinesTheCaseIsNotAsked) {
    add_library();
    EXPECT_TRUE(asked(DeviceKind::cuda, false));
}

TEST_F(Fusion, AProvenKernelReplacesALibrary) {
    add_library();
    fused.add({.name = "proven", .device = DeviceKind::cuda, .priority = priority::fast, .supports = always});
    EXPECT_TRUE(asked(DeviceKind::cuda));
}

TEST_F(Fusion, NamesDecide) {
    add_library();
    {
        const ForceKernel force("fusion_test_step_and_more", "own");
        EXPECT_TRUE(asked(DeviceKind::cuda));
    }
    {
        const ForceKernel force("fusion_test_step", "own");
        EXPECT_TRUE(asked(DeviceKind::cuda));
    }
    EXPECT_FALSE(asked(DeviceKind::cuda));
    // One that cannot run is not passed over in silence: running it says why.
    const ForceKernel force("fusion_test_step_and_more", "missing");
    EXPECT_TRUE(asked(DeviceKind::cuda));
}

TEST_F(Fusion, WithoutAFusedFormTheStepsRun) {
    const KernelTable<StepAndMore> none("fusion_test_none");
    EXPECT_FALSE(prefers_fused(none, StepAndMore{}, step, Step{}, Device::cpu()));
}

}  // namespace
