#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "bench/suites.h"
#include "tests/data/files.h"

// The protocol of benchmarks/pytorch_operators.py (docs/guides/bench.md), where there is a PyTorch.
namespace heddle {
namespace {

using Json = nlohmann::json;
using testing_files::read_bytes;
using testing_files::TempFolder;

const std::string script = std::string(HEDDLE_TEST_FOLDER) + "/../../benchmarks/pytorch_operators.py";

/// The first interpreter that has PyTorch; empty where none has.
const std::string& python() {
    static const std::string found = [] {
        for (const std::string candidate : {"python3", "/usr/bin/python3"})
            if (std::system((candidate + " -c 'import torch' 2>/dev/null").c_str()) == 0) return candidate;
        return std::string();
    }();
    return found;
}

class PyTorchOperators : public testing::Test {
  protected:
    void SetUp() override {
        if (python().empty()) GTEST_SKIP() << "no python3 here has PyTorch";
    }

    /// The exit status; what was printed goes to `out` and `err`.
    int run(const std::string& input) {
        const TempFolder folder;
        testing_files::write_bytes(folder / "in", input);
        const int status = std::system((python() + " '" + script + "' <'" + (folder / "in") + "' >'" +
                                        (folder / "out") + "' 2>'" + (folder / "err") + "'")
                                           .c_str());
        out = read_bytes(folder / "out");
        err = read_bytes(folder / "err");
        return status;
    }

    /// The answers by index: one for each case, all indices once.
    std::vector<Json> answers(const Json& cases) {
        EXPECT_EQ(run(cases.dump()), 0) << err;
        std::vector<Json> all(cases.size());
        std::istringstream lines(out);
        std::size_t count = 0;
        for (std::string line; std::getline(lines, line); ++count) {
            const Json answer = Json::parse(line, nullptr, false);
            const std::size_t index = answer.value("index", cases.size());
            EXPECT_LT(index, all.size()) << line;
            if (index >= all.size()) continue;
            EXPECT_TRUE(all[index].is_null()) << "twice: " << line;
            all[index] = answer;
        }
        EXPECT_EQ(count, cases.size()) << out;
        return all;
    }

    std::string out, err;
};

Json one(const std::string& operation, const Json& dims, const std::string& dtype = "f32") {
    return {{"operation", operation}, {"dtype", dtype},        {"threads", 1}, {"warmup_s", 0.0},
            {"measure_s", 0.002},     {"cold_bytes", 1 << 14}, {"dims", dims}};
}

Json convolution(int pad_end) {
    return {{"n", 2},
            {"h", 9},
            {"w", 7},
            {"c", 4},
            {"k", 6},
            {"r", 3},
            {"s", 3},
            {"stride", 2},
            {"pad", 1},
            {"bias", 1},
            {"pad_end", pad_end},
            {"dilation", 1},
            {"groups", 2},
            {"relu", 1},
            {"residual", 1}};
}

/// Every operation of the guide, with all of its numbers.
Json every_operation() {
    const Json pictures = {{"n", 2}, {"h", 6}, {"w", 5}, {"c", 8}};
    const auto with = [](Json dims, const Json& more) {
        dims.update(more);
        return dims;
    };
    Json all = Json::array();
    for (const char* name : {"conv2d_forward", "conv2d_backward_weights"}) all.push_back(one(name, convolution(1)));
    Json without_bias = convolution(1);  // as `heddle bench` asks for the data gradient, which has neither
    without_bias.erase("bias");
    without_bias.erase("relu");
    without_bias.erase("residual");
    all.push_back(one("conv2d_backward_data", without_bias));
    for (const int batch : {1, 3})
        all.push_back(one("matmul", {{"m", 4},
                                     {"n", 5},
                                     {"k", 6},
                                     {"batch", batch},
                                     {"transpose_a", 1},
                                     {"transpose_b", 1},
                                     {"bias", 1},
                                     {"relu", 1}}));
    for (const char* name : {"batch_norm_forward", "batch_norm_inference", "batch_norm_backward"})
        all.push_back(one(name, with(pictures, {{"relu", 1}, {"residual", 1}})));
    for (const std::string direction : {"_forward", "_backward"}) {
        const Json window = with(pictures, {{"kernel", 3}, {"stride", 2}, {"pad", 1}});
        all.push_back(one("layer_norm" + direction, {{"rows", 5}, {"features", 7}}));
        for (const int log : {0, 1})
            all.push_back(one("softmax" + direction, {{"rows", 5}, {"classes", 7}, {"log", log}}));
        all.push_back(one("max_pool2d" + direction, with(window, {{"relu", 1}})));
        all.push_back(one("avg_pool2d" + direction, with(window, {{"count_padding", 1}})));
        for (const int cell : {0, 1, 2, 3})
            all.push_back(one("rnn" + direction,
                              {{"batch", 2}, {"time", 3}, {"inputs", 4}, {"units", 5}, {"cell", cell}, {"bias", 1}}));
        for (const int causal : {0, 1})
            for (const int dropout : {0, 10})
                all.push_back(one("attention" + direction, {{"batch", 2},
                                                            {"queries", 3},
                                                            {"keys", 5},
                                                            {"heads", 2},
                                                            {"size", 4},
                                                            {"causal", causal},
                                                            {"dropout", dropout}}));
    }
    return all;
}

TEST_F(PyTorchOperators, TimesEveryOperation) {
    const Json cases = every_operation();
    const std::vector<Json> found = answers(cases);
    for (std::size_t i = 0; i < cases.size(); ++i) {
        EXPECT_GT(found[i].value("median_s", 0.0), 0) << cases[i] << found[i];
        EXPECT_GE(found[i].value("spread_s", -1.0), 0) << cases[i] << found[i];
        EXPECT_NE(found[i].value("note", "").find("PyTorch "), std::string::npos) << found[i];
    }
}

/// Cases of the suites that have only a name.
TEST_F(PyTorchOperators, KnowsTheNamedCasesOfTheSuites) {
    Json cases = Json::array();
    for (const bench::Suite& suite : bench::suites())
        for (const bench::SuiteCase& named : suite.cases)
            if (named.dims.empty()) {
                cases.push_back(one(named.operation, Json::object()));
                cases.back()["case"] = named.name;
            }
    ASSERT_GE(cases.size(), 10u);
    const std::vector<Json> found = answers(cases);
    for (std::size_t i = 0; i < cases.size(); ++i)
        EXPECT_GT(found[i].value("median_s", 0.0), 0) << cases[i] << found[i];
}

TEST_F(PyTorchOperators, TimesTheSizesAskedFor) {
    const auto product = [](int size) {
        return one("matmul", {{"m", size},
                              {"n", size},
                              {"k", size},
                              {"batch", 1},
                              {"transpose_a", 0},
                              {"transpose_b", 0},
                              {"bias", 0},
                              {"relu", 0}});
    };
    const std::vector<Json> found = answers({product(512), product(16)});  // 32,768 times the operations
    EXPECT_GT(found[0].value("median_s", 0.0), 20 * found[1].value("median_s", 1.0));
}

TEST_F(PyTorchOperators, SaysWhatItCannotRunAndGoesOn) {
    const std::vector<Json> found = answers({one("fold", Json::object()), one("conv2d_forward", convolution(2)),
                                             one("softmax_forward", {{"rows", 2}, {"classes", 3}, {"log", 0}}, "i8"),
                                             one("conv2d_forward", convolution(1))});
    EXPECT_NE(found[0].value("unsupported", "").find("fold"), std::string::npos) << found[0];
    EXPECT_NE(found[1].value("unsupported", "").find("same on both sides"), std::string::npos) << found[1];
    EXPECT_NE(found[2].value("unsupported", "").find("i8"), std::string::npos) << found[2];
    EXPECT_GT(found[3].value("median_s", 0.0), 0) << found[3];
}

TEST_F(PyTorchOperators, ComplainsInOneLine) {
    EXPECT_NE(run("no JSON"), 0);
    EXPECT_EQ(out, "");
    EXPECT_EQ(err.find('\n'), err.size() - 1) << err;
    EXPECT_NE(err.find("no JSON array of cases"), std::string::npos) << err;
}

}  // namespace
}  // namespace heddle
