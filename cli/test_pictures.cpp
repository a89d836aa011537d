#include "cli/test_pictures.h"

#include <algorithm>
#include <filesystem>

#include "core/check.h"
#include "data/plot.h"

namespace heddle::cli {
namespace {

constexpr std::int64_t shown = 30;

Picture draw_mistakes(const DataSource& source, const ClassificationLog& log) {
    const std::vector<std::int64_t> worst = log.worst(shown);
    std::vector<Classified> examples;
    for (const std::int64_t place : worst) examples.push_back(log.examples()[static_cast<std::size_t>(place)]);
    const auto wrong = std::count_if(log.examples().begin(), log.examples().end(),
                                     [](const Classified& example) { return example.predicted != example.label; });
    return draw_classified(
        source.test.select(worst), examples,
        fmt::format("{} of {} wrong; the {} with the highest loss", wrong, log.examples().size(), worst.size()));
}

}  // namespace

std::vector<std::string> write_test_pictures(const std::string& folder, const std::string& title,
                                             const DataSource& source, const ClassificationLog& log) {
    std::vector<std::string> written;
    const auto path = [&](const char* name) { return (std::filesystem::path(folder) / name).string(); };
    for (const char* name : {"confusion.png", "mistakes.png"}) std::filesystem::remove(path(name));
    if (source.class_names.size() <= max_confusion_classes) {
        save_png(path("confusion.png"),
                 draw_confusion_matrix(log.confusion(), {.title = title, .class_names = source.class_names}));
        written.emplace_back("confusion.png");
    }
    if (source.preprocessing) {
        save_png(path("mistakes.png"), draw_mistakes(source, log));
        written.emplace_back("mistakes.png");
    }
    return written;
}

}  // namespace heddle::cli
