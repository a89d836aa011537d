#include <chrono>

#include "core/version.h"
#include "tests/cli/command.h"

namespace heddle::cli_tests {
namespace {

TEST(Info, Version) { EXPECT_EQ(expect_done({"--version"}).out, "heddle " + std::string(version()) + "\n"); }

TEST(Info, Help) {
    for (const char* name : {"train", "evaluate", "predict", "check", "info", "models", "recipes", "datasets"}) {
        EXPECT_NE(expect_done({"--help"}).out.find(name), std::string::npos) << name;
        EXPECT_NE(expect_done({name, "--help"}).out.find("--json"), std::string::npos) << name;
    }
}

TEST(Info, Json) {
    const std::vector<Json> records = expect_done({"info", "--json"}).records();
    ASSERT_EQ(records.size(), 1u);
    const Json& info = records[0];
    EXPECT_EQ(info.at("version"), version());
    ASSERT_EQ(info.at("devices").size(), 3u);
    for (const Json& device : info.at("devices"))
        EXPECT_FALSE(device.at(device.at("count") > 0 ? "description" : "why_missing").get<std::string>().empty());
    for (const Json& library : info.at("libraries")) {
        EXPECT_FALSE(library.at("compiled").get<std::string>().empty()) << library;
        EXPECT_FALSE(library.at("loaded").get<std::string>().empty()) << library;
        EXPECT_TRUE(std::filesystem::exists(library.at("file").get<std::string>())) << library;
    }
    EXPECT_EQ(info.at("libraries").size(), 5u);
    for (const Json& library : info.at("device_libraries")) {
        EXPECT_FALSE(library.at("name").get<std::string>().empty()) << library;
        EXPECT_NE(library.at("loaded").get<std::string>().empty(), library.at("why_missing").get<std::string>().empty())
            << library;
    }
    for (const char* operation : {"conv2d_forward", "matmul", "softmax_forward", "adam_step"}) {
        bool reference = false;
        for (const Json& entry : info.at("kernels").at(operation))
            reference = reference || entry.at("name") == "reference";
        EXPECT_TRUE(reference) << operation;
    }
    const std::string text = expect_done({"info"}).out;
    for (const char* part : {"cuda", "sim", "oneDNN", "conv2d_forward"})
        EXPECT_NE(text.find(part), std::string::npos) << part;
    // Each with its priority, the preferred one first: "softmax_forward  cpu 20, reference 0, ...".
    for (const auto& [operation, entries] : info.at("kernels").items()) {
        const std::size_t line = text.find("\n  " + operation + " ");
        ASSERT_NE(line, std::string::npos) << operation;
        std::size_t place = line;
        for (const Json& entry : entries) {
            const std::string shown = " " + entry.at("name").get<std::string>() + " " + entry.at("priority").dump();
            place = text.find(shown, place);
            ASSERT_NE(place, std::string::npos) << operation << shown;
            EXPECT_LT(place, text.find('\n', line + 1)) << operation << shown;
        }
    }
}

TEST(Info, Lists) {
    const std::vector<Json> models = expect_done({"models", "--json"}).records();
    EXPECT_GE(models.size(), 6u);
    for (const Json& model : models) EXPECT_GT(model.at("recipe").at("epochs"), 0) << model;
    EXPECT_NE(expect_done({"models"}).out.find("resnet20"), std::string::npos);
    const std::vector<Json> recipes = expect_done({"recipes", "--json"}).records();
    EXPECT_GE(recipes.size(), 5u);
    for (const Json& recipe : recipes) EXPECT_FALSE(recipe.at("optimizers").empty()) << recipe;
    EXPECT_NE(expect_done({"recipes"}).out.find("speed94"), std::string::npos);
    const std::vector<Json> sets = expect_done({"datasets", "--json"}).records();
    EXPECT_GE(sets.size(), 4u);
    for (const Json& set : sets) EXPECT_FALSE(set.at("how_to_get").get<std::string>().empty()) << set;
    EXPECT_NE(expect_done({"datasets"}).out.find("cifar10"), std::string::npos);
}

}  // namespace
}  // namespace heddle::cli_tests
