#include "tests/cases/dims.h"

#include <gtest/gtest.h>

#include "bench/run.h"
#include "bench/suites.h"
#include "core/error.h"
#include "tests/core/scoped_env.h"

namespace {

using namespace heddle;
using namespace heddle::cases;
using heddle::testing::message_of;

const std::vector<Dim> list = {{.name = "n"},
                               {.name = "k"},
                               {.name = "pad", .fallback = 0, .low = 0, .high = 9},
                               {.name = "pad_end", .same_as = "pad", .low = 0},
                               {.name = "cell", .fallback = 2, .low = 0, .high = 3, .words = {"relu", "tanh", "lstm"}},
                               flag("bias")};

TEST(Dims, WhatIsLeftOutIsFilledIn) {
    Dims given;
    set_shape(given, "op", list, "128,16");
    set_named(given, "op", list, "pad=1,cell=tanh");
    const Dims dims = complete("op", list, given);
    EXPECT_EQ(dims.at("n"), 128);
    EXPECT_EQ(dims.at("pad_end"), 1);
    EXPECT_EQ(dims.at("cell"), 1);
    EXPECT_EQ(dims.at("bias"), 0);
    EXPECT_EQ(describe(list, dims), "n=128 k=16 pad=1 cell=tanh");
}

TEST(Dims, ErrorsSayWhatWasExpected) {
    Dims given;
    EXPECT_EQ(message_of<Error>([&] { set_shape(given, "op", list, "1,2,3"); }),
              "op: --shape: expected 2 numbers n,k, got \"1,2,3\"");
    EXPECT_EQ(message_of<Error>([&] { set_shape(given, "op", list, "1,x"); }),
              "op: k: expected a whole number, got \"x\"");
    EXPECT_EQ(message_of<Error>([&] { set_named(given, "op", list, "stride=2"); }),
              "op: there is no \"stride\"; expected n,k,pad,pad_end,cell,bias");
    EXPECT_EQ(message_of<Error>([&] { set_named(given, "op", list, "pad"); }), "op: expected NAME=VALUE, got \"pad\"");
    Dims few;
    few.set("n", 3);
    EXPECT_EQ(message_of<Error>([&] { complete("op", list, few); }), "op: \"k\" is missing; --shape gives n,k");
    few.set("k", 0);
    EXPECT_NE(message_of<Error>([&] { complete("op", list, few); }).find("op: k: expected 1 to "), std::string::npos);
    few.set("k", 1);
    few.set("pad", 10);
    EXPECT_EQ(message_of<Error>([&] { complete("op", list, few); }), "op: pad: expected 0 to 9, got 10");
}

TEST(Dims, NumbersThatDoNotGoTogether) {
    const auto sets = all_cases();
    const auto add = [&](const char* operation, const char* shape, const char* named) {
        CaseSet& set = bench::find_set(sets, operation);
        Dims dims;
        set_shape(dims, operation, set.dims(), shape);
        if (*named) set_named(dims, operation, set.dims(), named);
        set.add("own", complete(operation, set.dims(), dims));
    };
    EXPECT_EQ(message_of<Error>([&] { add("conv2d_forward", "1,4,4,3,8,3,3", "groups=2"); }),
              "conv2d: c = 3 and k = 8 are not multiples of groups = 2");
    EXPECT_EQ(message_of<Error>([&] { add("conv2d_backward_data", "1,4,4,3,8,5,5", ""); }),
              "conv2d: a kernel of 5 x 5 does not fit a picture of 4 x 4");
    EXPECT_EQ(message_of<Error>([&] { add("max_pool2d_forward", "1,4,4,3", "pad=2"); }),
              "pooling: pad = 2 is not below kernel = 2");
}

/// Its key tells types apart, and its reference takes it.
TEST(Dims, EveryOperationMakesItsCase) {
    const auto sets = all_cases();
    for (const auto& set : sets) {
        if (set->dims().empty()) continue;
        Dims given;
        for (const Dim& dim : set->dims())
            if (dim.required()) given.set(dim.name, 8);
        for (const Dim& dim : set->dims())
            if (dim.name == "r" || dim.name == "s" || dim.name == "stride") given.set(dim.name, 2);
        const Dims dims = complete(set->table().operation(), set->dims(), given);
        const std::size_t index = set->add("own", dims);
        EXPECT_EQ(set->name(index), "own");
        EXPECT_NE(set->key(index, DType::f32), 0u) << set->table().operation();
        EXPECT_NE(set->key(index, DType::f32), set->key(index, DType::bf16)) << set->table().operation();
        EXPECT_EQ(set->offer(index, "reference", DeviceKind::cpu, DType::f32).reason(), "");
    }
}

TEST(Suites, EveryCaseExists) {
    const auto sets = all_cases();
    for (const bench::Suite& suite : bench::suites()) {
        const auto jobs = bench::suite_jobs(sets, suite.name, DType::f32);
        EXPECT_EQ(jobs.size(), suite.cases.size());
        for (const bench::Job& job : jobs)
            EXPECT_EQ(job.set->offer(job.index, "reference", DeviceKind::cpu, DType::f32).reason(), "")
                << suite.name << " " << job.name;
    }
    EXPECT_NE(message_of<Error>([&] { bench::suite_jobs(sets, "resnet9", DType::f32); }).find("resnet20"),
              std::string::npos);
}

}  // namespace
