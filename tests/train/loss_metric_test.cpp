#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "train/loss.h"
#include "train/metric.h"

namespace heddle {
namespace {

Tensor rows(const std::vector<float>& values, std::int64_t columns) {
    return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size()) / columns, columns});
}
Tensor labels(const std::vector<std::int64_t>& values) {
    return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())});
}

double negative_log_softmax(const std::vector<double>& logits, std::size_t label) {
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit);
    return std::log(sum) - logits[label];
}

std::string error_of(const std::function<void()>& body) {
    try {
        body();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(Loss, SparseCategoricalCrossentropy) {
    const Tensor logits = rows({1, 2, 0.5f, -1, 0, 3}, 3);
    const double wanted = (negative_log_softmax({1, 2, 0.5}, 1) + negative_log_softmax({-1, 0, 3}, 0)) / 2;
    const SparseCategoricalCrossentropy loss({.from_logits = true});
    EXPECT_NEAR(loss(logits, labels({1, 0})).item(), wanted, 1e-6);
    EXPECT_NEAR(loss(logits, labels({1, 0}).reshape(Shape{2, 1})).item(), wanted, 1e-6);

    const Tensor probabilities = rows({0.2f, 0.5f, 0.3f, 0.25f, 0.25f, 0.5f}, 3);
    EXPECT_NEAR(SparseCategoricalCrossentropy()(probabilities, labels({1, 0})).item(),
                -(std::log(0.5) + std::log(0.25)) / 2, 1e-6);

    const SparseCategoricalCrossentropy ignoring({.from_logits = true, .ignore_class = -1});
    EXPECT_NEAR(ignoring(logits, labels({1, -1})).item(), negative_log_softmax({1, 2, 0.5}, 1), 1e-6);
    EXPECT_EQ(ignoring(logits, labels({-1, -1})).item(), 0);  // as where a mask leaves nothing
    EXPECT_NEAR(SparseCategoricalCrossentropy({.ignore_class = -1})(probabilities, labels({-1, 0})).item(),
                -std::log(0.25), 1e-6);
}

TEST(Loss, ALastExtentOfOneMayBeMissing) {
    // Of one example and of several, on either side.
    for (const std::int64_t examples : {1, 3}) {
        const Tensor column = Tensor::full(Shape{examples, 1}, 0.5), row = Tensor::full(Shape{examples}, 0.25),
                     deep = column.reshape(Shape{examples, 1, 1});
        for (const char* name : {"mse", "mae", "huber", "binary_crossentropy", "poisson", "hinge"}) {
            const double wanted = Loss(name)(column, row.reshape(Shape{examples, 1})).item();
            EXPECT_EQ(Loss(name)(column, row).item(), wanted) << name;
            EXPECT_EQ(Loss(name)(column.reshape(row.shape()), row.reshape(column.shape())).item(), wanted) << name;
            EXPECT_EQ(Loss(name)(deep, row.reshape(column.shape())).item(), wanted) << name;
        }
    }
}

TEST(Loss, CategoricalCrossentropyIsTheSameForOneHotTargets) {
    const Tensor logits = rows({1, 2, 0.5f, -1, 0, 3}, 3);
    const Tensor one_hot = rows({0, 1, 0, 1, 0, 0}, 3);
    EXPECT_NEAR(CategoricalCrossentropy({.from_logits = true})(logits, one_hot).item(),
                SparseCategoricalCrossentropy({.from_logits = true})(logits, labels({1, 0})).item(), 1e-6);
    EXPECT_NEAR(
        CategoricalCrossentropy({.from_logits = true, .label_smoothing = 0.3f})(logits, one_hot).item(),
        SparseCategoricalCrossentropy({.from_logits = true, .label_smoothing = 0.3f})(logits, labels({1, 0})).item(),
        1e-6);
}

TEST(Loss, BinaryCrossentropy) {
    const Tensor probabilities = rows({0.8f, 0.3f}, 1), targets = Tensor::from({1.0f, 0.0f}, Shape{2});
    EXPECT_NEAR(BinaryCrossentropy()(probabilities, targets).item(), -(std::log(0.8) + std::log(0.7)) / 2, 1e-6);
    const Tensor logits = rows({2, -1}, 1);
    EXPECT_NEAR(BinaryCrossentropy({.from_logits = true})(logits, labels({1, 0})).item(),
                (std::log1p(std::exp(-2)) + std::log1p(std::exp(-1))) / 2, 1e-6);
    // Targets 0.9 and 0.1.
    EXPECT_NEAR(BinaryCrossentropy({.label_smoothing = 0.2f})(probabilities, targets).item(),
                -(0.9 * std::log(0.8) + 0.1 * std::log(0.2) + 0.1 * std::log(0.3) + 0.9 * std::log(0.7)) / 2, 1e-6);
}

TEST(Loss, Regression) {
    const Tensor prediction = rows({1, 2, 4}, 1), target = Tensor::from({1.5f, 2.0f, 1.0f}, Shape{3});
    EXPECT_NEAR(Loss("mse")(prediction, target).item(), (0.25 + 9) / 3, 1e-6);
    EXPECT_NEAR(Loss("mae")(prediction, target).item(), 3.5 / 3, 1e-6);
    EXPECT_NEAR(Huber()(prediction, target).item(), (0.125 + 2.5) / 3, 1e-6);
    EXPECT_NEAR(Huber({.delta = 2})(prediction, target).item(), (0.125 + 2 * (3 - 1.0)) / 3, 1e-6);
}

TEST(Loss, ErrorsSayWhatDoesNotFit) {
    EXPECT_EQ(error_of([] { Loss("hings"); }),
              "no loss is called \"hings\"; there are: sparse_categorical_crossentropy, categorical_crossentropy, "
              "binary_crossentropy, mean_squared_error, mse, mean_absolute_error, mae, huber, kl_divergence, poisson, "
              "cosine_similarity, hinge, squared_hinge");
    EXPECT_EQ(error_of([] {
                  MeanSquaredError()(Tensor::zeros(Shape{4, 2}), Tensor::zeros(Shape{4}));
              }),
              "MeanSquaredError: the model gives [4, 2], the targets are [4]: they must have the same shape");
    const SparseCategoricalCrossentropy loss({.from_logits = true});
    EXPECT_EQ(error_of([&] {
                  loss(Tensor::zeros(Shape{4, 3}), labels({0, 1}));
              }),
              "SparseCategoricalCrossentropy: the model gives [4, 3], so labels must be [4], got [2]");
    EXPECT_NE(error_of([&] {
                  loss(Tensor::zeros(Shape{2, 3}), Tensor::zeros(Shape{2}));
              }).find("must be integers"),
              std::string::npos);
    // The label 7 in row 1 of three classes.
    const std::string message = error_of([&] { loss(Tensor::zeros(Shape{2, 3}), labels({0, 7})); });
    EXPECT_NE(message.find('7'), std::string::npos) << message;
    EXPECT_NE(message.find('1'), std::string::npos) << message;
}

TEST(Metric, AccuracyPicksItsKind) {
    const Metric accuracy = "accuracy";
    accuracy.reset();
    EXPECT_TRUE(std::isnan(accuracy.result()));
    accuracy.update(rows({1, 2, 0, 3, 2, 1, 0, 0, 1}, 3), labels({1, 1, 2}));
    EXPECT_DOUBLE_EQ(accuracy.result(), 2.0 / 3);
    accuracy.update(rows({1, 2, 0}, 3), rows({0, 1, 0}, 3));  // one-hot, gathered with the rest
    EXPECT_DOUBLE_EQ(accuracy.result(), 0.75);
    accuracy.reset();
    accuracy.update(rows({0.4f, 0.6f, 0.9f, 0.2f}, 1), Tensor::from({0.0f, 1.0f, 0.0f, 0.0f}, Shape{4}));
    EXPECT_DOUBLE_EQ(accuracy.result(), 0.75);
}

TEST(Metric, StateGoesOn) {
    const Metric first = "accuracy", second = "accuracy";
    first.update(rows({1, 2, 2, 1}, 2), labels({1, 1}));
    second.set_state(first.state());
    for (const Metric& metric : {first, second}) metric.update(rows({1, 2}, 2), labels({1}));
    EXPECT_EQ(first.result(), second.result());
    EXPECT_DOUBLE_EQ(first.result(), 2.0 / 3);
}

TEST(Metric, TopK) {
    const TopKCategoricalAccuracy top2(2);
    const Tensor scores = rows({4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1}, 4);
    top2.update(scores, labels({0, 1, 2}));
    EXPECT_DOUBLE_EQ(top2.result(), 2.0 / 3);
    EXPECT_THROW(top2.update(scores, labels({0, 1, 4})), Error);
    EXPECT_THROW(TopKCategoricalAccuracy(0), Error);
}

TEST(Metric, IgnoredClass) {
    const SparseCategoricalAccuracy accuracy(0);
    accuracy.update(rows({1, 2, 2, 1, 1, 2}, 2).reshape(Shape{1, 3, 2}), labels({1, 0, 1}).reshape(Shape{1, 3}));
    EXPECT_DOUBLE_EQ(accuracy.result(), 1);
}

TEST(Metric, Regression) {
    const Tensor prediction = rows({1, 2, 4}, 1), target = Tensor::from({1.0f, 3.0f, 2.0f}, Shape{3});
    const Metric mse = "mse", mae = "mae", rmse = "rmse";
    for (const Metric& metric : {mse, mae, rmse}) metric.update(prediction, target);
    EXPECT_DOUBLE_EQ(mse.result(), 5.0 / 3);
    EXPECT_DOUBLE_EQ(mae.result(), 1);
    EXPECT_DOUBLE_EQ(rmse.result(), std::sqrt(5.0 / 3));
}

TEST(Metric, AFunctionOfOnesOwnIsWeightedByExamples) {
    const Metric mine("mine", [](const Tensor& prediction, const Tensor&) { return prediction.to_vector<float>()[0]; });
    mine.update(rows({1, 1, 1}, 1), labels({0, 0, 0}));
    mine.update(rows({5}, 1), labels({0}));
    EXPECT_DOUBLE_EQ(mine.result(), 2);
}

TEST(Metric, Errors) {
    EXPECT_NE(error_of([] { Metric("precision_recall"); }).find("there are: accuracy"), std::string::npos);
    EXPECT_EQ(error_of([] {
                  Metric("mse").update(Tensor::zeros(Shape{2, 2}), Tensor::zeros(Shape{2}));
              }),
              "mse: the model gives [2, 2], the targets are [2]: they do not go together");
}

}  // namespace
}  // namespace heddle
