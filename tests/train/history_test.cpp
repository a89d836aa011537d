#include "train/history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"

namespace heddle {
namespace {

TEST(Result, NamesAndOrder) {
    Result result{{"loss", 0.5}};
    result.set("accuracy", 0.75);
    result.set("loss", 0.25);
    EXPECT_EQ(result.at("loss"), 0.25);
    ASSERT_EQ(result.size(), 2u);
    EXPECT_EQ(result.entries()[1].first, "accuracy");
    EXPECT_EQ(result.to_string(), "loss 0.25, accuracy 0.75");
    try {
        result.at("mae");
        FAIL() << "there is no mae";
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "no result \"mae\"; there are: loss, accuracy");
    }
}

TEST(History, RowsWithNamesThatComeAndGo) {
    History history;
    history.add(0, {{"loss", 1}});
    history.add(1, {{"loss", 0.5}, {"val_loss", 0.75}});
    history.add(2, {{"val_loss", 0.5}});
    EXPECT_EQ(history.epochs(), (std::vector<std::int64_t>{0, 1, 2}));
    EXPECT_TRUE(std::isnan(history.at("val_loss")[0]));
    EXPECT_TRUE(std::isnan(history.at("loss")[2]));
    EXPECT_EQ(history.row(1).at("val_loss"), 0.75);
    EXPECT_THROW(history.at("accuracy"), Error);
    EXPECT_THROW(history.row(3), Error);
}

TEST(History, CSVKeepsEveryBit) {
    History history;
    const double value = 1.0 / 3;
    history.add(0, {{"loss", value}, {"accuracy", 1}});
    history.add(1, {{"loss", std::nan("")}, {"accuracy", 1e-300}});
    const std::string path = std::filesystem::temp_directory_path() / "heddle_history.csv";
    history.write_csv(path);
    std::ifstream file(path);
    std::string header, first, second, rest;
    std::getline(file, header);
    std::getline(file, first);
    std::getline(file, second);
    EXPECT_FALSE(std::getline(file, rest));
    EXPECT_EQ(header, "epoch,loss,accuracy");
    EXPECT_EQ(std::strtod(first.c_str() + first.find(',') + 1, nullptr), value);
    EXPECT_EQ(second, "1,nan,1e-300");
    std::filesystem::remove(path);
    EXPECT_THROW(history.write_csv("/nowhere/history.csv"), Error);
}

TEST(History, ReadsBackWhatItWrote) {
    History history;
    history.add(3, {{"loss", 0.1}, {"seconds", 1e-300}});
    history.add(4, {{"loss", -1.0 / 3}, {"val_loss", 2}});
    const History again = History::from_csv(history.to_csv(), "h.csv");
    EXPECT_EQ(again.to_csv(), history.to_csv());
    EXPECT_EQ(again.epochs(), history.epochs());
    EXPECT_EQ(again.at("loss"), history.at("loss"));
    EXPECT_TRUE(std::isnan(again.at("val_loss")[0]));
    for (const char* wrong :
         {"", "loss\n1\n", "epoch,loss\n0,\n", "epoch,loss\nx,1\n", "epoch,loss\n0.5,1\n", "epoch\n1,2\n"}) {
        try {
            History::from_csv(wrong, "h.csv");
            ADD_FAILURE() << wrong;
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find("h.csv"), std::string::npos) << error.what();
        }
    }
}

}  // namespace
}  // namespace heddle
