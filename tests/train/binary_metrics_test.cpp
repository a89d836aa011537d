#include <gtest/gtest.h>

#include "samples.h"
#include "tests/devices.h"
#include "train/detail/monitor.h"

// Precision, recall, F1 and areas under curves, beside sums over all decisions by hand, on every device.
namespace heddle {
namespace {

using namespace samples;

struct Case {
    std::vector<float> scores;  // in 0 .. 1
    std::vector<float> targets;
    std::vector<float> weights;  // empty: 1
};

/// The 3-digit scores of `count` decisions that are right more often than not.
Case decisions(std::int64_t count, bool weighted) {
    Generator generator(17);
    Case all;
    for (std::int64_t i = 0; i < count; ++i) {
        const bool positive = generator.below(3) == 0;
        const auto low = static_cast<float>(generator.below(750));
        all.scores.push_back((low + (positive ? 250.5f : 0.5f)) / 1001);
        all.targets.push_back(positive ? 1.0f : 0.0f);
        if (weighted) all.weights.push_back(static_cast<float>(generator.below(5)) / 2);
    }
    return all;
}

/// What lies above a threshold: true and false positives, and false negatives and true negatives below.
struct Counts {
    double tp = 0, fp = 0, fn = 0, tn = 0;
};
Counts counts_at(const Case& c, double threshold) {
    Counts counts;
    for (std::size_t i = 0; i < c.scores.size(); ++i) {
        const double weight = c.weights.empty() ? 1 : static_cast<double>(c.weights[i]);
        const bool said = static_cast<double>(c.scores[i]) > threshold, positive = c.targets[i] > 0.5f;
        (said ? positive ? counts.tp : counts.fp : positive ? counts.fn : counts.tn) += weight;
    }
    return counts;
}

double ratio(double a, double b) { return b == 0 ? 0 : a / b; }

/// Keras' formulas, threshold by threshold.
double area(const Case& c, int thresholds, bool roc) {
    std::vector<Counts> at;
    for (int k = 0; k < thresholds; ++k) {
        const double middle = static_cast<double>(k) / (thresholds - 1);
        at.push_back(counts_at(c, k == 0 ? -1e-7 : k == thresholds - 1 ? 1 + 1e-7 : middle));
    }
    double total = 0;
    for (std::size_t k = 0; k + 1 < at.size(); ++k) {
        const Counts &a = at[k], &b = at[k + 1];
        if (roc) {
            total += (ratio(a.fp, a.fp + a.tn) - ratio(b.fp, b.fp + b.tn)) *
                     (ratio(a.tp, a.tp + a.fn) + ratio(b.tp, b.tp + b.fn)) / 2;
            continue;
        }
        const double p = a.tp + a.fp, p_next = b.tp + b.fp, slope = ratio(a.tp - b.tp, p - p_next);
        const double intercept = b.tp - slope * p_next;
        total +=
            ratio(slope * (a.tp - b.tp + intercept * (p > 0 && p_next > 0 ? std::log(p / p_next) : 0)), b.tp + b.fn);
    }
    return total;
}

class BinaryMetrics : public testing::TestWithParam<Device> {};
std::vector<Device> every_device() {
    std::vector<Device> devices = other_devices();
    devices.emplace_back();
    return devices;
}
INSTANTIATE_TEST_SUITE_P(Devices, BinaryMetrics, testing::ValuesIn(every_device()),
                         device_name<testing::TestParamInfo<Device>>);

/// In two batches; `shape` of an example's decisions.
double gathered(const Metric& metric, const Case& c, const Shape& shape, Device device, bool logits = false) {
    const auto all = static_cast<std::int64_t>(c.scores.size()), rows = all / shape.elements();
    const auto tensor = [&](const std::vector<float>& values) {
        Shape whole{rows};
        for (const std::int64_t extent : shape) whole.push_back(extent);
        return Tensor::from(values, whole);
    };
    std::vector<float> scores = c.scores;
    if (logits)
        for (float& score : scores) score = std::log(score / (1 - score));
    const Tensor x = tensor(scores), y = tensor(c.targets), w = c.weights.empty() ? Tensor() : tensor(c.weights);
    metric.reset();
    for (const auto& [first, last] : {std::pair(std::int64_t{0}, rows / 3), std::pair(rows / 3, rows)}) {
        const Tensor prediction = x.slice(first, last).to(device);
        if (w.defined()) ops::set_weight(prediction, w.slice(first, last).to(device));
        metric.update(prediction, y.slice(first, last).to(device));
    }
    return metric.result();
}

TEST_P(BinaryMetrics, AreTheSumsByHand) {
    for (const bool weighted : {false, true})
        for (const Shape& shape : {Shape{1}, Shape{3}, Shape{}, Shape{2, 3}}) {
            const Case c = decisions(600, weighted);
            for (const double threshold : {0.3, 0.5, 0.9, 2.0}) {
                const Counts n = counts_at(c, threshold);
                const auto of = [&](const Metric& metric) { return gathered(metric, c, shape, GetParam()); };
                EXPECT_NEAR(of(PrecisionScore(threshold)), ratio(n.tp, n.tp + n.fp), 1e-6);
                EXPECT_NEAR(of(Recall(threshold)), ratio(n.tp, n.tp + n.fn), 1e-6);
                EXPECT_NEAR(of(F1Score(threshold)), ratio(2 * n.tp, 2 * n.tp + n.fp + n.fn), 1e-6);
            }
            const Counts half = counts_at(c, 0.5);
            EXPECT_NEAR(gathered("precision", c, shape, GetParam()), ratio(half.tp, half.tp + half.fp), 1e-6);
            EXPECT_NEAR(gathered("recall", c, shape, GetParam()), ratio(half.tp, half.tp + half.fn), 1e-6);
            EXPECT_NEAR(gathered("f1_score", c, shape, GetParam()), ratio(2 * half.tp, 2 * half.tp + half.fp + half.fn),
                        1e-6);
            EXPECT_NEAR(gathered(PrecisionScore(0), c, shape, GetParam(), true), ratio(half.tp, half.tp + half.fp),
                        1e-6);
        }
}

TEST_P(BinaryMetrics, AreasAreKerasFormulas) {
    for (const bool weighted : {false, true}) {
        const Case c = decisions(600, weighted);
        for (const int thresholds : {2, 3, 50, 200})
            for (const bool roc : {true, false})
                for (const bool logits : {false, true}) {
                    const AUC metric({.num_thresholds = thresholds,
                                      .curve = roc ? AUCOptions::Curve::roc : AUCOptions::Curve::pr,
                                      .from_logits = logits});
                    EXPECT_NEAR(gathered(metric, c, Shape{3}, GetParam(), logits), area(c, thresholds, roc), 1e-5)
                        << thresholds << (roc ? " roc" : " pr") << (logits ? " logits" : "");
                }
        EXPECT_NEAR(gathered("auc", c, Shape{1}, GetParam()), area(c, 200, true), 1e-5);
        EXPECT_GT(area(c, 200, true), 0.7);
    }
}

TEST_P(BinaryMetrics, TheAreaOfEachLabel) {
    const Case c = decisions(600, true);
    double mean[2] = {};
    for (std::size_t label = 0; label < 3; ++label) {
        Case own;
        for (std::size_t i = label; i < 600; i += 3) {
            own.scores.push_back(c.scores[i]);
            own.targets.push_back(c.targets[i]);
            own.weights.push_back(c.weights[i]);
        }
        mean[0] += area(own, 200, true) / 3;
        mean[1] += area(own, 200, false) / 3;
    }
    EXPECT_NEAR(gathered(AUC({.multi_label = true}), c, Shape{3}, GetParam()), mean[0], 1e-5);
    EXPECT_NEAR(gathered(AUC({.curve = AUCOptions::Curve::pr, .multi_label = true}), c, Shape{3}, GetParam()), mean[1],
                1e-5);
    EXPECT_GT(std::abs(mean[0] - area(c, 200, true)), 1e-4);
}

/// The examples of Keras' documentation, and scikit-learn's roc_auc_score, precision_score, recall_score and f1_score.
TEST_P(BinaryMetrics, KnownValues) {
    const auto of = [&](const Metric& metric, const Case& c) { return gathered(metric, c, Shape{}, GetParam()); };
    const Case keras{{1, 0, 1, 1}, {0, 1, 1, 1}, {}}, weighted{{1, 0, 1, 1}, {0, 1, 1, 1}, {0, 0, 1, 0}};
    EXPECT_NEAR(of("precision", keras), 2.0 / 3, 1e-6);
    EXPECT_NEAR(of("recall", keras), 2.0 / 3, 1e-6);
    EXPECT_NEAR(of("f1_score", keras), 2.0 / 3, 1e-6);
    EXPECT_NEAR(of("precision", weighted), 1, 1e-6);
    EXPECT_NEAR(of("recall", weighted), 1, 1e-6);
    const AUC three({.num_thresholds = 3});
    EXPECT_NEAR(of(three, {{0, 0.5f, 0.3f, 0.9f}, {0, 0, 1, 1}, {}}), 0.75, 1e-6);
    EXPECT_NEAR(of(three, {{0, 0.5f, 0.3f, 0.9f}, {0, 0, 1, 1}, {1, 0, 0, 1}}), 1, 1e-6);
    // roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) is 0.75: three of four pairs are in order.
    EXPECT_NEAR(of("auc", {{0.1f, 0.4f, 0.35f, 0.8f}, {0, 0, 1, 1}, {}}), 0.75, 1e-6);
    // Ties count half: roc_auc_score([0, 1, 0, 1], [0.5, 0.5, 0.2, 0.9]) is (0.5 + 1 + 1 + 1) / 4.
    EXPECT_NEAR(of("auc", {{0.5f, 0.5f, 0.2f, 0.9f}, {0, 1, 0, 1}, {}}), 0.875, 1e-6);
    const AUC pr({.curve = AUCOptions::Curve::pr});
    EXPECT_NEAR(of(pr, {{0.1f, 0.2f, 0.8f, 0.9f}, {0, 0, 1, 1}, {}}), 1, 1e-6);  // told apart
}

TEST_P(BinaryMetrics, WhereThereIsNothingToDivideBy) {
    for (const Metric& metric : {Metric("precision"), Metric("recall"), Metric("f1_score"), Metric("auc")}) {
        metric.reset();
        EXPECT_TRUE(std::isnan(metric.result())) << metric.name();
        metric.update(Tensor::full(Shape{3}, 0.1).to(GetParam()), Tensor::zeros(Shape{3}).to(GetParam()));
        EXPECT_EQ(metric.result(), 0) << metric.name();
        metric.reset();
        EXPECT_TRUE(std::isnan(metric.result())) << metric.name();
    }
}

TEST_P(BinaryMetrics, LeaveOutWhatAMaskLeavesOut) {
    const Tensor p = Tensor::from({0.9f, 0.8f, 0.2f, 0.7f, 0.6f, 0.1f}, Shape{2, 3, 1}),
                 t = Tensor::from({1.0f, 0.0f, 1.0f, 0.0f, 1.0f, 0.0f}, Shape{2, 3, 1});
    const Tensor x = p.to(GetParam());
    ops::set_mask(x, Tensor::from<std::int64_t>({1, 0, 1, 1, 0, 1}, Shape{2, 3}).to(DType::boolean).to(GetParam()));
    for (const auto& [metric, wanted] :
         {std::pair(Metric("precision"), 0.5), std::pair(Metric("recall"), 0.5), std::pair(Metric("auc"), 0.75)}) {
        metric.update(x, t.to(GetParam()));
        EXPECT_NEAR(metric.result(), wanted, 1e-6) << metric.name();
    }
}

TEST_P(BinaryMetrics, StateGoesOn) {
    const Case c = decisions(300, true);
    for (const auto& make :
         std::vector<std::function<Metric()>>{[] { return Metric("precision"); }, [] { return Metric("f1_score"); },
                                              [] { return AUC({.multi_label = true}); }}) {
        const Metric whole = make(), first = make(), second = make();
        gathered(first, c, Shape{3}, GetParam());
        second.set_state(first.state());
        EXPECT_EQ(second.result(), first.result());
        const Tensor x = Tensor::from({0.4f, 0.8f, 0.6f}, Shape{1, 3}).to(GetParam()),
                     y = Tensor::from({1.0f, 0.0f, 1.0f}, Shape{1, 3}).to(GetParam());
        for (const Metric& metric : {first, second}) metric.update(x, y);
        EXPECT_NEAR(second.result(), first.result(), 1e-9);
        first.set_state(std::vector<double>(first.state().size()));
        EXPECT_TRUE(std::isnan(first.result()));
    }
}

TEST(BinaryMetric, Errors) {
    EXPECT_EQ(error_of([] { Metric("auc").update(Tensor::full(Shape{2}, 3), Tensor::zeros(Shape{2})); }),
              "AUC: the prediction 3 is no probability; for logits take AUC({.from_logits = true})");
    EXPECT_EQ(error_of([] {
                  Metric("precision").update(Tensor::zeros(Shape{2, 3}), Tensor::zeros(Shape{2}));
              }),
              "PrecisionScore: the model gives [2, 3], the targets are [2]: they do not go together");
    EXPECT_EQ(error_of([] { AUC({.num_thresholds = 1}); }), "AUC: expected 2 thresholds or more, got 1");
    EXPECT_EQ(error_of([] { Metric("recall").set_state({1, 2}); }), "the state of \"Recall\" has 4 numbers, got 2");
    EXPECT_EQ(error_of([] {
                  const AUC auc({.multi_label = true});
                  auc.update(Tensor::zeros(Shape{2, 3}), Tensor::zeros(Shape{2, 3}));
                  auc.update(Tensor::zeros(Shape{2, 2}), Tensor::zeros(Shape{2, 2}));
              }),
              "AUC: 3 labels, then 2");
}

TEST(BinaryMetric, LargerIsBetter) {
    for (const char* name : {"val_precision", "val_recall", "f1_score", "weighted_auc"})
        EXPECT_TRUE(larger_is_better(name, Monitor::Mode::automatic)) << name;
    EXPECT_FALSE(larger_is_better("val_loss", Monitor::Mode::automatic));
}

// All of them in training: captured steps on a device, weights, and the numbers of the host.
struct Trained {
    History history;
    Result test;
};

Trained train(Device device, bool capture) {
    const auto [x, labels] = moons(90);
    set_seed(2);
    const Sequential model{Dense(8, {.activation = Activation::tanh}), Dense(1)};
    model.build(Shape{2});
    model.to(device);
    model.compile(
        {.optimizer = Adam({.learning_rate = 0.05}),
         .loss = BinaryCrossentropy({.from_logits = true}),
         .metrics = {PrecisionScore(0), Recall(0), AUC({.from_logits = true})},
         .weighted_metrics = {F1Score(0), AUC({.curve = AUCOptions::Curve::pr, .from_logits = true, .name = "pr"}),
                              AUC({.multi_label = true, .from_logits = true})}});
    const History history = model.fit(x, labels,
                                      {.epochs = 4,
                                       .batch_size = 16,
                                       .validation_data = {x, labels},
                                       .class_weight = {{0, 1.0}, {1, 2.5}},
                                       .verbose = 0,
                                       .seed = 1,
                                       .capture = capture});
    return {history, model.evaluate(x, labels)};
}

TEST_P(BinaryMetrics, InTraining) {
    const Trained host = train(Device(), true), here = train(GetParam(), true);
    for (const auto& [name, values] :
         {std::pair("precision", 0), std::pair("recall", 0), std::pair("auc", 0), std::pair("f1_score", 0),
          std::pair("pr", 0), std::pair("weighted_auc", 0), std::pair("val_auc", 0), std::pair("val_pr", 0)}) {
        for (std::size_t epoch = 0; epoch < 4; ++epoch)
            EXPECT_NEAR(here.history.at(name)[epoch], host.history.at(name)[epoch], 0.03) << name;
        EXPECT_GE(here.history.at(name)[3], 0) << name;
        EXPECT_LE(here.history.at(name)[3], 1 + 1e-6) << name;
    }
    EXPECT_GT(here.history.at("val_auc")[3], 0.9);
    EXPECT_EQ(here.test.at("auc"), here.history.at("val_auc")[3]);
    if (GetParam() == Device()) return;
    EXPECT_EQ(here.history.replayed_steps, 4 * 5 - 1);
    const Trained eager = train(GetParam(), false);
    EXPECT_EQ(eager.history.at("auc"), here.history.at("auc"));
    EXPECT_EQ(eager.history.at("f1_score"), here.history.at("f1_score"));
}

}  // namespace
}  // namespace heddle
