#include <gtest/gtest.h>

#include <thrust/execution_policy.h>

#include "kernels/random/sorted_choices.h"

// The shuffle that libheddle_cuda runs on Thrust's CUDA system, on its host system: the same functors and the same
// order.
namespace {

using namespace heddle;
using namespace heddle::kernels;

std::vector<std::int64_t> by_sorting(const RandomState& state, std::int64_t n) {
    const auto size = static_cast<std::size_t>(n);
    std::vector<std::uint32_t> choice(size, 77), step(size, 77), next(size, 77), first(size, 77);
    std::vector<std::int64_t> y(size, -1);
    permute_by_sorting(thrust::host, state, {choice.data(), step.data(), next.data(), first.data()}, y.data(), n);
    return y;
}

std::vector<std::int64_t> by_reference(const RandomState& state, std::int64_t n) {
    std::vector<std::int64_t> y(static_cast<std::size_t>(n), -1);
    KernelContext context;
    random_permutation()
        .find("reference", DeviceKind::cpu)
        ->run({state, View(y.data(), Shape{n}, DType::i64)}, context);
    return y;
}

TEST(Thrust, SortingMakesThePromisedPermutation) {
    for (std::int64_t n = 0; n < 40; ++n)
        for (std::uint64_t seed = 0; seed < 50; ++seed)
            ASSERT_EQ(by_sorting({.seed = seed, .offset = 3}, n), by_reference({.seed = seed, .offset = 3}, n))
                << n << " elements, seed " << seed;
    for (const std::int64_t n : {257, 4099, 50000})
        EXPECT_EQ(by_sorting({.seed = 20261121, .offset = 7}, n), by_reference({.seed = 20261121, .offset = 7}, n))
            << n;
}

TEST(Thrust, TheOffsetOnTheDeviceCounts) {
    const std::uint64_t advanced = 1000003;
    const RandomState state{.seed = 1, .offset = 2, .device_offset = &advanced};
    EXPECT_EQ(by_sorting(state, 67), by_reference({.seed = 1, .offset = advanced + 2}, 67));
}

}  // namespace
