#include <gtest/gtest.h>

#include "samples.h"

// What examples and classes count for: losses, metrics and training on the host.
namespace heddle {
namespace {

using namespace samples;

/// Uniform in 0.1 .. 0.9, the same every time.
Tensor numbers_in(const Shape& shape, std::uint64_t seed) {
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < shape.elements(); ++i)
        numbers.push_back(0.1 + 0.8 * static_cast<double>(Philox::uniform(
                                          Philox::block(seed, 0, static_cast<std::uint64_t>(i)).word[0])));
    return Tensor::from(numbers, shape);
}

const std::vector<std::int64_t> counted{1, 0, 0, 1, 1, 0, 1, 0};  // of [2, 4] steps
const std::vector<double> of_steps{0.5, 2, 0, 3, 1, 0.25, 4, 1}, of_sequences{2, 2, 2, 2, 0.5, 0.5, 0.5, 0.5};

Tensor step(const Tensor& x, std::int64_t i) {
    Shape rows{8};
    for (int axis = 2; axis < x.rank(); ++axis) rows.push_back(x.shape()[axis]);
    return x.reshape(rows).slice(i, i + 1);
}

/// sum(weight * loss) / number of losses, over the steps that count, one after the other.
double by_hand(const Loss& loss, const Tensor& p, const Tensor& t, const std::vector<double>& weight, bool masked) {
    double sum = 0, count = 0;
    for (std::int64_t i = 0; i < 8; ++i) {
        if (masked && counted[static_cast<std::size_t>(i)] == 0) continue;
        sum += weight[static_cast<std::size_t>(i)] * loss(step(p, i), step(t, i)).item();
        ++count;
    }
    return sum / count;
}

void expect_weighted(const Loss& loss, const Tensor& prediction, const Tensor& target) {
    SCOPED_TRACE(loss.name());
    for (const bool masked : {false, true})
        for (const auto& [weight, values] : {std::pair(Tensor::from(of_steps, Shape{2, 4}), of_steps),
                                             std::pair(Tensor::from({2.0, 0.5}, Shape{2}), of_sequences)}) {
            Tensor leaf = prediction.clone();
            leaf.set_requires_grad();
            const Tensor output = leaf * 1.0;
            if (masked) ops::set_mask(output, Tensor::from(counted, Shape{2, 4}).to(DType::boolean));
            const double plain = loss(output, target).item();
            ops::set_weight(output, weight);
            const Tensor value = loss(output, target);
            EXPECT_NEAR(value.item(), by_hand(loss, prediction, target, values, masked), 1e-6);
            EXPECT_GT(std::abs(value.item() - plain), 1e-4);
            value.backward();
            // The gradient by finite differences of the sum by hand.
            const std::vector<double> gradient = leaf.grad().to_vector<double>(), at = prediction.to_vector<double>();
            for (const std::size_t i : {std::size_t{0}, std::size_t{10}, std::size_t{13}, std::size_t{18}}) {
                std::vector<double> up = at, down = at;
                up[i] += 1e-5, down[i] -= 1e-5;
                const auto moved = [&](const std::vector<double>& x) {
                    return by_hand(loss, Tensor::from(x, prediction.shape()), target, values, masked);
                };
                EXPECT_NEAR(gradient[i], (moved(up) - moved(down)) / 2e-5, 1e-6) << i;
            }
        }
}

TEST(WeightedLoss, IsTheSumOfWeightTimesLossByTheNumberOfLosses) {
    const Tensor p = numbers_in({2, 4, 3}, 1), t = numbers_in({2, 4, 3}, 2);
    for (const char* name : {"mse", "mae", "huber", "binary_crossentropy", "categorical_crossentropy", "kl_divergence",
                             "poisson", "cosine_similarity", "hinge", "squared_hinge"})
        expect_weighted(name, p, t);
    expect_weighted(BinaryCrossentropy({.from_logits = true, .label_smoothing = 0.2f}), p, t);
    const Tensor labels = Tensor::from<std::int64_t>({0, 2, 1, 1, 2, 0, 0, 1}, Shape{2, 4});
    expect_weighted("sparse_categorical_crossentropy", p, labels);
    expect_weighted(CategoricalCrossentropy({.from_logits = true}), p, labels);
    expect_weighted(SparseCategoricalCrossentropy({.from_logits = true, .label_smoothing = 0.1f}), p, labels);
    expect_weighted(Loss("own", [](const Tensor& a, const Tensor& b) { return ops::abs(a - b).sum(-1); }), p, t);
}

TEST(WeightedLoss, OnesAreAsGoodAsNone) {
    const Tensor p = numbers_in({4, 3}, 1), t = numbers_in({4, 3}, 2), weighted = p.clone();
    ops::set_weight(weighted, Tensor::ones(Shape{4}));
    EXPECT_NEAR(Loss("mse")(weighted, t).item(), Loss("mse")(p, t).item(), 1e-7);
    ops::set_weight(weighted, Tensor());
    EXPECT_EQ(Loss("mse")(weighted, t).item(), Loss("mse")(p, t).item());
}

TEST(WeightedLoss, ClassesThatAreIgnoredAreNotCounted) {
    const Tensor p = numbers_in({4, 3}, 1), labels = Tensor::from<std::int64_t>({0, -1, 2, -1}, Shape{4});
    const SparseCategoricalCrossentropy loss({.from_logits = true, .ignore_class = -1}), each({.from_logits = true});
    ops::set_weight(p, Tensor::from({2.0f, 5.0f, 0.5f, 5.0f}, Shape{4}));
    const auto of = [&](std::int64_t i) { return each(p.slice(i, i + 1), labels.slice(i, i + 1)).item(); };
    EXPECT_NEAR(loss(p, labels).item(), (2 * of(0) + 0.5 * of(2)) / 2, 1e-7);
}

TEST(WeightedLoss, OnesOwn) {
    const Tensor p = numbers_in({4, 3}, 1), t = numbers_in({4, 3}, 2);
    const Loss values("values", [](const Tensor& a, const Tensor& b) { return (a - b).mean(-1); });
    EXPECT_NEAR(values(p, t).item(), (p - t).mean().item(), 1e-12);
    const Loss number("number", [](const Tensor& a, const Tensor& b) { return (a - b).sum(); });
    EXPECT_NEAR(number(p, t).item(), (p - t).sum().item(), 1e-12);
    ops::set_weight(p, Tensor::ones(Shape{4}));
    EXPECT_EQ(error_of([&] { number(p, t); }),
              "loss \"number\" gives []: expected (as there are weights) a value for each example, [4] or more "
              "dimensions");
    const Loss wrong("wrong", [](const Tensor& a, const Tensor&) { return a.sum(0); });
    ops::set_weight(p, Tensor());
    EXPECT_EQ(error_of([&] { wrong(p, t); }),
              "loss \"wrong\" gives [3]: expected one number, or a value for each example, [4] or more dimensions");
    ops::set_weight(p, Tensor::ones(Shape{4, 3}));
    EXPECT_EQ(error_of([&] { values(p, t); }),
              "the loss has values [4], and the weights are f32 [4, 3]: they must be of its first dimensions");
}

/// Two classes of points, of which the second is rare: labels 1 in every fifth example.
struct Points {
    Tensor x, labels;
    std::int64_t count;
};

Points points(std::int64_t count) {
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < count; ++i) labels.push_back(i % 5 == 2);
    return {numbers_in({count, 2}, 9).to(DType::f32), Tensor::from(labels, Shape{count}), count};
}

const ClassWeight one_and_four{{0, 1.0}, {1, 4.0}};

Tensor weight_of_labels(const Points& data) { return data.labels.to(DType::f32) * 3.0 + 1.0; }

struct Trained {
    std::vector<double> losses, weighted, plain;
    NamedTensors tensors;
};

Trained train(const Loss& loss, std::int64_t outputs, const Tensor& x, const Tensor& y, const FitOptions& options) {
    set_seed(3);
    const Sequential model{Dense(8, {.activation = Activation::tanh}),
                           Dense(outputs, {.activation = Activation::sigmoid})};
    model.build(Shape{2});
    model.compile({.optimizer = "adam", .loss = loss, .metrics = {"mae"}, .weighted_metrics = {"mae"}});
    FitOptions all = options;
    all.epochs = 3, all.batch_size = 8, all.verbose = 0, all.seed = 1;
    const History history = model.fit(x, y, all);
    return {history.at("loss"), history.at("weighted_mae"), history.at("mae"), all_tensors(model)};
}

TEST(ClassWeights, AreSampleWeightsOfTheLabels) {
    const Points data = points(43);
    const Tensor one_hot = to_categorical(data.labels, 2), floats = data.labels.to(DType::f32);
    const auto own = [](const Tensor& p, const Tensor& t) { return ops::square(p.reshape(t.shape()) - t); };
    struct Case {
        Loss loss;
        std::int64_t outputs;
        Tensor y;
    };
    for (const auto& [loss, outputs, y] :
         {Case{"binary_crossentropy", 1, floats}, Case{"binary_crossentropy", 1, data.labels.reshape(Shape{43, 1})},
          Case{"hinge", 1, floats}, Case{"categorical_crossentropy", 2, one_hot}, Case{"kl_divergence", 2, one_hot},
          Case{Loss("own", own), 1, floats}, Case{Loss("own", own), 2, one_hot}}) {
        SCOPED_TRACE(loss.name());
        const Trained by_class = train(loss, outputs, data.x, y, {.class_weight = one_and_four});
        const Trained by_sample = train(loss, outputs, data.x, y, {.sample_weight = weight_of_labels(data)});
        EXPECT_EQ(by_class.losses, by_sample.losses);
        EXPECT_EQ(differing(by_class.tensors, by_sample.tensors), "");
        EXPECT_EQ(by_class.weighted, by_sample.weighted);
        EXPECT_NE(by_class.weighted, by_class.plain);
        const Trained plain = train(loss, outputs, data.x, y, {});
        EXPECT_NE(differing(by_class.tensors, plain.tensors), "");
        EXPECT_EQ(plain.weighted, plain.plain);
        // Both: their product.
        const Trained both =
            train(loss, outputs, data.x, y,
                  {.class_weight = {{0, 1.0}, {1, 2.0}}, .sample_weight = data.labels.to(DType::f32) + 1.0});
        EXPECT_EQ(differing(both.tensors, by_class.tensors), "");
    }
}

TEST(ClassWeights, OfIntegerLabels) {
    const Points data = points(43);
    const auto trained = [&](const FitOptions& options) {
        set_seed(3);
        const Sequential model{Dense(2)};
        model.compile({.optimizer = "sgd", .loss = SparseCategoricalCrossentropy({.from_logits = true})});
        FitOptions all = options;
        all.verbose = 0, all.seed = 1;
        const History history = model.fit(data.x, data.labels, all);
        return std::pair(history.at("loss"), all_tensors(model));
    };
    const auto by_class = trained({.class_weight = one_and_four});
    const auto by_sample = trained({.sample_weight = weight_of_labels(data)});
    EXPECT_EQ(by_class.first, by_sample.first);
    EXPECT_EQ(differing(by_class.second, by_sample.second), "");
    // What a rare class counts for is not what validation reports.
    const Sequential model{Dense(2)};
    model.compile(
        {.optimizer = SGD({.learning_rate = 1e-12}), .loss = SparseCategoricalCrossentropy({.from_logits = true})});
    const History history = model.fit(
        data.x, data.labels, {.validation_data = {data.x, data.labels}, .class_weight = one_and_four, .verbose = 0});
    EXPECT_NEAR(history.at("val_loss")[0], model.evaluate(data.x, data.labels).at("loss"), 1e-6);
    EXPECT_GT(history.at("loss")[0], 1.1 * history.at("val_loss")[0]);
}

TEST(ClassWeights, ErrorsSayWhatDoesNotFit) {
    const Points data = points(10);
    const auto error = [&](const Loss& loss, std::int64_t outputs, const Tensor& y, const ClassWeight& weights) {
        const Sequential model{Dense(outputs)};
        model.compile({.optimizer = "sgd", .loss = loss});
        return error_of([&] { model.fit(data.x, y, {.class_weight = weights, .verbose = 0}); });
    };
    const SparseCategoricalCrossentropy sparse({.from_logits = true});
    EXPECT_EQ(error(sparse, 3, data.labels, one_and_four),
              "class_weight: class 2 has no weight: the model tells 3 classes apart, 0 to 2");
    EXPECT_EQ(error(sparse, 2, data.labels, {{0, 1}, {1, 2}, {2, 3}}),
              "class_weight: there is no class 2: the model tells 2 classes apart, 0 to 1");
    EXPECT_EQ(error(sparse, 3, data.labels, {{0, 1}, {2, 3}}),
              "class_weight: class 1 has no weight: each class from 0 to 2 needs one");
    EXPECT_EQ(error(sparse, 2, data.labels, {{-1, 1}, {0, 3}}),
              "class_weight: there is no class -1: they are numbered from 0");
    EXPECT_EQ(error(sparse, 2, data.labels, {{0, -1}, {1, 3}}),
              "class_weight: expected a weight of 0 or more for class 0, got -1");
    EXPECT_EQ(error("mse", 1, data.labels, one_and_four),
              "class_weight: the loss \"mean_squared_error\" of an output [10, 1] and targets i64 [10] has no class "
              "for each example: give sample_weight");
    EXPECT_NE(error("binary_crossentropy", 2, to_categorical(data.labels, 2), one_and_four).find("give sample_weight"),
              std::string::npos);  // several labels an example
}

TEST(SampleWeights, ErrorsSayWhatDoesNotFit) {
    const Points data = points(10);
    const Sequential model{Dense(1)};
    model.compile({.optimizer = "sgd", .loss = "mse"});
    const Tensor y = data.labels.to(DType::f32);
    EXPECT_EQ(error_of([&] { model.fit(data.x, y, {.sample_weight = Tensor::ones(Shape{9}), .verbose = 0}); }),
              "with_sample_weight: 10 examples need as many sample weights, got f32 [9]");
    const Tensor bad = Tensor::ones(Shape{10});
    bad.data<float>()[7] = std::nanf("");
    EXPECT_EQ(error_of([&] { model.evaluate(data.x, y, {.sample_weight = bad}); }),
              "with_sample_weight: the sample weight of example 7 is nan");
    EXPECT_EQ(error_of([&] { model.train_on_batch(data.x, y, {.sample_weight = bad}); }),
              "train_on_batch: the sample weight of example 7 is nan");
    EXPECT_NE(error_of([&] {
                  model.fit(data.x, y, {.sample_weight = Tensor::ones(Shape{10, 4}), .verbose = 0});
              }).find("expected floating weights of the first dimensions of [10, 1] cpu, got f32 [10, 4] cpu"),
              std::string::npos);
    const Dataset weighted = TensorDataset(data.x, y).with_sample_weight(Tensor::ones(Shape{10}));
    EXPECT_EQ(error_of([&] { model.evaluate(weighted, {.sample_weight = Tensor::ones(Shape{10})}); }),
              "with_sample_weight: the data set has weights already");
}

/// y = x: a loss that can be told by hand.
Model identity(std::vector<Metric> weighted) {
    const Sequential model{Dense(1, {.use_bias = false})};
    model.build(Shape{1});
    model.parameters()[0].second.fill_(1);
    model.compile({.optimizer = SGD({.learning_rate = 0.1}),
                   .loss = "mse",
                   .metrics = {"mae"},
                   .weighted_metrics = std::move(weighted)});
    return model;
}

TEST(SampleWeights, EvaluationWeighsTheLossAndTheWeightedMetrics) {
    const Tensor x = Tensor::from({1.0f, 2.0f, 3.0f}, Shape{3, 1}), y = Tensor::zeros(Shape{3, 1}),
                 weight = Tensor::from<std::int64_t>({3, 0, 1}, Shape{3, 1});
    const Model model = identity({"mae", "rmse"});
    // Batches of two and of one: the loss is the mean over all examples.
    const Result result = model.evaluate(x, y, {.batch_size = 2, .sample_weight = weight});
    EXPECT_NEAR(result.at("loss"), (3.0 * 1 + 0 + 9) / 3, 1e-6);
    EXPECT_NEAR(result.at("mae"), 2, 1e-6);
    EXPECT_NEAR(result.at("weighted_mae"), (3.0 * 1 + 3) / 4, 1e-6);
    EXPECT_NEAR(result.at("rmse"), std::sqrt((3.0 * 1 + 9) / 4), 1e-6);
    const Result again = model.evaluate(TensorDataset(x, y).with_sample_weight(weight));
    EXPECT_NEAR(again.at("loss"), result.at("loss"), 1e-6);
    EXPECT_NEAR(model.evaluate(x, y).at("weighted_mae"), 2, 1e-6);
}

TEST(SampleWeights, ABatchByHand) {
    const Tensor x = Tensor::from({1.0f, 2.0f}, Shape{2, 1}), y = Tensor::zeros(Shape{2});
    const Model model = identity({});
    const Result result = model.train_on_batch(x, y, {.sample_weight = Tensor::from({0.5f, 2.0f}, Shape{2})});
    EXPECT_NEAR(result.at("loss"), (0.5 * 1 + 2 * 4) / 2, 1e-6);
    // d loss / d w = (0.5 * 2 * 1 + 2 * 2 * 4) / 2 at w = 1.
    EXPECT_NEAR(model.parameters()[0].second.item(), 1 - 0.1 * 8.5, 1e-6);
    const Sequential classifier{Dense(2)};
    classifier.compile({.optimizer = "sgd", .loss = SparseCategoricalCrossentropy({.from_logits = true})});
    EXPECT_EQ(
        classifier
            .train_on_batch(x, Tensor::from<std::int64_t>({0, 1}, Shape{2}), {.class_weight = {{0, 0.0}, {1, 0.0}}})
            .at("loss"),
        0);
}

TEST(SampleWeights, AreSplitWithTheExamples) {
    const Tensor x = Tensor::from({1.0f, 2.0f, 3.0f, 4.0f}, Shape{4, 1}), y = Tensor::zeros(Shape{4, 1}),
                 weight = Tensor::from({0.0f, 0.0f, 1.0f, 2.0f}, Shape{4});
    const Model model = identity({});
    const History history = model.fit(x, y, {.validation_split = 0.5, .sample_weight = weight, .verbose = 0});
    EXPECT_EQ(history.at("loss")[0], 0);  // nothing was learned from examples that count for nothing
    EXPECT_NEAR(history.at("val_loss")[0], (9.0 + 2 * 16) / 2, 1e-5);
    const History other =
        model.fit(x, y, {.validation_data = {x, y, weight}, .sample_weight = Tensor::zeros(Shape{4}), .verbose = 0});
    EXPECT_NEAR(other.at("val_loss")[0], (9.0 + 2 * 16) / 4, 1e-5);
}

TEST(WeightedMetrics, HaveNamesOfTheirOwn) {
    const Metric one = "mae";
    const Sequential model{Dense(1)};
    const auto compile = [&](std::vector<Metric> plain, std::vector<Metric> weighted) {
        model.compile(
            {.optimizer = "sgd", .loss = "mse", .metrics = std::move(plain), .weighted_metrics = std::move(weighted)});
    };
    compile({"mae", "mse"}, {"mae", "rmse"});
    std::vector<std::string> names;
    for (const Metric& metric : model.metrics()) names.push_back(metric.name());
    EXPECT_EQ(names, (std::vector<std::string>{"mae", "mse", "weighted_mae", "rmse"}));
    EXPECT_EQ(error_of([&] { compile({one}, {one}); }),
              "compile: \"mae\" and \"weighted_mae\" are one metric: give each list one of its own");
    EXPECT_EQ(error_of([&] { compile({}, {"mae", "mae"}); }), "compile: two metrics are called \"mae\"");
}

TEST(WeightedMetrics, CountByWeight) {
    const Tensor p = numbers_in({6, 3}, 4).to(DType::f32),
                 weight = Tensor::from({1.0f, 0.0f, 2.5f, 0.5f, 3.0f, 1.0f}, Shape{6});
    const Tensor labels = Tensor::from<std::int64_t>({0, 1, 2, 0, 1, 2}, Shape{6});
    const std::vector<std::int64_t> said = p.argmax().to_vector<std::int64_t>(),
                                    wanted = labels.to_vector<std::int64_t>();
    const std::vector<float> w = weight.to_vector<float>();
    double right = 0, all = 0;
    for (std::size_t i = 0; i < 6; ++i) {
        right += said[i] == wanted[i] ? static_cast<double>(w[i]) : 0;
        all += static_cast<double>(w[i]);
    }
    ASSERT_GT(right, 0);
    ops::set_weight(p, weight);
    for (const Metric& metric :
         {Metric("accuracy"), Metric("sparse_categorical_accuracy"), Metric(TopKCategoricalAccuracy(1))}) {
        metric.update(p, labels);
        EXPECT_NEAR(metric.result(), right / all, 1e-6) << metric.name();
    }
    EXPECT_EQ(error_of([&] {
                  const Tensor q = Tensor::zeros(Shape{6, 3});
                  ops::set_weight(q, Tensor::ones(Shape{6, 3}));
                  Metric("accuracy").update(q, labels);
              }),
              "a metric of 6 values cannot weigh them by f32 [6, 3]");
}

}  // namespace
}  // namespace heddle
