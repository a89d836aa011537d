#include <fmt/format.h>

#include <algorithm>

#include "tests/cli/command.h"
#include "tests/cli/samples.h"

namespace heddle::cli_tests {
namespace {

using testing_files::read_bytes;
using testing_files::TempFolder;
using testing_files::write_bytes;

class Report : public testing::Test {
  protected:
    void SetUp() override { write_idx_folder(data); }
    void train(const std::string& epochs = "2") const {
        expect_done({"train", "linear", "--data", data, "--batch-size", "16", "--epochs", epochs, "--out", run,
                     "--seed", "7", "--quiet"});
    }
    static std::size_t count(const std::string& text, const std::string& part) {
        std::size_t found = 0;
        for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
        return found;
    }

    const TempFolder folder;
    const std::string data = folder / "rows", run = folder / "run & <b>";
};

/// The bytes behind "base64,".
std::vector<std::uint8_t> embedded(const std::string& html, std::size_t picture) {
    const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::size_t at = 0;
    for (std::size_t i = 0; i <= picture; ++i) at = html.find("base64,", at) + 7;
    std::vector<std::uint8_t> bytes;
    std::uint32_t bits = 0;
    int count = 0;
    for (; html.at(at) != '"' && html.at(at) != '='; ++at) {
        bits = (bits << 6) | static_cast<std::uint32_t>(digits.find(html[at]));
        if ((count += 6) >= 8) bytes.push_back(static_cast<std::uint8_t>(bits >> (count -= 8)));
    }
    return bytes;
}

TEST_F(Report, IsOnePageOfTheRun) {
    train();
    const Outcome outcome = expect_done({"report", run});
    EXPECT_EQ(outcome.out, run + "/report.html\n");
    const std::string html = read_bytes(run + "/report.html");
    const Json record = Json::parse(read_bytes(run + "/run.json"));
    EXPECT_EQ(record.at("status"), "complete");
    EXPECT_EQ(record.at("settings").at("seed"), 7);
    EXPECT_EQ(record.at("recipe").at("batch_size"), 16);
    EXPECT_TRUE(record.at("versions").contains("heddle"));
    const std::string accuracy = fmt::format("{:.2f} %", 100 * record.at("results").at("test_accuracy").get<double>());
    for (const std::string& part : {std::string("<h1>linear on rows</h1>"), std::string("complete, started 20"),
                                    accuracy, std::string("<tr><th>seed</th><td>7</td></tr>"), std::string("Dense"),
                                    std::string("<tr><th>batch size</th><td>16</td></tr>")})
        EXPECT_NE(html.find(part), std::string::npos) << part;
    EXPECT_EQ(count(html, "<tr><td>"), 2u) << "a row for each epoch";

    // The curves, and the files as they are.
    ASSERT_EQ(count(html, "<img"), 3u);
    const std::string files[] = {"curves.png", "confusion.png", "mistakes.png"};
    for (std::size_t i = 1; i < 3; ++i) {
        const std::string file = read_bytes(run + "/" + files[i]);
        EXPECT_EQ(embedded(html, i), std::vector<std::uint8_t>(file.begin(), file.end())) << files[i];
    }
    EXPECT_GT(decode_picture(embedded(html, 0), "curves").width, 1000);

    // Nothing from elsewhere, and nothing that the user wrote is taken for HTML.
    for (const char* part : {"<script", "http:", "https:", "url(", "@import", "<link", "<b>&"})
        EXPECT_EQ(html.find(part), std::string::npos) << part;
    EXPECT_EQ(count(html, "src="), count(html, "src=\"data:"));
    const Json again = expect_done({"report", run, "--json"}).records().at(0);
    EXPECT_EQ(again.at("report"), run + "/report.html");
    EXPECT_EQ(read_bytes(run + "/report.html"), html);
}

TEST_F(Report, OfWhatTheUserNamed) {
    const std::string odd = folder / "<i>&\"odd";
    write_idx_folder(odd);
    expect_done({"train", "linear", "--data", odd, "--epochs", "1", "--out", run, "--quiet"});
    expect_done({"report", run});
    const std::string html = read_bytes(run + "/report.html");
    EXPECT_NE(html.find("<h1>linear on &lt;i&gt;&amp;&quot;odd</h1>"), std::string::npos);
    EXPECT_EQ(html.find("<i>"), std::string::npos);
}

TEST_F(Report, OfARunThatGoesOn) {
    Command command({"train", "linear", "--data", data, "--epochs", "100000", "--out", run, "--json"});
    ASSERT_TRUE(command.wait_for([&] { return command.out_so_far().find("\"epoch\":3,") != std::string::npos; }));
    expect_done({"report", run});
    std::string html = read_bytes(run + "/report.html");
    EXPECT_NE(html.find("running, started"), std::string::npos);
    EXPECT_EQ(count(html, "<img"), 1u) << "the curves so far";
    EXPECT_GE(count(html, "<tr><td>"), 2u);

    command.signal(SIGINT);
    EXPECT_EQ(command.finish().status, 130);
    expect_done({"report", run});
    html = read_bytes(run + "/report.html");
    EXPECT_NE(html.find("interrupted, started"), std::string::npos);
}

TEST_F(Report, OfWhatIsNoRun) {
    expect_complaint(heddle({"report"}), 2, {"RUN_DIR"});
    expect_complaint(heddle({"report", folder / "nowhere"}), 1, {"nowhere: no such folder"});
    expect_complaint(heddle({"report", data}), 1, {data, "no run of heddle train --out", "run.json"});
    train("1");
    const std::string record = read_bytes(run + "/run.json");
    const auto expect = [&](const std::string& name, const std::string& bytes, const std::vector<std::string>& parts) {
        const std::string before = read_bytes(run + "/" + name);
        write_bytes(run + "/" + name, bytes);
        expect_complaint(heddle({"report", run}), 1, parts);
        write_bytes(run + "/" + name, before);
    };
    expect("run.json", record.substr(0, record.size() / 2), {run + "/run.json", "line"});
    expect("run.json", "{}", {run + "/run.json", "files"});
    expect("run.json", "[1]", {run + "/run.json"});
    expect("history.csv", "epoch,loss\n0,much\n", {run + "/history.csv", "\"much\" is no number"});
    expect("history.csv", "a,b\n1,2\n", {run + "/history.csv", "epoch"});
    expect("mistakes.png", "no picture", {run + "/mistakes.png"});
    std::filesystem::remove(run + "/confusion.png");
    expect_complaint(heddle({"report", run}), 1, {run + "/confusion.png"});
    std::filesystem::remove(run + "/history.csv");
    expect_complaint(heddle({"report", run}), 1, {run + "/history.csv"});
    EXPECT_FALSE(std::filesystem::exists(run + "/report.html"));
}

}  // namespace
}  // namespace heddle::cli_tests
