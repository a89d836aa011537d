#include "tests/cli/command.h"

namespace heddle::cli_tests {
namespace {

TEST(Check, CasesOfABuiltIn) {
    const std::vector<Json> records =
        expect_done({"check", "softmax_forward", "--impl", "cpu", "--dtype", "f32", "--json"}).records();
    ASSERT_GT(records.size(), 10u);
    for (std::size_t i = 0; i + 1 < records.size(); ++i) {
        EXPECT_EQ(records[i].at("event"), "case");
        EXPECT_EQ(records[i].at("status"), "passed") << records[i];
        EXPECT_LT(records[i].at("worst_error"), 1e-5) << records[i];
        EXPECT_NE(records[i].at("case"), "batch128x1000") << "a benchmark's case";
    }
    const Json& end = records.back();
    EXPECT_EQ(end.at("event"), "end");
    EXPECT_EQ(end.at("passed"), records.size() - 1);
    EXPECT_EQ(end.at("failed"), 0);

    const Outcome text = expect_done({"check", "softmax_forward", "--impl", "cpu"});
    EXPECT_NE(text.out.find("softmax_forward cpu on cpu, f32: " + end.at("passed").dump() + " cases passed, 0 failed"),
              std::string::npos)
        << text.out;
    EXPECT_NE(text.out.find("f16: not supported: dtype f16"), std::string::npos) << text.out;
}

TEST(Check, OneCase) {
    const std::vector<Json> records = expect_done({"check", "softmax_forward", "--impl", "reference", "--case",
                                                   "batch128x1000", "--dtype", "f32", "--json"})
                                          .records();
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0].at("case"), "batch128x1000");
}

TEST(Check, WhatIsNotThere) {
    expect_complaint(heddle({"check", "softmax", "--impl", "cpu"}), 1,
                     {"unknown operation \"softmax\"", "softmax_forward"});
    expect_complaint(heddle({"check", "softmax_forward", "--impl", "mine"}), 1,
                     {"no implementation \"mine\" on cpu", "it has cpu, reference", "HEDDLE_PLUGINS"});
    expect_complaint(heddle({"check", "softmax_forward", "--impl", "cpu", "--case", "none"}), 1, {"no case \"none\""});
    expect_complaint(heddle({"check", "softmax_forward", "--impl", "cpu", "--dtype", "f16"}), 1,
                     {"no case is supported", "f16"});
    expect_complaint(heddle({"check", "softmax_forward"}), 2, {"--impl"});
}

}  // namespace
}  // namespace heddle::cli_tests
