#include "data/dataset.h"

#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <type_traits>

#include "core/parallel.h"
#include "data/permutation.h"
#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;

static_assert(!std::is_convertible_v<Tensor, Dataset>);
static_assert(!std::is_convertible_v<Tensor, TensorDataset>);

Dataset numbers(std::int64_t count) {
    std::vector<float> x(static_cast<std::size_t>(count) * 2);
    std::vector<std::int64_t> y(static_cast<std::size_t>(count));
    std::iota(x.begin(), x.end(), 0.0f);
    std::iota(y.begin(), y.end(), 0);
    return TensorDataset(Tensor::from(x, Shape{count, 2}), Tensor::from(y, Shape{count}));
}

std::vector<std::int64_t> targets(const Dataset& dataset) {
    return dataset.batch(0, dataset.size()).target.to_vector<std::int64_t>();
}

// Pixel (i, r, c, k) of picture i has a value of its own, as far as 8 bits go.
ImageDataset pictures(std::int64_t count, std::int64_t side = 6, const ImageOptions& options = {}) {
    Tensor pixels = Tensor::empty(Shape{count, side, side, 3}, {.dtype = DType::u8});
    auto* pixel = pixels.data<std::uint8_t>();
    for (std::int64_t i = 0; i < pixels.elements(); ++i) pixel[i] = static_cast<std::uint8_t>(1 + i * 13 % 255);
    std::vector<std::int64_t> labels(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) labels[static_cast<std::size_t>(i)] = i % 2;
    return ImageDataset(pixels, Tensor::from(labels, Shape{count}), options);
}

TEST(TensorDataset, GathersRows) {
    const Dataset dataset = numbers(5);
    EXPECT_EQ(dataset.size(), 5);
    EXPECT_EQ(dataset.input_shape(), (Shape{2}));
    EXPECT_EQ(dataset.target_shape(), Shape{});
    EXPECT_EQ(dataset.target_dtype(), DType::i64);
    Batch batch;
    dataset.fill(std::vector<std::int64_t>{4, 0, 4}, {}, batch);
    EXPECT_EQ(batch.size(), 3);
    EXPECT_EQ(batch.inputs[0].to_vector<float>(), (std::vector<float>{8, 9, 0, 1, 8, 9}));
    EXPECT_EQ(batch.target.to_vector<std::int64_t>(), (std::vector<std::int64_t>{4, 0, 4}));
    EXPECT_ERROR(dataset.fill(std::vector<std::int64_t>{5}, {}, batch), "index 5 of 5");
    EXPECT_ERROR(dataset.fill(std::vector<std::int64_t>{-1}, {}, batch), "index -1 of 5");
    EXPECT_ERROR(dataset.with_augmentation(), "no pictures");
    EXPECT_FALSE(dataset.preprocessing().has_value());
}

TEST(TensorDataset, SeveralInputsAndErrors) {
    const Tensor a = Tensor::zeros(Shape{3, 2}), b = Tensor::zeros(Shape{3, 4, 1}, {.dtype = DType::i32});
    const TensorDataset two(std::vector<Tensor>{a, b}, Tensor::zeros(Shape{3, 7}));
    EXPECT_EQ(two.input_shapes(), (std::vector<Shape>{{2}, {4, 1}}));
    EXPECT_EQ(two.batch(1, 3).inputs[1].shape(), (Shape{2, 4, 1}));
    EXPECT_EQ(two.batch(1, 3).inputs[1].dtype(), DType::i32);
    EXPECT_ERROR(TensorDataset(a, Tensor::zeros(Shape{2})), "as many rows as targets (2)");
    EXPECT_ERROR(TensorDataset(a, Tensor()), "TensorDataset");
}

TEST(Dataset, PartsShareTheExamples) {
    const Dataset dataset = numbers(10);
    EXPECT_EQ(targets(dataset.slice(2, 5)), (std::vector<std::int64_t>{2, 3, 4}));
    EXPECT_EQ(targets(dataset.slice(2, 8).select({5, 0}).slice(0, 2)), (std::vector<std::int64_t>{7, 2}));
    EXPECT_EQ(dataset.slice(3, 3).size(), 0);
    EXPECT_ERROR(dataset.slice(5, 11), "5 .. 11 of 10");
    EXPECT_ERROR(dataset.select({10}), "index 10");

    const auto [rest, held_out] = dataset.split(0.3, 7);
    EXPECT_EQ(rest.size(), 7);
    EXPECT_EQ(held_out.size(), 3);
    std::vector<std::int64_t> all = targets(rest);
    const auto last = targets(held_out);
    all.insert(all.end(), last.begin(), last.end());
    EXPECT_EQ(std::set<std::int64_t>(all.begin(), all.end()).size(), 10u);
    EXPECT_EQ(targets(dataset.split(0.3, 7).second), last);
    EXPECT_NE(targets(dataset.split(0.3, 8).second), last);
    EXPECT_EQ(dataset.split(0.001).second.size(), 1);
    EXPECT_ERROR(dataset.split(1), "fraction");
}

TEST(Permutation, IsOneAndDependsOnSeedAndEpoch) {
    const auto order = epoch_permutation(1000, 1, 2);
    std::vector<std::int64_t> sorted = order;
    std::sort(sorted.begin(), sorted.end());
    for (std::int64_t i = 0; i < 1000; ++i) EXPECT_EQ(sorted[static_cast<std::size_t>(i)], i);
    EXPECT_EQ(order, epoch_permutation(1000, 1, 2));
    EXPECT_NE(order, epoch_permutation(1000, 1, 3));
    EXPECT_NE(order, epoch_permutation(1000, 2, 2));
    EXPECT_TRUE(epoch_permutation(0, 1, 1).empty());
    // All 6 orders of 3 about equally often: 5 degrees of freedom, chi squared above 20.5 once in a thousand.
    std::map<std::vector<std::int64_t>, int> counts;
    for (std::uint64_t epoch = 0; epoch < 6000; ++epoch) ++counts[epoch_permutation(3, 11, epoch)];
    double chi = 0;
    for (const auto& [key, count] : counts) chi += (count - 1000.0) * (count - 1000.0) / 1000;
    EXPECT_EQ(counts.size(), 6u);
    EXPECT_LT(chi, 20.5);
}

TEST(ImageDataset, Normalises) {
    const ImageOptions options{{"a", "b"}, {0.1f, 0.2f, 0.3f}, {0.5f, 0.6f, 0.7f}};
    const Dataset dataset = pictures(3, 6, options);
    EXPECT_EQ(dataset.input_shape(), (Shape{6, 6, 3}));
    const auto values = dataset.batch(0, 3).inputs[0].to_vector<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto value = static_cast<float>(1 + i * 13 % 255) / 255;
        EXPECT_NEAR(values[i], (value - options.mean[i % 3]) / options.deviation[i % 3], 1e-5f);
    }
    ASSERT_TRUE(dataset.preprocessing().has_value());
    EXPECT_EQ(dataset.preprocessing()->mean, options.mean);
    EXPECT_EQ(dataset.preprocessing()->class_names, options.class_names);
    EXPECT_EQ(dataset.preprocessing()->input_shape, (Shape{6, 6, 3}));
    const Dataset plain = dataset.slice(0, 1).with_normalization({}, {});
    EXPECT_NEAR(plain.batch(0, 1).inputs[0].to_vector<float>()[1], 14.0f / 255, 1e-6f);
    EXPECT_ERROR(dataset.with_normalization({1}, {1, 1, 1}), "per channel");
    EXPECT_ERROR(dataset.with_normalization({}, {1, 0, 1}), "above 0");
}

TEST(ImageDataset, RefusesWrongTensors) {
    const Tensor pixels = Tensor::zeros(Shape{2, 4, 4, 3}, {.dtype = DType::u8});
    EXPECT_ERROR(ImageDataset(Tensor::zeros(Shape{2, 4, 4, 3}), Tensor::from<std::int64_t>({0, 1}, Shape{2})), "u8");
    EXPECT_ERROR(ImageDataset(pixels, Tensor::from<std::int64_t>({0}, Shape{1})), "labels i64 [2]");
    EXPECT_ERROR(ImageDataset(pixels, Tensor::from<std::int64_t>({0, 2}, Shape{2}), {.class_names = {"a", "b"}}),
                 "picture 1 has label 2 of 2 classes");
    EXPECT_ERROR(ImageDataset(pixels, Tensor::from<std::int64_t>({0, -1}, Shape{2})), "label -1");
    EXPECT_ERROR(pictures(2).with_augmentation({.pad = 6, .padding = Augmentation::Padding::reflect}), "padding of 6");
    EXPECT_ERROR(pictures(2).with_augmentation({.pad = -1}), "padding of -1");
}

// Every augmented picture is a crop of the padded one, flipped or not; and all 2 * 9 of them turn up about equally
// often.
TEST(ImageDataset, AugmentationDrawsEveryCropAndFlip) {
    constexpr std::int64_t side = 6, pad = 1, count = 1800;
    const Dataset dataset = pictures(1, side);
    const Dataset augmented = dataset.with_augmentation({.pad = pad});
    const auto original = dataset.batch(0, 1).inputs[0].to_vector<float>();
    std::map<std::vector<float>, int> variants;
    for (const bool flip : {false, true})
        for (std::int64_t dy = -pad; dy <= pad; ++dy)
            for (std::int64_t dx = -pad; dx <= pad; ++dx) {
                std::vector<float> expected;
                for (std::int64_t r = 0; r < side; ++r)
                    for (std::int64_t c = 0; c < side; ++c)
                        for (std::int64_t k = 0; k < 3; ++k) {
                            const std::int64_t y = r + dy, x = (flip ? side - 1 - c : c) + dx;
                            const bool inside = y >= 0 && y < side && x >= 0 && x < side;
                            expected.push_back(inside ? original[static_cast<std::size_t>((y * side + x) * 3 + k)] : 0);
                        }
                variants[expected] = 0;
            }
    ASSERT_EQ(variants.size(), 18u);
    for (std::uint64_t epoch = 0; epoch < count; ++epoch) {
        const auto found = variants.find(augmented.batch(0, 1, {5, epoch}).inputs[0].to_vector<float>());
        ASSERT_NE(found, variants.end());
        ++found->second;
    }
    double chi = 0;
    for (const auto& [picture, times] : variants)
        chi += (times - count / 18.0) * (times - count / 18.0) / (count / 18.0);
    EXPECT_LT(chi, 40.8) << "17 degrees of freedom: above once in a thousand";
    EXPECT_EQ(augmented.without_augmentation().batch(0, 1).inputs[0].to_vector<float>(), original);
}

TEST(ImageDataset, AugmentationDependsOnSeedEpochAndIndexAlone) {
    const Dataset augmented = pictures(40).with_augmentation({.pad = 2, .padding = Augmentation::Padding::reflect});
    const auto whole = augmented.batch(0, 40, {3, 8}).inputs[0].to_vector<float>();
    const std::size_t picture = 6 * 6 * 3;
    // In other batches, in another order, of a part of the set, on one thread.
    const SerialScope serial;
    Batch batch;
    augmented.fill(std::vector<std::int64_t>{17, 3}, {3, 8}, batch);
    const auto some = batch.inputs[0].to_vector<float>();
    EXPECT_TRUE(std::equal(some.begin(), some.begin() + picture, whole.begin() + 17 * picture));
    EXPECT_TRUE(std::equal(some.begin() + picture, some.end(), whole.begin() + 3 * picture));
    const auto part = augmented.slice(10, 20).batch(0, 10, {3, 8}).inputs[0].to_vector<float>();
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 10 * picture));
    EXPECT_NE(augmented.batch(0, 40, {3, 9}).inputs[0].to_vector<float>(), whole);
    EXPECT_NE(augmented.batch(0, 40, {4, 8}).inputs[0].to_vector<float>(), whole);
}

TEST(ImageDataset, CutoutBlanksASquareAnywhere) {
    constexpr std::int64_t side = 6;
    const Dataset plain = pictures(1, side),
                  augmented = plain.with_augmentation({.pad = 0, .flip = false, .cutout = 3});
    const auto original = plain.batch(0, 1).inputs[0].to_vector<float>();
    std::vector<int> blanked(side * side);
    for (std::uint64_t epoch = 0; epoch < 400; ++epoch) {
        const auto shown = augmented.batch(0, 1, {5, epoch}).inputs[0].to_vector<float>();
        int here = 0;
        for (std::size_t i = 0; i < shown.size(); ++i) {
            if (shown[i] == original[i]) continue;
            EXPECT_EQ(shown[i], 0);
            if (i % 3 == 0) ++blanked[i / 3], ++here;
        }
        EXPECT_LE(here, 9);
        EXPECT_GE(here, 3);  // a corner keeps 2 x 2 of it, less a pixel that was 0
    }
    for (const int times : blanked) EXPECT_GT(times, 0);
    EXPECT_ERROR(plain.with_augmentation({.cutout = -1}), "cutout of -1");
}

TEST(ImageDataset, AlternatingFlipsShowBothSidesInTwoEpochs) {
    const Dataset plain = pictures(64), augmented = plain.with_augmentation({.pad = 0, .alternating_flip = true});
    const auto original = plain.batch(0, 64).inputs[0].to_vector<float>();
    const auto epoch = [&](std::uint64_t number) {
        return augmented.batch(0, 64, {5, number}).inputs[0].to_vector<float>();
    };
    const auto first = epoch(0), second = epoch(1);
    EXPECT_EQ(epoch(2), first);
    EXPECT_EQ(epoch(3), second);
    const std::ptrdiff_t picture = 6 * 6 * 3;
    int unflipped = 0;
    for (std::ptrdiff_t i = 0; i < 64; ++i) {
        const auto same = [&](const std::vector<float>& shown) {
            return std::equal(original.begin() + i * picture, original.begin() + (i + 1) * picture,
                              shown.begin() + i * picture);
        };
        EXPECT_NE(same(first), same(second)) << "picture " << i;
        unflipped += same(first);
    }
    EXPECT_GT(unflipped, 16);
    EXPECT_LT(unflipped, 48);
}

TEST(ImageDataset, PixelStatistics) {
    const Tensor pixels = Tensor::from<std::uint8_t>({0, 255, 255, 255, 0, 255, 255, 255}, Shape{2, 1, 2, 2});
    const PixelStatistics statistics = pixel_statistics(pixels);
    EXPECT_FLOAT_EQ(statistics.mean[0], 0.5f);
    EXPECT_FLOAT_EQ(statistics.deviation[0], 0.5f);
    EXPECT_FLOAT_EQ(statistics.mean[1], 1);
    EXPECT_FLOAT_EQ(statistics.deviation[1], 0);
}

}  // namespace
