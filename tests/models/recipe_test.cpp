#include "models/recipe.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "models/models.h"
#include "tests/core/scoped_env.h"

namespace heddle {
namespace {

using testing::message_of;

TEST(Recipes, EveryOneIsReadWrittenAndMakesAnOptimizer) {
    EXPECT_GE(recipe_list().size(), 5u);
    for (const Recipe& recipe : recipe_list()) {
        EXPECT_EQ(Recipe::from_config(recipe.to_config()).to_config(), recipe.to_config()) << recipe.name;
        EXPECT_FALSE(recipe.to_string().empty());
        EXPECT_TRUE(static_cast<bool>(recipe.make_optimizer(10000))) << recipe.name;
        EXPECT_EQ(find_recipe(recipe.name).name, recipe.name);
        for (const std::string& model : recipe.models) {
            EXPECT_EQ(default_recipe(model).name, recipe.name) << model;
            const auto known = model_list();
            EXPECT_TRUE(std::any_of(known.begin(), known.end(), [&](const ModelEntry& e) { return e.name == model; }))
                << model;
        }
    }
    EXPECT_EQ(default_recipe("mlp").to_string(), "adam, learning rate 0.001, constant schedule, batch 128, 10 epochs");
}

TEST(Recipes, GroupsNameEveryParameterOfTheirModel) {
    for (const Recipe& recipe : recipe_list())
        for (const std::string& name : recipe.models) {
            if (recipe.optimizers.size() == 1) continue;
            const Model model = make_model(name, {32, 32, 3}, 10);
            recipe.make_optimizer(1000).prepare(model.parameters());  // throws where a group has none, or one has none
        }
}

TEST(Recipes, SchedulesOfGroupsHaveTheirOwnLength) {
    const Recipe recipe = Recipe::from_config(Config::parse(
        R"({"optimizers": [{"kind": "sgd", "learning_rate": 1, "schedule": "linear", "schedule_steps": 10}]})"));
    const Optimizer optimizer = recipe.make_optimizer(1000);
    NamedTensors none;
    for (int step = 0; step < 5; ++step) optimizer.advance();
    EXPECT_DOUBLE_EQ(optimizer.learning_rate(), 0.5);
    for (int step = 0; step < 20; ++step) optimizer.advance();
    EXPECT_DOUBLE_EQ(optimizer.learning_rate(), 0);
}

TEST(Recipes, MixupAndAccumulationAreKept) {
    const Recipe recipe = Recipe::from_config(Config::parse(R"({"mixup": 0.4, "accumulate": 4})"));
    EXPECT_EQ(recipe.mixup, 0.4);
    EXPECT_EQ(recipe.accumulate, 4);
    EXPECT_EQ(Recipe::from_config(recipe.to_config()).to_config(), recipe.to_config());
    EXPECT_EQ(recipe.to_string(), "adam, learning rate 0.001, constant schedule, batch 4 x 128, 10 epochs, mixup 0.4");
}

TEST(Recipes, MistakesAreNamed) {
    const auto message = [](const char* text) {
        return message_of<Error>([&] { Recipe::from_config(Config::parse(text)); });
    };
    EXPECT_NE(message(R"({"epoch": 3})").find("unknown key \"epoch\""), std::string::npos);
    EXPECT_NE(message(R"({"accumulate": 0})").find("\"accumulate\" must be in"), std::string::npos);
    EXPECT_NE(message(R"({"mixup": -1})").find("\"mixup\" must be in"), std::string::npos);
    EXPECT_NE(message(R"({"epochs": 0})").find("\"epochs\" must be in"), std::string::npos);
    EXPECT_EQ(message(R"({"epochs": "three"})"), "recipe: \"epochs\": Config: expected an integer, got a string");
    EXPECT_EQ(message(R"({"models": "cnn"})"), "recipe: \"models\": Config: expected an array, got a string");
    EXPECT_NE(message(R"({"optimizers": [{"kind": "lion"}]})").find("lion"), std::string::npos);
    EXPECT_NE(message(R"({"optimizers": []})").find("empty"), std::string::npos);
    EXPECT_NE(message(R"({"augment": {"crop": 4}})").find("\"crop\""), std::string::npos);
    EXPECT_NE(message(R"({"test_augmentation": "rotate"})").find("flip-shift"), std::string::npos);
    EXPECT_NE(message_of<Error>([] { find_recipe("nothing"); }).find("resnet20-he"), std::string::npos);
    EXPECT_NE(message_of<Error>([] { find_recipe("/nowhere/x.json"); }).find("cannot be read"), std::string::npos);
    const std::string path = ::testing::TempDir() + "broken.json";
    std::ofstream(path) << "{\"epochs\": ";
    EXPECT_NE(message_of<Error>([&] { find_recipe(path); }).find(path), std::string::npos);
}

}  // namespace
}  // namespace heddle
