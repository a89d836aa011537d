#include <cmath>

#include "data/loader.h"
#include "data/mixup.h"
#include "tests/data/files.h"

// Weights go with the examples, whatever is done to a data set.
namespace {

using namespace heddle;
using namespace heddle::testing_files;

/// Example i has the target i and the weight i / 2.
Dataset weighted(std::int64_t count) {
    const Tensor numbers = Tensor::arange(count);
    return TensorDataset(numbers, numbers).with_sample_weight(numbers.to(DType::f32) * 0.5);
}

void expect_weights(const Batch& batch) {
    const std::vector<std::int64_t> targets = batch.target.to_vector<std::int64_t>();
    const std::vector<float> weights = batch.weight.to_vector<float>();
    ASSERT_EQ(targets.size(), weights.size());
    for (std::size_t i = 0; i < targets.size(); ++i) EXPECT_EQ(weights[i], static_cast<float>(targets[i]) / 2) << i;
}

void expect_stored(const Dataset& data) {
    const StoredExamples stored = *data.impl()->stored();
    Batch batch{.target = Tensor::from(stored.rows, Shape{data.size()}), .weight = stored.weight};
    expect_weights(batch);
}

TEST(SampleWeight, GoesWithItsExample) {
    const Dataset all = weighted(10);
    expect_weights(all.batch(0, 10));
    for (const Dataset& part : {all.slice(2, 9).select({6, 0, 3, 3}).slice(1, 4), all.split(0.3, 1).second}) {
        expect_weights(part.batch(0, part.size()));
        expect_stored(part);
    }
    // Given to a part: the weights are the part's, also where an example is in it twice.
    const Dataset twice = TensorDataset(Tensor::arange(4), Tensor::arange(4))
                              .select({1, 3, 1})
                              .with_sample_weight(Tensor::from({7.0, 8.0, 9.0}, Shape{3}));
    EXPECT_EQ(twice.batch(0, 3).weight.to_vector<float>(), (std::vector<float>{7, 8, 9}));
    EXPECT_EQ(twice.impl()->stored()->weight.to_vector<float>(), (std::vector<float>{7, 8, 9}));
    EXPECT_EQ(twice.impl()->stored()->rows, (std::vector<std::int64_t>{1, 3, 1}));
    EXPECT_EQ(twice.slice(2, 3).batch(0, 1).weight.item(), 9);
    EXPECT_FALSE(TensorDataset(Tensor::arange(4), Tensor::arange(4)).batch(0, 2).weight.defined());
}

TEST(SampleWeight, ThroughALoader) {
    for (const int prefetch : {0, 2}) {
        DataLoader loader(weighted(10), {.batch_size = 4, .shuffle = true, .seed = 1, .prefetch = prefetch});
        for (std::uint64_t epoch = 0; epoch < 3; ++epoch)
            for (const Batch& batch : loader.epoch(epoch)) expect_weights(batch);
    }
}

TEST(SampleWeight, OfPictures) {
    const Tensor pixels = Tensor::zeros(Shape{4, 2, 2, 3}, {DType::u8}), labels = Tensor::arange(4);
    const Dataset data = ImageDataset(pixels, labels, {.class_names = {"a", "b", "c", "d"}})
                             .with_sample_weight(labels.to(DType::f32) * 0.5);
    expect_weights(data.batch(0, 4));
    expect_weights(
        data.with_augmentation({.pad = 1}).with_normalization({}, {0.5f, 0.5f, 0.5f}).slice(1, 3).batch(0, 2));
    expect_weights(data.with_augmentation().without_augmentation().batch(0, 4));
    EXPECT_TRUE(data.preprocessing().has_value());
    EXPECT_EQ(data.class_names().size(), 4u);
    EXPECT_THROW(Mixup{data}, Error);
    const Dataset mixed = Mixup(ImageDataset(pixels, labels, {.class_names = {"a", "b", "c", "d"}}))
                              .with_sample_weight(Tensor::ones(Shape{4}));
    EXPECT_EQ(mixed.batch(0, 2).weight.to_vector<float>(), (std::vector<float>{1, 1}));
}

TEST(SampleWeight, OfSteps) {
    const Tensor x = Tensor::zeros(Shape{3, 4});
    EXPECT_EQ(TensorDataset(x, x).with_sample_weight(x).batch(0, 2).weight.shape(), (Shape{2, 4}));
    EXPECT_EQ(TensorDataset(x, x).with_sample_weight(Tensor::zeros(Shape{3, 1})).batch(0, 2).weight.shape(), Shape{2});
    EXPECT_EQ(TensorDataset(x, x).with_sample_weight(Tensor::zeros(Shape{3, 4, 1})).batch(0, 2).weight.shape(),
              (Shape{2, 4}));
}

TEST(SampleWeight, Errors) {
    const TensorDataset data(Tensor::arange(4), Tensor::arange(4));
    EXPECT_THROW(data.with_sample_weight(Tensor::ones(Shape{3})), Error);
    EXPECT_THROW(data.with_sample_weight(Tensor()), Error);
    EXPECT_THROW(data.with_sample_weight(Tensor::ones(Shape{4}).to(DType::boolean)), Error);
    EXPECT_THROW(data.with_sample_weight(Tensor::full(Shape{4}, INFINITY)), Error);
    EXPECT_THROW(weighted(4).with_sample_weight(Tensor::ones(Shape{4})), Error);
}

}  // namespace
