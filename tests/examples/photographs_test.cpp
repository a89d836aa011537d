#include "examples/common/photographs.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace heddle {
namespace {

using examples::Photographs;

/// A white object on black in a photograph of 200 x 100, the object's left half red.
Photographs one_photograph() {
    const std::string folder = ::testing::TempDir() + "/heddle_photographs";
    std::filesystem::create_directories(folder + "/images");
    Picture picture(200, 100, 3);
    for (int y = 20; y < 70; ++y)
        for (int x = 60; x < 160; ++x) std::fill_n(picture.at(x, y), x < 110 ? 1 : 3, std::uint8_t{255});
    save_png(folder + "/images/a.jpg", picture);
    std::ofstream(folder + "/list.csv") << "filename,width,height,class,xmin,ymin,xmax,ymax\n"
                                           "a.jpg,200,100,thing,60,20,160,70\n"
                                           "a.jpg,200,100,thing,0,0,10,10\n";
    return Photographs(folder, "list.csv");
}

TEST(Photographs, AreShownWholeWithoutAugmentation) {
    const Dataset data = one_photograph().without_augmentation();
    ASSERT_EQ(data.size(), 1);
    const Batch first = data.batch(0, 1), later = data.batch(0, 1, {.seed = 3, .epoch = 5});
    EXPECT_EQ(first.inputs[0].to_vector<float>(), later.inputs[0].to_vector<float>());
    const std::vector<float> box = first.target.to_vector<float>();
    const std::vector<float> want = {0, 0.55f, 0.45f, 0.5f, 0.5f};
    for (std::size_t i = 0; i < want.size(); ++i) EXPECT_FLOAT_EQ(box[i], want[i]) << i;
}

// In every crop the bright pixels fill the box, and the red half lies on its left, or on its right where mirrored.
TEST(Photographs, BoxesFollowTheCrops) {
    const Dataset data = one_photograph();
    constexpr int side = Photographs::side;
    int mirrored = 0;
    for (std::uint64_t epoch = 0; epoch < 100; ++epoch) {
        const Batch batch = data.batch(0, 1, {.seed = 1, .epoch = epoch});
        const std::vector<float> x = batch.inputs[0].to_vector<float>(), box = batch.target.to_vector<float>();
        int left = side, right = 0, top = side, bottom = 0;
        double red = 0;  // how far to the right red lies of the middle of the box
        for (int row = 0; row < side; ++row)
            for (int column = 0; column < side; ++column) {
                const float* pixel = x.data() + (row * side + column) * 3;
                if (pixel[0] < 0.4f) continue;
                left = std::min(left, column), right = std::max(right, column + 1);
                top = std::min(top, row), bottom = std::max(bottom, row + 1);
                red += (pixel[0] - pixel[1]) * ((column + 0.5) / side - box[1]);
            }
        const double pixels = 1.6 / side;  // the crop and the box's edges are each rounded to pixels
        EXPECT_NEAR(box[1] - box[3] / 2, static_cast<double>(left) / side, pixels) << epoch;
        EXPECT_NEAR(box[1] + box[3] / 2, static_cast<double>(right) / side, pixels) << epoch;
        EXPECT_NEAR(box[2] - box[4] / 2, static_cast<double>(top) / side, pixels) << epoch;
        EXPECT_NEAR(box[2] + box[4] / 2, static_cast<double>(bottom) / side, pixels) << epoch;
        mirrored += red > 0;
    }
    EXPECT_GT(mirrored, 25);
    EXPECT_LT(mirrored, 75);
}

TEST(Photographs, AWrongListIsAnErrorThatNamesIt) {
    const auto message_of = [](const std::string& folder, const std::string& list) -> std::string {
        try {
            Photographs(folder, list);
        } catch (const Error& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_NE(message_of("/nowhere", "list.csv").find("/nowhere/list.csv"), std::string::npos);
    const std::string folder = ::testing::TempDir();
    std::ofstream(folder + "/no_box.csv") << "filename,width,height\na.jpg,200,100\n";
    EXPECT_NE(message_of(folder, "no_box.csv").find("xmin"), std::string::npos);
    std::ofstream(folder + "/no_number.csv") << "filename,width,height,xmin,ymin,xmax,ymax\n"
                                                "a.jpg,wide,100,60,20,160,70\n";
    EXPECT_NE(message_of(folder, "no_number.csv").find("wide"), std::string::npos);
}

}  // namespace
}  // namespace heddle
