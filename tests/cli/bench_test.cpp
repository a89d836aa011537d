#include <gtest/gtest.h>

#include "core/version.h"
#include "tests/cli/command.h"
#include "tests/core/scoped_env.h"

// heddle bench and heddle tune, as a user runs them. Nothing here depends on speed.
namespace heddle::cli_tests {
namespace {

using testing_files::read_bytes;
using testing_files::TempFolder;
using testing_files::write_bytes;

const std::vector<std::string> quick = {"--time", "0.003", "--warmup", "0", "--no-ceilings"};

std::vector<std::string> with(std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

void expect_parts(const std::string& text, const std::vector<std::string>& parts) {
    for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(Bench, AShapeOfOnesOwn) {
    const TempFolder folder;
    const Outcome outcome = expect_done(with({"bench", "conv2d", "--shape", "2,9,8,16,16,3,3", "--pad", "1", "--json",
                                              folder / "a.json", "--csv", folder / "a.csv", "--plot", folder / "a.svg"},
                                             quick));
    expect_parts(outcome.out, {"conv2d_forward n=2 h=9 w=8 c=16 k=16 r=3 s=3 pad=1, f32", "conv2d_backward_data",
                               "conv2d_backward_weights", "implementation", "cpu", "GFLOP/s",
                               "left out: plain loops, slow: --impl reference runs them"});
    const Json report = Json::parse(read_bytes(folder / "a.json"));
    ASSERT_EQ(report["cases"].size(), 3u);
    int ranked = 0;
    for (const Json& one : report["cases"]) {
        EXPECT_EQ(one["dims"]["pad_end"], 1);
        EXPECT_EQ(one["dims"]["groups"], 1);
        for (const Json& c : one["contenders"]) {
            if (c["state"] != "ranked") continue;
            ++ranked;
            EXPECT_GT(c["median_s"], 0);
            EXPECT_LT(c["relative_error"], 1e-5);
        }
    }
    EXPECT_GE(ranked, 3);
    EXPECT_TRUE(read_bytes(folder / "a.csv").starts_with("operation,case,"));
    EXPECT_TRUE(read_bytes(folder / "a.svg").starts_with("<svg "));
    expect_parts(expect_done({"bench", "--compare", folder / "a.json", folder / "a.json"}).out, {"0 beyond noise"});
}

/// The commit of a checkout is in the head of the output and of the file.
TEST(Bench, SaysWhichCommitItIs) {
    const TempFolder folder;
    const Outcome outcome =
        expect_done(with({"bench", "softmax_forward", "--shape", "3,5", "--json", folder / "a.json"}, quick));
    const Json report = Json::parse(read_bytes(folder / "a.json"));
    if (!std::filesystem::exists(HEDDLE_TEST_FOLDER "/../../.git")) {
        EXPECT_FALSE(report.contains("commit"));
        return;
    }
    const std::string commit = report.at("commit");
    ASSERT_GE(commit.size(), 12u);
    EXPECT_EQ(commit.substr(0, 12).find_first_not_of("0123456789abcdef"), std::string::npos) << commit;
    EXPECT_TRUE(commit.size() == 12 || commit.substr(12) == "-dirty") << commit;
    EXPECT_TRUE(outcome.out.starts_with(std::string("heddle ") + version() + " (commit " + commit + "), cpu: "))
        << outcome.out;
}

/// The same processor with other instructions is another machine: for --compare, and for a tuning file.
TEST(Bench, OtherInstructionsAreAnotherMachine) {
    const TempFolder folder;
    const std::string plain = folder / "plain.json", lowered = folder / "lowered.json", file = folder / "tuning.json";
    const std::vector<std::string> words = {"bench", "softmax_forward", "--shape", "3,5", "--json"};
    const auto lower = [&](const std::vector<std::string>& all) {
        const testing::ScopedEnv isa("ONEDNN_MAX_CPU_ISA", "SSE41");  // oneDNN's own limit; every x86-64 here has more
        return heddle(all);
    };
    expect_done(with(with(words, {plain}), quick));
    EXPECT_EQ(lower(with(with(words, {lowered}), quick)).status, 0);
    EXPECT_EQ(expect_done({"bench", "--compare", plain, plain}).out.find("different machines"), std::string::npos);
    expect_parts(expect_done({"bench", "--compare", plain, lowered}).out, {"different machines", "sse41"});

    expect_done({"tune", "resnet20", "--input", "8,8,3", "--batch-size", "2", "--time", "0.002", "--out", file});
    const testing::ScopedEnv tuning("HEDDLE_TUNING", file.c_str());
    const std::vector<std::string> step = {"bench", "conv2d_forward", "--shape", "2,4,4,32,32,3,3", "--pad",
                                           "1",     "--explain"};
    EXPECT_EQ(expect_done(step).err, "");
    expect_parts(lower(step).err, {"the tuning file was made on another machine", "sse41", "it is not used"});
}

TEST(Bench, NamedCasesAndTheReference) {
    const Outcome outcome = expect_done(
        with({"bench", "binary", "--case", "add_row", "--case", "add_same", "--impl", "reference,cpu"}, quick));
    expect_parts(outcome.out, {"binary add_row", "binary add_same", "reference", "cpu"});
}

TEST(Bench, AllMeansTheReferenceToo) {
    const Outcome outcome = expect_done(with({"bench", "softmax_forward", "--shape", "3,5", "--impl", "all"}, quick));
    EXPECT_EQ(outcome.out.find("left out"), std::string::npos) << outcome.out;
    expect_parts(outcome.out, {"  cpu ", "  reference "});
}

TEST(Bench, OtherNumbers) {
    expect_parts(
        expect_done(with({"bench", "rnn_forward", "--shape", "2,3,4,5", "--set", "cell=gru,bias=0"}, quick)).out,
        {"rnn_forward batch=2 time=3 inputs=4 units=5 cell=gru bias=0"});
    expect_parts(expect_done(with({"bench", "matmul", "--shape", "5,6,7", "--set", "transpose_b=1"}, quick)).out,
                 {"matmul m=5 n=6 k=7 transpose_b=1"});
}

TEST(Bench, Lists) {
    expect_parts(expect_done({"bench", "--list"}).out, {"conv2d_forward", "n,h,w,c,k,r,s", "resnet50", "memory-bound"});
    expect_parts(expect_done({"bench", "pad", "--list"}).out, {"pad\n", "(realistic)"});
}

TEST(Bench, Explains) {
    const std::vector<std::string> words = {"bench", "conv2d_forward", "--shape", "2,9,8,16,16,3,3", "--pad",
                                            "1",     "--explain"};
    expect_parts(expect_done(words).out, {"would run, by priority", "priority", "supports it", "does not support it"});
    ::setenv("HEDDLE_KERNEL", "conv2d_forward=reference", 1);
    const Outcome forced = expect_done(words);
    ::setenv("HEDDLE_KERNEL", "conv2d_forward=none", 1);
    const Outcome error = expect_done(words);
    ::unsetenv("HEDDLE_KERNEL");
    expect_parts(forced.out, {"reference would run, forced"});
    expect_parts(error.out, {"an error: conv2d_forward: the forced implementation \"none\" cannot run"});
}

TEST(Bench, BadInput) {
    expect_complaint(heddle({"bench"}), 2, {"OPERATION or --suite"});
    expect_complaint(heddle({"bench", "matmul", "--suite", "gemm"}), 2, {"OPERATION or --suite"});
    expect_complaint(heddle({"bench", "conv3d"}), 1, {"there is no operation \"conv3d\"", "matmul"});
    expect_complaint(heddle({"bench", "matmul", "--shape", "3,4"}), 1, {"matmul: --shape: expected 3 numbers m,n,k"});
    expect_complaint(heddle({"bench", "matmul", "--shape", "3,4,5", "--stride", "2"}), 1,
                     {"matmul: there is no \"stride\""});
    expect_complaint(heddle({"bench", "matmul", "--stride", "2"}), 2, {"go with --shape"});
    expect_complaint(heddle({"bench", "matmul", "--case", "none"}), 1, {"there is no case \"none\"", "--list"});
    expect_complaint(heddle({"bench", "cast", "--shape", "3"}), 1, {"cast: its cases have no numbers"});
    expect_complaint(heddle({"bench", "--suite", "resnet9"}), 1, {"there is no suite \"resnet9\"", "resnet20"});
    expect_complaint(heddle({"bench", "matmul", "--shape", "3,4,5", "--impl", "fast"}), 1,
                     {"no operation here has an implementation \"fast\" on cpu"});
    expect_complaint(heddle({"bench", "matmul", "--shape", "3,4,5", "--pytorch", "/none/x.py"}), 1, {"/none/x.py"});
    expect_complaint(heddle({"bench", "matmul", "--dtype", "f8"}), 2, {"f32, f16, bf16"});
    expect_complaint(heddle({"bench", "--compare", "/none/a", "/none/b"}), 1, {"/none/a: cannot be read"});
    for (const char* option : {"--json", "--csv", "--plot"}) {
        const Outcome outcome = heddle({"bench", "matmul", "--shape", "3,4,5", option, "/none/a"});
        expect_complaint(outcome, 1, {"/none/a: cannot be written: there is no folder /none"});
        EXPECT_EQ(outcome.out, "") << "it measured first";
    }
}

TEST(Tune, TheFileIsWrittenFollowedAndLeftOut) {
    const TempFolder folder;
    const std::string file = folder / "tuning.json";
    const Outcome outcome =
        expect_done({"tune", "resnet20", "--input", "8,8,3", "--batch-size", "2", "--time", "0.002", "--out", file});
    expect_parts(outcome.out,
                 {"resnet20, batch 2, cpu:", "conv2d_forward n=2 h=4 w=4 c=32 k=32", "written to " + file});
    Json tuning = Json::parse(read_bytes(file));
    ASSERT_GT(tuning["calls"].size(), 3u);

    // The user's word for one call: dispatch follows it, unless it is told otherwise.
    const std::vector<std::string> words = {"bench", "conv2d_forward", "--shape", "2,4,4,32,32,3,3", "--pad",
                                            "1",     "--explain"};
    for (Json& call : tuning["calls"])
        if (call["operation"] == "conv2d_forward") call["implementation"] = "reference";
    write_bytes(file, tuning.dump());
    ::setenv("HEDDLE_TUNING", file.c_str(), 1);
    const Outcome tuned = expect_done(words);
    ::setenv("HEDDLE_KERNEL", "conv2d_forward=cpu", 1);
    const Outcome forced = expect_done(words);
    ::unsetenv("HEDDLE_KERNEL");
    write_bytes(file, "not JSON");
    const Outcome broken = heddle(words);
    ::setenv("HEDDLE_TUNING", (folder / "none.json").c_str(), 1);
    const Outcome missing = heddle(words);
    ::setenv("HEDDLE_TUNING", "off", 1);
    const Outcome off = expect_done(words);
    ::unsetenv("HEDDLE_TUNING");
    expect_parts(tuned.out, {"reference would run, by the tuning file"});
    expect_parts(forced.out, {"cpu would run, forced"});
    expect_complaint(broken, 1, {file, "not a tuning file"});
    expect_complaint(missing, 1, {"none.json: cannot be read"});
    expect_parts(off.out, {"by priority", "no tuning file"});
}

TEST(Tune, BadInput) {
    expect_complaint(heddle({"tune", "resnet21"}), 2, {"resnet20"});
    expect_complaint(heddle({"tune", "resnet20", "--input", "8,x"}), 2, {"whole number"});
    expect_complaint(heddle({"tune", "resnet20", "--device", "sim"}), 1, {"sim"});
}

}  // namespace
}  // namespace heddle::cli_tests
