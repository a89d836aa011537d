#include "data/picture.h"

#include <cstdlib>
#include <cstring>

#include "data/preprocessing.h"
#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;

using Pixel = std::vector<int>;

Pixel pixel(const Picture& picture, int x, int y) {
    const std::uint8_t* at = picture.at(x, y);
    return {at, at + picture.channels};
}

// The fixtures are 16 x 8: one colour at the left, one at the right.
void expect_halves(const Picture& picture, const Pixel& left, const Pixel& right, int tolerance = 0) {
    ASSERT_EQ(picture.width, 16);
    ASSERT_EQ(picture.height, 8);
    ASSERT_EQ(picture.pixels.size(), 16u * 8 * static_cast<std::size_t>(picture.channels));
    for (const int x : {1, 6, 9, 14})
        for (const int y : {0, 7}) {
            const Pixel got = pixel(picture, x, y), &want = x < 8 ? left : right;
            for (std::size_t c = 0; c < want.size(); ++c) EXPECT_NEAR(got[c], want[c], tolerance) << x << ", " << y;
        }
}

TEST(Picture, DecodesEveryKind) {
    const Pixel red = {255, 0, 0}, blue = {0, 0, 255};
    expect_halves(load_picture(fixture("rgb.png")), red, blue);
    expect_halves(load_picture(fixture("palette.png")), red, blue);
    expect_halves(load_picture(fixture("alpha.png")), red, {255, 255, 255});
    expect_halves(load_picture(fixture("grey.png")), {200, 200, 200}, {50, 50, 50});
    expect_halves(load_picture(fixture("grey16.png")), {0, 0, 0}, {255, 255, 255});
    expect_halves(load_picture(fixture("one_bit.png")), {0, 0, 0}, {255, 255, 255});
    expect_halves(load_picture(fixture("rgb.jpg")), red, blue, 4);
    expect_halves(load_picture(fixture("progressive.jpg")), red, blue, 4);
    expect_halves(load_picture(fixture("grey.jpg")), {200, 200, 200}, {50, 50, 50}, 2);
    expect_halves(load_picture(fixture("grey.png"), 1), {200}, {50});
    expect_halves(load_picture(fixture("rgb.png"), 1), {76}, {29});
    EXPECT_ERROR(load_picture(fixture("cmyk.jpg")), "convert it to RGB");
    EXPECT_ERROR(load_picture(fixture("f4_v1.npy")), "neither a JPEG nor a PNG");
    EXPECT_ERROR(load_picture(fixture("rgb.png"), 4), "1 or 3 channels");
}

TEST(Picture, PngRoundTrip) {
    const TempFolder folder;
    for (const int channels : {1, 3}) {
        Picture picture(7, 5, channels);
        for (std::size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = static_cast<std::uint8_t>(i * 37);
        save_png(folder / "a.png", picture);
        EXPECT_EQ(load_picture(folder / "a.png", channels).pixels, picture.pixels);
    }
    EXPECT_EQ(folder.files(), 1u);
    Picture broken(2, 2, 3);
    broken.pixels.pop_back();
    EXPECT_ERROR(encode_png(broken), "got 2 x 2 x 3 and 11 bytes");
    EXPECT_ERROR(encode_png(Picture(2, 2, 2)), "1 or 3 channels");
}

TEST(Picture, HugeDeclaredSizesAreRefusedBeforeTheyAreAllocated) {
    const TempFolder folder;
    std::string jpeg = read_bytes(fixture("rgb.jpg"));
    const std::size_t frame = jpeg.find("\xFF\xC0");
    jpeg.replace(frame + 5, 4, std::string("\xFF\x00\xFF\x00", 4));
    write_bytes(folder / "a.jpg", jpeg);
    EXPECT_ERROR(load_picture(folder / "a.jpg"), "65280 x 65280 pixels");
    std::string png = read_bytes(fixture("rgb.png"));
    // Width and height of IHDR, and its checksum for them.
    png.replace(16, 8, std::string("\x00\x0F\x42\x40\x00\x0F\x42\x40", 8));
    write_bytes(folder / "a.png", png);
    EXPECT_ERROR(load_picture(folder / "a.png"), "a.png");
}

TEST(Picture, TruncatedAndDamagedFiles) {
    const auto load = [](const std::string& path) { load_picture(path); };
    for (const char* name : {"rgb.jpg", "progressive.jpg", "rgb.png", "palette.png"}) {
        const std::string bytes = read_bytes(fixture(name));
        const TempFolder folder;
        for (std::size_t length = 0; length + 12 < bytes.size(); length += 3) {
            write_bytes(folder / "t", bytes.substr(0, length));
            EXPECT_ERROR(load_picture(folder / "t"), folder / "t");
        }
        EXPECT_GT(fuzz(bytes, load, 200), 0.05) << name;
    }
}

TEST(Picture, ResizeIsPillowsBilinear) {
    const Picture noise = load_picture(fixture("noise.png"));
    for (const auto& [width, height] : {std::pair{5, 4}, std::pair{20, 17}}) {
        const Picture expected =
            load_picture(fixture("noise_" + std::to_string(width) + "x" + std::to_string(height) + "_pillow.png"));
        const Picture got = resize(noise, width, height);
        ASSERT_EQ(got.pixels.size(), expected.pixels.size());
        for (std::size_t i = 0; i < got.pixels.size(); ++i)
            EXPECT_NEAR(got.pixels[i], expected.pixels[i], 1) << "byte " << i;  // Pillow rounds between its two passes
    }
    EXPECT_EQ(resize(noise, 13, 9).pixels, noise.pixels);
    EXPECT_ERROR(resize(noise, 0, 5), "resize");
    EXPECT_ERROR(resize(noise, 1 << 20, 1 << 20), "at most");
}

TEST(Preprocessing, RoundTripAndApply) {
    const Preprocessing original{Shape{2, 2, 3}, 1.0 / 255, {0.5f, 0.25f, 0.1f}, {0.5f, 0.25f, 0.3f}, {"cat", "dog"}};
    const Preprocessing loaded = Preprocessing::from_config(Config::parse(original.to_config().to_json()));
    EXPECT_EQ(loaded, original);

    Picture picture(2, 2, 3);
    picture.pixels = {255, 0, 51, 0, 0, 0, 0, 0, 0, 0, 0, 255};
    const Tensor x = loaded.apply(picture);
    EXPECT_EQ(x.shape(), (Shape{1, 2, 2, 3}));
    const auto values = x.to_vector<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t c = i % 3;
        EXPECT_NEAR(values[i], (picture.pixels[i] / 255.0f - original.mean[c]) / original.deviation[c], 1e-5f);
    }
    // Grey and of another size.
    EXPECT_EQ(loaded.apply(Picture(5, 4, 1, 128)).shape(), (Shape{1, 2, 2, 3}));
    const std::vector<Picture> two = {picture, Picture(3, 3, 3)};
    EXPECT_EQ(loaded.apply(two).size(0), 2);

    Config other = original.to_config();
    other.set("kind", "sound");
    EXPECT_ERROR(Preprocessing::from_config(other), "sound");
    Preprocessing wrong = original;
    wrong.mean = {0.5f};
    EXPECT_ERROR(Preprocessing::from_config(wrong.to_config()), "per channel");
    wrong = original;
    wrong.deviation[1] = 0;
    EXPECT_ERROR(wrong.apply(picture), "above 0");
}

}  // namespace
