#include <filesystem>
#include <memory>

#include "cli/command.h"
#include "cli/curves.h"
#include "cli/output.h"
#include "cli/report_page.h"
#include "cli/run_record.h"
#include "cli/validators.h"
#include "core/atomic_file.h"
#include "core/check.h"
#include "data/files/detail/bytes.h"
#include "train/history.h"

namespace heddle::cli {
namespace {

namespace fs = std::filesystem;

std::string contents(const std::string& path) {
    const std::vector<std::uint8_t> bytes = read_file(path);
    return {bytes.begin(), bytes.end()};
}

PagePicture read_picture(const std::string& title, const std::string& path) {
    PagePicture picture{.title = title, .png = read_file(path)};
    picture.width = decode_picture(picture.png, path).width;
    return picture;
}

/// The test results that the curves show as points.
Result test_of(const Config& run) {
    Result test;
    if (!run.has("results")) return test;
    for (const char* name : {"accuracy", "loss"})
        if (const std::string key = std::string("test_") + name; run.at("results").has(key))
            test.set(name, run.at("results").at(key).number());
    return test;
}

std::string make_page(const std::string& folder) {
    const auto path = [&](const std::string& name) { return (fs::path(folder) / name).string(); };
    std::error_code ignored;
    check(fs::is_directory(folder, ignored), "{}: no such folder", folder);
    check(fs::exists(path(run_record_file), ignored), "{}: no run of heddle train --out: there is no {} in it", folder,
          run_record_file);
    const std::string text = contents(path(run_record_file));
    const History history = History::from_csv(contents(path("history.csv")), path("history.csv"));
    try {
        const Config run = Config::parse(text);
        const Picture curves = draw_curves("", history, test_of(run));
        std::vector<PagePicture> pictures{{"Curves", encode_png(curves), curves.width}};
        for (const Config& name : run.at("files").array()) {
            if (name.string() == "confusion.png")
                pictures.push_back(read_picture("Confusion matrix of the test set", path("confusion.png")));
            if (name.string() == "mistakes.png")
                pictures.push_back(read_picture("Worst mistakes", path("mistakes.png")));
        }
        return run_page(run, history, pictures);
    } catch (const Error& error) {
        const std::string message = error.what();
        fail(message.starts_with(folder) ? message : fmt::format("{}: {}", path(run_record_file), message));
    }
}

int report(const std::string& folder, bool json) {
    const std::string page = make_page(folder), path = (fs::path(folder) / "report.html").string();
    write_file_atomically(path, page);
    if (json)
        print_json(Config().set("event", "end").set("report", path));
    else
        print(path + "\n");
    return 0;
}

struct ReportArguments {
    std::string folder = {};
    bool json = false;
};

}  // namespace

void add_report(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("report", "A run as one HTML page");
    auto a = std::make_shared<ReportArguments>();
    command->add_option("RUN_DIR", a->folder, "The folder that heddle train --out wrote")->type_name("")->required();
    command->add_flag("--json", a->json, "One JSON object");
    command->footer(
        "\nWrites RUN_DIR/report.html: settings, recipe, curves, epochs, confusion matrix and worst mistakes, in one "
        "file\n"
        "that loads nothing else. Works on a run that is still training or was interrupted, too.");
    command->callback([a, &action] { action = [a] { return report(a->folder, a->json); }; });
}

}  // namespace heddle::cli
