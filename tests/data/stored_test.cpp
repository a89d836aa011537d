#include "data/dataset.h"
#include "data/mixup.h"
#include "data/permutation.h"
#include "tests/data/files.h"

// The stored examples of data sets, from which batches can be made without `fill`.
namespace {

using namespace heddle;

ImageDataset pictures(std::int64_t count) {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count) * 12);
    std::vector<std::int64_t> labels;
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 7);
    for (std::int64_t i = 0; i < count; ++i) labels.push_back(i % 3);
    return ImageDataset(Tensor::from(pixels, Shape{count, 2, 2, 3}), Tensor::from(labels, Shape{count}),
                        {.class_names = {"a", "b", "c"}, .deviation = {0.5f, 0.25f, 1}});
}

TEST(Stored, RowsOfPartsOfParts) {
    const Tensor x = Tensor::arange(10), y = Tensor::arange(10);
    const TensorDataset all(x, y);
    ASSERT_TRUE(all.impl()->stored().has_value());
    EXPECT_TRUE(all.impl()->stored()->rows.empty());
    EXPECT_FALSE(all.impl()->stored()->pictures.has_value());
    const Dataset part = all.slice(2, 9).select({6, 0, 3, 3}).slice(1, 4);
    const StoredExamples stored = *part.impl()->stored();
    EXPECT_EQ(stored.rows, (std::vector<std::int64_t>{2, 5, 5}));
    EXPECT_EQ(part.batch(0, 3).target.to_vector<std::int64_t>(), stored.rows);
    EXPECT_EQ(stored.inputs[0].raw(), x.raw());  // shared, not copied
    EXPECT_EQ(stored.target.raw(), y.raw());
}

TEST(Stored, PicturesAndWhatBecomesOfThem) {
    const Dataset data = pictures(5).with_augmentation({.pad = 1, .cutout = 1});
    const StoredExamples stored = *data.slice(1, 3).impl()->stored();
    EXPECT_EQ(stored.rows, (std::vector<std::int64_t>{1, 2}));
    EXPECT_EQ(stored.inputs[0].dtype(), DType::u8);
    ASSERT_TRUE(stored.pictures.has_value());
    EXPECT_TRUE(stored.pictures->mean.empty());
    EXPECT_EQ(stored.pictures->inverse_deviation, (std::vector<float>{2, 4, 1}));
    EXPECT_EQ(stored.pictures->augmentation->cutout, 1);
    EXPECT_FALSE(data.without_augmentation().impl()->stored()->pictures->augmentation.has_value());
}

TEST(Stored, WhatIsMixedIsNot) {
    EXPECT_FALSE(Mixup(pictures(4)).impl()->stored().has_value());
    EXPECT_FALSE(Mixup(pictures(4)).slice(0, 2).impl()->stored().has_value());
}

TEST(Permutation, OrWithoutOne) {
    EXPECT_EQ(epoch_order(4, false, 1, 2), (std::vector<std::int64_t>{0, 1, 2, 3}));
    EXPECT_EQ(epoch_order(50, true, 1, 2), epoch_permutation(50, 1, 2));
}

}  // namespace
