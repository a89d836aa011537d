#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "models/models.h"
#include "tests/philox_weights.h"

// Every reference model, from a file with PyTorch's names and layouts, gives PyTorch's logits (make_logits.py).
namespace heddle {
namespace {

const nlohmann::json& expected() {
    static const nlohmann::json& values = *new nlohmann::json(
        nlohmann::json::parse(std::ifstream(std::string(HEDDLE_TEST_FOLDER) + "/fixtures/logits.json")));
    return values;
}

class Logits : public ::testing::TestWithParam<std::string> {};

TEST_P(Logits, ArePyTorchs) {
    const nlohmann::json& entry = expected().at(GetParam());
    const auto extent = entry.at("extent").get<std::int64_t>();
    const auto logits = entry.at("logits").get<std::vector<std::vector<double>>>();
    const Shape picture{extent, extent, 3};
    const Model model = make_model(GetParam(), picture, 10);
    const std::string folder = ::testing::TempDir() + "logits_" + GetParam();
    std::filesystem::create_directories(folder);
    testing::load_philox_weights(model, folder, true);
    const auto [x, labels] = testing::philox_batch(0, static_cast<std::int64_t>(logits.size()), picture);
    const std::vector<double> own = model.predict(x).to_vector<double>();
    std::filesystem::remove_all(folder);

    double largest = 0, worst = 0;
    for (std::size_t row = 0; row < logits.size(); ++row)
        for (std::size_t column = 0; column < logits[row].size(); ++column) {
            largest = std::max(largest, std::abs(logits[row][column]));
            worst = std::max(worst, std::abs(own.at(row * 10 + column) - logits[row][column]));
        }
    RecordProperty("relative_error", std::to_string(worst / largest));
    std::printf("%s: %.1e of the largest logit\n", GetParam().c_str(), worst / largest);
    EXPECT_LT(worst, 2e-5 * largest);
}

/// The large ones belong to the long tests: making 600 million weights takes its time.
std::vector<std::string> compared() {
    static const std::set<std::string> quick = {"resnet20", "resnet110",       "resnet18", "resnet50-imagenet",
                                                "vgg11",    "preact-resnet18", "vgg11-bn"};
    std::vector<std::string> names;
    for (const auto& [name, entry] : expected().items())
        if (name != "torch" && (std::getenv("HEDDLE_TEST_FULL") || quick.contains(name))) names.push_back(name);
    return names;
}

INSTANTIATE_TEST_SUITE_P(Models, Logits, ::testing::ValuesIn(compared()), [](const auto& test) {
    std::string name = test.param;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
});

TEST(LogitsFile, HasEveryModelButThePlainStacks) {
    std::set<std::string> names;
    for (const ModelEntry& entry : model_list()) names.emplace(entry.name);
    for (const char* name : {"linear", "mlp", "cnn"}) names.erase(name);  // train/pytorch_training_test.cpp
    names.erase("speednet94");  // its filters come from data (speednet_test.cpp)
    for (const std::string& name : names) EXPECT_TRUE(expected().contains(name)) << name;
}

}  // namespace
}  // namespace heddle
