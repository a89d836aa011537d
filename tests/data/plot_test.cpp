#include "data/plot.h"

#include <cmath>
#include <limits>

#include "core/tensor.h"
#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;

// Pixels about as coloured as this: blue is the first line, orange the second.
int count_pixels(const Picture& picture, int red, int green, int blue) {
    int count = 0;
    for (std::size_t i = 0; i < picture.pixels.size(); i += 3)
        count += std::abs(picture.pixels[i] - red) + std::abs(picture.pixels[i + 1] - green) +
                     std::abs(picture.pixels[i + 2] - blue) <
                 12;
    return count;
}

TEST(Plot, DrawsEveryLine) {
    PlotOptions options{.title = "title"};
    options.panels = {
        {.title = "one", .y_label = "y", .lines = {{.label = "a", .y = {1, 2, 3}}, {.y = {3, 2, 1}}}},
        {.title = "two", .lines = {{.label = "c", .y = {1e-3, 1, 1e3}, .markers = true}}, .logarithmic = true}};
    const Picture picture = draw_lines(options);
    EXPECT_EQ(picture.width, 1280);
    EXPECT_EQ(picture.height, 480);
    EXPECT_GT(count_pixels(picture, 0, 114, 178), 1500);
    EXPECT_GT(count_pixels(picture, 213, 94, 0), 500);
    const TempFolder folder;
    plot_lines(folder / "p.png", options);
    EXPECT_EQ(load_picture(folder / "p.png").pixels, picture.pixels);
}

TEST(Plot, OddValues) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
    const auto draw = [](const std::vector<double>& y, bool logarithmic = false) {
        PlotOptions options;
        options.panels = {{.lines = {{.label = "a", .y = y}}, .logarithmic = logarithmic}};
        return count_pixels(draw_lines(options), 0, 114, 178);
    };
    const int empty = draw({});  // the legend alone
    EXPECT_EQ(draw({nan, infinity, -infinity}), empty);
    EXPECT_EQ(draw({-1, 0}, true), empty);
    EXPECT_GT(draw({5}), empty) << "one value is a dot";
    EXPECT_GT(draw({5, 5, 5}), empty);
    EXPECT_GT(draw({1, nan, 3, 4}), empty);
    EXPECT_GT(draw({1e300, -1e300}), empty);
    EXPECT_GT(draw({1e-300, 2e-300}), empty);
    EXPECT_GT(draw({1e9, 1e9 + 1e-5}), empty);
    EXPECT_GT(draw({0.1, 0.1000001, 0.1}, true), empty);
}

TEST(Plot, PointsWithoutALine) {
    const auto blue = [](bool connected) {
        PlotOptions options;
        options.panels = {{.lines = {{.y = {0, 5, 0, 5, 0}, .connected = connected}}}};
        return count_pixels(draw_lines(options), 0, 114, 178);
    };
    // Five dots of radius 3.2, their edges blended with the white around them.
    EXPECT_NEAR(blue(false), 5 * 3.14 * 3.2 * 3.2, 60);
    EXPECT_GT(blue(true), 1000);
}

TEST(Plot, WrongOptions) {
    EXPECT_ERROR(draw_lines({}), "no panels");
    EXPECT_ERROR(draw_lines({.panels = {{.lines = {{.label = "a", .y = {1, 2}, .x = {1}}}}}}), "1 x and 2 y");
    EXPECT_ERROR(draw_lines({.panels = {{}}, .panel_width = 10}), "10 x 440");
}

TEST(PictureGrid, PlacesPictures) {
    const std::vector<Picture> pictures = {Picture(2, 2, 3, 10), Picture(2, 2, 1, 20), Picture(200, 100, 3, 30)};
    const Picture grid = draw_picture_grid(
        pictures, {.title = "t", .captions = {"a", "b", "a very long caption"}, .columns = 2, .cell = 40});
    EXPECT_EQ(grid.width, 2 * 50 + 10);
    EXPECT_EQ(count_pixels(grid, 10, 10, 10), 40 * 40);
    EXPECT_EQ(count_pixels(grid, 30, 30, 30), 40 * 20 + 40 * 40 - 40 * 40) << "shrunk to the cell, keeping its shape";
    EXPECT_ERROR(draw_picture_grid({}), "no pictures");
    EXPECT_ERROR(draw_picture_grid(pictures, {.captions = {"a"}}), "3 pictures and 1 captions");
    EXPECT_ERROR(draw_picture_grid(std::vector<Picture>{Picture(0, 0, 3)}), "without pixels");
}

TEST(PictureGrid, FromTensors) {
    const Tensor images = Tensor::from<float>({-1, 0, 1, 9}, Shape{1, 2, 2, 1});
    const std::vector<Picture> pictures = to_pictures(images, -1, 1);
    ASSERT_EQ(pictures.size(), 1u);
    EXPECT_EQ(pictures[0].pixels, (std::vector<std::uint8_t>{0, 128, 255, 255}));
    EXPECT_ERROR(to_pictures(Tensor::zeros(Shape{1, 2, 2, 2})), "1 or 3");
}

TEST(Plot, CaptionsOfSeveralLines) {
    const std::vector<Picture> pictures(2, Picture(8, 8, 1));
    const int one = draw_picture_grid(pictures, {.captions = {"a", "b"}, .cell = 40}).height;
    const int three = draw_picture_grid(pictures, {.captions = {"a\nb\nc", "d"}, .cell = 40}).height;
    EXPECT_EQ(three, one + 2 * 16);
}

TEST(Plot, ConfusionMatrix) {
    const std::vector<std::int64_t> counts{10, 0, 0, 0, 5, 5, 0, 0, 0};
    const Picture picture = draw_confusion_matrix(counts, {.title = "t", .class_names = {"a", "b", "c"}});
    const int cell = 56;
    EXPECT_NEAR(count_pixels(picture, 0, 114, 178), cell * cell, 500) << "all of the first row is right";
    // Half of the second row, wrong and right: the colours' part is the root of it.
    const auto half = [](int channel) { return static_cast<int>(std::lround(255 + (channel - 255) * std::sqrt(0.5))); };
    EXPECT_NEAR(count_pixels(picture, half(0), half(114), half(178)), cell * cell, 500);
    EXPECT_NEAR(count_pixels(picture, half(213), half(94), half(0)), cell * cell, 500);

    // However many classes there are, the picture stays of a size that can be looked at.
    for (const std::int64_t classes : {1, 100, 1000}) {
        const Picture large =
            draw_confusion_matrix(std::vector<std::int64_t>(static_cast<std::size_t>(classes * classes), 3));
        EXPECT_LT(large.width, 4200);
        EXPECT_GE(large.width, 4 * classes);
    }
    EXPECT_ERROR(draw_confusion_matrix({}), "got 0 counts");
    EXPECT_ERROR(draw_confusion_matrix(std::vector<std::int64_t>(5)), "got 5 counts");
    EXPECT_ERROR(draw_confusion_matrix(std::vector<std::int64_t>(1001 * 1001)), "1 .. 1000 classes");
    EXPECT_ERROR(draw_confusion_matrix(counts, {.class_names = {"a"}}), "3 classes and 1 names");
}

}  // namespace
