#include <gtest/gtest.h>

#include <cmath>

#include "bench/compare.h"
#include "bench/plot.h"
#include "bench/pytorch.h"
#include "bench/text.h"
#include "core/error.h"
#include "tests/core/scoped_env.h"
#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::bench;
using heddle::testing::message_of;

Contender timed(const char* name, double median, double spread) {
    Contender c{.name = name, .has_error = true, .relative_error = 1e-7, .worst_error = 3e-6, .workspace_bytes = 4096};
    c.timing = Timing{.median = median, .spread = spread, .fastest = median, .samples = 9};
    return c;
}

Contender left_out(const char* name, Contender::State state, const char* reason) {
    return {.name = name, .state = state, .reason = reason};
}

Report report(std::vector<Contender> contenders) {
    CaseResult r{.operation = "conv2d_forward",
                 .name = "stage1",
                 .dtype = DType::f32,
                 .flops = 6e8,
                 .bytes = 1e7,
                 .sampled = true,
                 .cold = true,
                 .contenders = std::move(contenders)};
    r.dims.set("n", 128);
    return {.version = "1",
            .commit = "0123456789ab",
            .machine = "A \"machine\"",
            .device = "cpu",
            .threads = 2,
            .ceilings = {.bytes_per_second = 1e10, .flops_per_second = {{DType::f32, 1e11}}},
            .cases = {r}};
}

TEST(Result, TheRooflineGivesTheFloor) {
    const Report r = report({});
    EXPECT_DOUBLE_EQ(r.cases[0].floor_seconds(r.ceilings), 6e-3);
    EXPECT_TRUE(r.cases[0].compute_bound(r.ceilings));
    CaseResult copy{.flops = 0, .bytes = 1e7};
    EXPECT_DOUBLE_EQ(copy.floor_seconds(r.ceilings), 1e-3);
    EXPECT_FALSE(copy.compute_bound(r.ceilings));
    EXPECT_EQ(copy.floor_seconds({}), 0);
}

TEST(Result, SummaryOfSamples) {
    const Timing timing = summarize({5, 1, 4, 2, 3});
    EXPECT_DOUBLE_EQ(timing.median, 3);
    EXPECT_DOUBLE_EQ(timing.spread, 2);  // from 2 to 4
    EXPECT_DOUBLE_EQ(timing.fastest, 1);
    EXPECT_EQ(timing.samples, 5u);
    EXPECT_EQ(summarize({}).samples, 0u);
}

TEST(Result, JsonThereAndBack) {
    Contender wrong = left_out("b", Contender::State::wrong, "operand 2, element 3");
    wrong.has_error = true;
    wrong.relative_error = INFINITY;
    const Report r = report({timed("a", 8e-3, 1e-4), wrong, left_out("c", Contender::State::unsupported, "odd")});
    const Config config = r.to_config();
    const Report back = Report::from_config(Config::parse(config.to_json()));
    EXPECT_EQ(back.machine, r.machine);
    EXPECT_EQ(back.commit, r.commit);
    Report without = r;
    without.commit = "";
    EXPECT_EQ(Report::from_config(Config::parse(without.to_config().to_json())).commit, "");
    ASSERT_EQ(back.cases.size(), 1u);
    EXPECT_EQ(back.cases[0].dims, r.cases[0].dims);
    EXPECT_EQ(back.cases[0].contenders[0].timing->median, 8e-3);
    EXPECT_EQ(back.cases[0].contenders[1].state, Contender::State::wrong);
    EXPECT_EQ(back.cases[0].contenders[2].reason, "odd");
    EXPECT_DOUBLE_EQ(config.at("cases").array()[0].at("contenders").array()[0].at("of_ceiling").number(), 0.75);
    EXPECT_EQ(config.at("cases").array()[0].at("bound").string(), "compute");
}

TEST(Result, AFileThatIsNoneOfOurs) {
    const testing_files::TempFolder folder;
    const std::string path = folder / "x.json";
    testing_files::write_bytes(path, "{\"cases\": []}");
    const std::string message = message_of<Error>([&] { Report::load(path); });
    EXPECT_NE(message.find(path), std::string::npos);
    EXPECT_NE(message.find("format"), std::string::npos);
    EXPECT_NE(message_of<Error>([&] { Report::load(path + "x"); }).find("cannot be read"), std::string::npos);
}

TEST(Result, CsvHasALineForEachContender) {
    const std::string csv =
        report({timed("a", 8e-3, 1e-4), left_out("c", Contender::State::unsupported, "a, \"b\"")}).to_csv();
    EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
    EXPECT_NE(csv.find("conv2d_forward,stage1,f32,cpu,2,a,ranked,0.008,0.0001,6e+08,1e+07,0.75,compute,4096"),
              std::string::npos)
        << csv;
    EXPECT_NE(csv.find("\"a, \"\"b\"\"\""), std::string::npos) << csv;
}

TEST(Result, TheTableShowsReasons) {
    const Report r = report({timed("a", 8e-3, 1e-4), left_out("b", Contender::State::wrong, "element 3"),
                             left_out("c", Contender::State::unsupported, "odd channels")});
    EXPECT_TRUE(describe(r).starts_with("heddle 1 (commit 0123456789ab), cpu: A \"machine\", 2 threads\n"))
        << describe(r);
    const std::string text = table(r.cases[0], r.ceilings);
    for (const char* part :
         {"bound by arithmetic, at best 6.00 ms", "errors of a sample", "8.00 ms", "1 %", "75.0 GFLOP/s", "75 %",
          "4.10 kB", "1.0e-07", "WRONG: element 3", "not supported: odd channels"})
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(Result, Units) {
    EXPECT_EQ(duration(1.234e-7), "0.12 us");
    EXPECT_EQ(duration(0.0123), "12.3 ms");
    EXPECT_EQ(duration(123.4), "123 s");
    EXPECT_EQ(quantity(512, "B"), "512 B");
    EXPECT_EQ(quantity(999.7e6, "B"), "1.00 GB");
}

TEST(Compare, OnlyWhatIsBeyondNoise) {
    const auto kinds = [](double a, double spread_a, double b, double spread_b) {
        return compare(report({timed("x", a, spread_a)}), report({timed("x", b, spread_b)}));
    };
    EXPECT_TRUE(kinds(1e-3, 1e-5, 1.04e-3, 1e-5).empty());  // below 5 %
    EXPECT_TRUE(kinds(1e-3, 3e-4, 1.2e-3, 1e-5).empty());   // within the spread
    ASSERT_EQ(kinds(1e-3, 1e-5, 1.2e-3, 1e-5).size(), 1u);
    EXPECT_EQ(kinds(1e-3, 1e-5, 1.2e-3, 1e-5)[0].kind, Change::Kind::slower);
    EXPECT_EQ(kinds(1.2e-3, 1e-5, 1e-3, 1e-5)[0].kind, Change::Kind::faster);
}

TEST(Compare, WhatBecameWrongCameOrWent) {
    const Report before = report({timed("a", 1e-3, 0), timed("b", 1e-3, 0)});
    const Report after = report({left_out("a", Contender::State::wrong, "x"), timed("c", 1e-3, 0)});
    std::map<std::string, Change::Kind> kinds;
    for (const Change& change : compare(before, after)) kinds[change.implementation] = change.kind;
    EXPECT_EQ(kinds,
              (std::map<std::string, Change::Kind>{
                  {"a", Change::Kind::became_wrong}, {"b", Change::Kind::vanished}, {"c", Change::Kind::appeared}}));
    Report elsewhere = after;
    elsewhere.machine = "another";
    EXPECT_EQ(compare_text(before, after).find("different machines"), std::string::npos);
    EXPECT_NE(compare_text(before, elsewhere).find("different machines"), std::string::npos);
    Report serial = after, later = after;
    serial.threads = 1;
    EXPECT_NE(compare_text(before, serial).find("different machines"), std::string::npos);
    later.commit = "fedcba987654";
    EXPECT_EQ(compare_text(before, after).find("commits"), std::string::npos);
    EXPECT_NE(compare_text(before, later).find("commits: 0123456789ab and fedcba987654\n"), std::string::npos);
    EXPECT_NE(compare_text(before, after).find("now WRONG"), std::string::npos);
}

TEST(Plot, HoldsEveryContenderAndEscapes) {
    Report r = report({timed("a<b", 8e-3, 1e-4)});
    const std::string svg = plot(r);
    EXPECT_TRUE(svg.starts_with("<svg "));
    EXPECT_NE(svg.find("Roofline"), std::string::npos);
    EXPECT_NE(svg.find("a&lt;b"), std::string::npos);
    EXPECT_EQ(svg.find("a<b"), std::string::npos);
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    r.ceilings = {};
    EXPECT_NO_THROW(plot(r));
    EXPECT_THROW(plot(report({left_out("a", Contender::State::failed, "x")})), Error);
}

TEST(Pytorch, Answers) {
    const Contender good =
        pytorch_answer("{\"index\": 0, \"median_s\": 0.002, \"spread_s\": 1e-4, \"note\": \"nhwc\"}\n");
    EXPECT_EQ(good.state, Contender::State::ranked);
    EXPECT_EQ(good.timing->median, 0.002);
    EXPECT_EQ(good.timing->note, "nhwc");
    EXPECT_EQ(pytorch_answer("{\"index\": 0, \"unsupported\": \"no f16\"}").state, Contender::State::unsupported);
    for (const char* bad : {"", "hello", "{\"index\": 0}", "{\"index\": 0, \"median_s\": 0, \"spread_s\": 0}"})
        EXPECT_EQ(pytorch_answer(bad).state, Contender::State::failed) << bad;
}

TEST(Pytorch, TheScriptHearsTheCase) {
    const testing_files::TempFolder folder;
    const std::string script = folder / "fake.py";
    testing_files::write_bytes(
        script,
        "import json, sys\n"
        "case = json.load(sys.stdin)[0]\n"
        "d = case['dims']\n"
        "assert case['operation'] == 'matmul' and case['dtype'] == 'f32' and d['transpose_b'] == 0 and d['batch'] == "
        "1\n"
        "note = f\"{case['threads'] > 0} {case['cold_bytes'] >= 8 << 20} {case['cold_bytes'] == 0}\"\n"
        "print(json.dumps({'index': 0, 'median_s': d['m'], 'spread_s': 0, 'note': note}))\n");
    const auto sets = cases::all_cases();
    cases::CaseSet& set = find_set(sets, "matmul");
    cases::Dims dims;
    cases::set_shape(dims, "matmul", set.dims(), "3,5,7");
    dims = cases::complete("matmul", set.dims(), dims);
    const Job job{.set = &set, .index = set.add("own", dims), .name = "own", .dims = dims};
    const Contender c = run_pytorch(job, {.pytorch = script});
    EXPECT_EQ(c.reason, "");
    ASSERT_TRUE(c.timing.has_value());
    EXPECT_EQ(c.timing->median, 3);
    EXPECT_EQ(c.timing->note, "True True False");
    EXPECT_EQ(run_pytorch(job, {.warm = true, .pytorch = script}).timing->note, "True False True");
    EXPECT_EQ(run_pytorch(job, {.pytorch = folder / "none.py"}).state, Contender::State::failed);
}

}  // namespace
