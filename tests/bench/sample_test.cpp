#include "tests/cases/sample.h"

#include <gtest/gtest.h>

#include <set>

#include "core/parallel.h"
#include "kernels/matmul/matmul.h"

namespace {

using namespace heddle;
using namespace heddle::cases;

const std::vector<std::unique_ptr<CaseSet>>& sets() {
    static const auto& result = *new std::vector<std::unique_ptr<CaseSet>>(all_cases());
    return result;
}

TEST(Sample, PlacesHoldTheCornersAndLieInside) {
    const Shape shape{3, 7, 9, 20};
    const auto places = sample_places(shape, 4000);
    const std::set<std::int64_t> found(places.begin(), places.end());
    EXPECT_EQ(found.size(), places.size());
    EXPECT_TRUE(std::is_sorted(places.begin(), places.end()));
    EXPECT_EQ(*found.begin(), 0);
    EXPECT_EQ(*found.rbegin(), shape.elements() - 1);
    for (const std::int64_t n : {0, 2})
        for (const std::int64_t h : {0, 6})
            for (const std::int64_t w : {0, 8})
                for (const std::int64_t c : {0, 19}) EXPECT_TRUE(found.contains(((n * 7 + h) * 9 + w) * 20 + c));
    EXPECT_TRUE(sample_places({0, 5}, 10).empty());
    EXPECT_EQ(sample_places({2}, 10), (std::vector<std::int64_t>{0, 1}));
    EXPECT_LE(sample_places({64, 64, 64, 64}, 300).size(), 302u);
}

/// The reference in f32 agrees with the sample of every case: padding, groups, dilation, strides, masks.
TEST(Sample, AgreesWithTheWholeReference) {
    const FlushDenormals flush;
    int sampled = 0;
    for (const auto& set : sets())
        for (std::size_t i = 0; i < set->size(); ++i) {
            if (set->is_benchmark(i)) continue;
            const auto trial = set->trial(i, Device::cpu(), DType::f32, {.sample_beyond = -1});
            if (!trial->sampled || trial->memory > 3'000'000) continue;  // large ones take long in plain loops
            const Outcome outcome = trial->check("reference");
            EXPECT_EQ(outcome.status, Outcome::Status::passed)
                << set->table().operation() << " " << set->name(i) << ": " << outcome.message;
            ++sampled;
        }
    EXPECT_GT(sampled, 200);
}

/// One wrong element at an edge is found by the sample and by the whole comparison alike.
TEST(Sample, FindsAWrongCorner) {
    auto& table = kernels::matmul();
    table.add({.name = "planted_corner",
               .priority = -1,
               .supports =
                   [](const kernels::Matmul& args) {
                       return args.c.dtype == DType::f32 ? Support::yes() : Support::no("f32 only");
                   },
               .run =
                   [](const kernels::Matmul& args, KernelContext& context) {
                       kernels::matmul().find("reference", DeviceKind::cpu)->run(args, context);
                       args.c.as<float>()[args.c.elements() - 1] += 1;
                   }});
    for (const auto& set : sets()) {
        if (set->table().operation() != std::string("matmul")) continue;
        Dims dims;
        set_shape(dims, "matmul", set->dims(), "37,41,29");
        const std::size_t index = set->add("own", complete("matmul", set->dims(), dims));
        for (const double beyond : {-1.0, 1e18}) {
            const auto trial = set->trial(index, Device::cpu(), DType::f32, {.sample_beyond = beyond});
            EXPECT_EQ(trial->sampled, beyond < 0);
            EXPECT_EQ(trial->check("planted_corner").status, Outcome::Status::failed);
            EXPECT_EQ(trial->check("reference").status, Outcome::Status::passed);
        }
    }
}

}  // namespace
