#include "data/mixup.h"

#include <cmath>
#include <numeric>
#include <set>

#include "data/loader.h"
#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;

/// Example i is the number i (and 2 i beside it) and has class i % 3.
Dataset numbers(std::int64_t count) {
    std::vector<float> x;
    std::vector<std::int64_t> y;
    for (std::int64_t i = 0; i < count; ++i) {
        x.insert(x.end(), {static_cast<float>(i), static_cast<float>(2 * i)});
        y.push_back(i % 3);
    }
    return TensorDataset(Tensor::from(x, Shape{count, 2}), Tensor::from(y, Shape{count}), {"a", "b", "c"});
}

/// Powers of 2 tell which two examples were added: example i is 2^i in a class of its own.
Dataset powers(std::int64_t count) {
    std::vector<float> x;
    std::vector<std::int64_t> y;
    for (std::int64_t i = 0; i < count; ++i) {
        x.push_back(std::ldexp(1.0f, static_cast<int>(i)));
        y.push_back(i);
    }
    return TensorDataset(Tensor::from(x, Shape{count, 1}), Tensor::from(y, Shape{count}));
}

TEST(Mixup, MixesInputsAndTargetsOfEachBatchAlike) {
    constexpr std::int64_t count = 8;
    const Mixup mixed(powers(count), {.alpha = 1, .classes = count});
    EXPECT_EQ(mixed.target_shape(), Shape{count});
    EXPECT_EQ(mixed.target_dtype(), DType::f32);
    EXPECT_EQ(mixed.input_shape(), Shape{1});
    int moved = 0;
    for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
        const Batch batch = mixed.batch(0, count, {.seed = 3, .epoch = epoch});
        const auto x = batch.inputs[0].to_vector<float>(), target = batch.target.to_vector<float>();
        std::set<std::size_t> partners;
        float share = -1;
        for (std::size_t i = 0; i < count; ++i) {
            const float* row = target.data() + i * count;
            EXPECT_NEAR(std::accumulate(row, row + count, 0.0f), 1, 1e-6f);
            std::size_t partner = i;
            for (std::size_t j = 0; j < count; ++j)
                if (j != i && row[j] > 0) partner = j;
            partners.insert(partner);
            if (partner == i) {
                EXPECT_NEAR(x[i], std::ldexp(1.0f, static_cast<int>(i)), 1e-4f);
                continue;
            }
            ++moved;
            if (share < 0) share = row[i];
            EXPECT_EQ(row[i], share) << "one share a batch";
            EXPECT_NEAR(x[i],
                        share * std::ldexp(1.0f, static_cast<int>(i)) +
                            (1 - share) * std::ldexp(1.0f, static_cast<int>(partner)),
                        1e-4f);
        }
        EXPECT_EQ(partners.size(), std::size_t{count}) << "another order of the batch";
    }
    EXPECT_GT(moved, 100);
}

TEST(Mixup, SharesFollowTheBetaDistribution) {
    for (const double alpha : {0.2, 1.0, 4.0}) {
        const Mixup mixed(powers(2), {.alpha = alpha, .classes = 2});
        std::vector<double> shares;
        for (std::uint64_t epoch = 0; shares.size() < 4000; ++epoch) {
            const Batch batch = mixed.batch(0, 2, {.seed = 1, .epoch = epoch});
            const auto target = batch.target.to_vector<float>();
            if (batch.inputs[0].to_vector<float>()[0] != 1) shares.push_back(static_cast<double>(target[0]));
        }
        double mean = 0, variance = 0;
        for (const double share : shares) mean += share / static_cast<double>(shares.size());
        for (const double share : shares)
            variance += (share - mean) * (share - mean) / static_cast<double>(shares.size());
        const double wanted = 1 / (4 * (2 * alpha + 1));
        EXPECT_NEAR(mean, 0.5, 4 * std::sqrt(wanted / 4000)) << alpha;  // four standard errors
        EXPECT_NEAR(variance, wanted, 0.08 * wanted) << alpha;
    }
    // Shares that leave the range of numbers unless logarithms are taken.
    const Mixup tiny(powers(2), {.alpha = 1e-4, .classes = 2});
    for (std::uint64_t epoch = 0; epoch < 50; ++epoch) {
        const float share = tiny.batch(0, 2, {.seed = 1, .epoch = epoch}).target.to_vector<float>()[0];
        EXPECT_TRUE(share == 0 || share == 1 || (share > 0 && share < 1)) << share;
    }
}

TEST(Mixup, DependsOnSeedEpochAndIndicesAlone) {
    const Mixup mixed(numbers(64));
    const auto all = [&](const LoaderOptions& options, std::uint64_t epoch) {
        std::vector<float> values;
        DataLoader loader(mixed, options);
        for (const Batch& batch : loader.epoch(epoch))
            for (const Tensor& tensor : {batch.inputs[0], batch.target})
                for (const float value : tensor.to_vector<float>()) values.push_back(value);
        return values;
    };
    const LoaderOptions options{.batch_size = 10, .shuffle = true, .seed = 5};
    const auto expected = all(options, 1);
    LoaderOptions other = options;
    other.prefetch = 0;
    EXPECT_EQ(all(other, 1), expected);
    EXPECT_NE(all(options, 2), expected);
    other.seed = 6;
    EXPECT_NE(all(other, 1), expected);
}

TEST(Mixup, WithoutAugmentationThereAreOneHotTargets) {
    const Dataset plain = Mixup(numbers(9)).slice(3, 9).without_augmentation();
    const Batch batch = plain.batch(0, 3, {.seed = 1, .epoch = 1});
    EXPECT_EQ(batch.inputs[0].to_vector<float>(), (std::vector<float>{3, 6, 4, 8, 5, 10}));
    EXPECT_EQ(batch.target.to_vector<float>(), (std::vector<float>{1, 0, 0, 0, 1, 0, 0, 0, 1}));
    EXPECT_EQ(plain.class_names().size(), 3u);
}

TEST(Mixup, StandsAroundOtherAugmentation) {
    const Tensor pixels = Tensor::full(Shape{4, 6, 6, 1}, 100, {.dtype = DType::u8});
    const ImageDataset pictures(pixels, Tensor::from<std::int64_t>({0, 1, 0, 1}, Shape{4}),
                                {.class_names = {"a", "b"}});
    const FillContext context{.seed = 2, .epoch = 3};
    const auto pixel_values = [&](const Dataset& data) {
        return data.batch(0, 4, context).inputs[0].to_vector<float>();
    };
    const auto inside = pixel_values(Mixup(pictures.with_augmentation({.pad = 3})));
    EXPECT_EQ(pixel_values(Mixup(pictures).with_augmentation({.pad = 3})), inside);
    EXPECT_NE(pixel_values(Mixup(pictures)), inside);
    EXPECT_EQ(pixel_values(Mixup(pictures.with_augmentation({.pad = 3})).without_augmentation()),
              pixel_values(pictures));
    EXPECT_TRUE(Mixup(pictures).preprocessing().has_value());
    EXPECT_NEAR(pixel_values(Mixup(pictures).with_normalization({0.5f}, {0.5f}))[0], (100.0f / 255 - 0.5f) / 0.5f,
                1e-5f);
}

TEST(Mixup, SaysWhatCannotBeMixed) {
    const Tensor x = Tensor::zeros(Shape{2, 3});
    const Tensor labels = Tensor::from<std::int64_t>({0, 2}, Shape{2});
    EXPECT_ERROR(Mixup(TensorDataset(x, labels)), "Mixup: the data set has no class names");
    EXPECT_ERROR(Mixup(TensorDataset(x, x), {.classes = 3}), "expected one integer label an example, got f32 [3]");
    EXPECT_ERROR(Mixup(TensorDataset(x.to(DType::i64), labels), {.classes = 3}), "expected inputs f32, got i64");
    EXPECT_ERROR(Mixup(TensorDataset(x, labels), {.alpha = -1, .classes = 3}), "alpha must not be negative, got -1");
    EXPECT_ERROR(Mixup(TensorDataset(x, labels), {.classes = 2}).batch(0, 2), "example 1 has label 2 of 2 classes");
    EXPECT_ERROR(Mixup(Dataset{}), "undefined");
    EXPECT_ERROR(Mixup(TensorDataset(x, labels), {.classes = 3}).with_augmentation(), "no pictures");
}

}  // namespace
