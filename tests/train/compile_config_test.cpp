#include <gtest/gtest.h>

#include <filesystem>

#include "data/files/safetensors.h"
#include "samples.h"

// How a model was compiled goes with its file, and comes back with the same settings.
namespace heddle {
namespace {

using namespace samples;

class CompileConfig : public testing::Test {
  protected:
    ~CompileConfig() override { std::filesystem::remove_all(place); }

    Sequential classifier() const {
        set_seed(4);
        Sequential model{Flatten(), Dense(6, {.activation = "relu"}), Dense(3)};
        model.build(Shape{8, 8, 3});
        return model;
    }
    /// The file's metadata with another text for the compiled state.
    void rewrite(const std::string& settings) const {
        SafetensorsFile file = load_safetensors(path);
        file.metadata["compile"] = settings;
        save_safetensors(path, file.tensors, file.metadata);
    }

    const std::string place = folder("compile_config");
    const std::string path = place + "/model.safetensors";
};

/// What a text form makes again has the same text form, and the rate of the other at these steps.
void expect_same(const Schedule& schedule) {
    ASSERT_TRUE(schedule.config());
    const Schedule again = Schedule::from_config(Config::parse(schedule.config()->to_json()));
    EXPECT_EQ(again.config(), schedule.config()) << schedule.config()->to_json();
    EXPECT_EQ(again.is_constant(), schedule.is_constant());
    for (const std::int64_t step : {0, 1, 3, 7, 12, 40, 1000}) EXPECT_EQ(again.at(step), schedule.at(step)) << step;
}

TEST_F(CompileConfig, SchedulesComeBack) {
    expect_same(0.1);
    expect_same(StepDecay({.initial_learning_rate = 0.3, .step_size = 3, .factor = 0.7}));
    expect_same(PiecewiseConstantDecay({2, 9}, {1, 0.1, 0.01}));
    expect_same(
        ExponentialDecay({.initial_learning_rate = 0.3, .decay_steps = 5, .decay_rate = 0.9, .staircase = true}));
    expect_same(LinearDecay({.initial_learning_rate = 0.3, .decay_steps = 9, .end_learning_rate = 0.1}));
    expect_same(CosineDecay({.initial_learning_rate = 0.3, .decay_steps = 9, .alpha = 0.2, .warmup_steps = 4}));
    expect_same(CosineDecayRestarts(
        {.initial_learning_rate = 0.3, .first_decay_steps = 3, .t_mul = 1.5, .m_mul = 0.8, .alpha = 0.1}));
    expect_same(OneCycle({.max_learning_rate = 0.3,
                          .total_steps = 20,
                          .start_fraction = 0.4,
                          .initial_divisor = 10,
                          .final_divisor = 100}));
    expect_same(Warmup(3, LinearDecay({.decay_steps = 5}), 0.01));
    EXPECT_FALSE(Schedule([](std::int64_t) { return 0.1; }).config());
    EXPECT_FALSE(Warmup(3, Schedule([](std::int64_t) { return 0.1; })).config());
}

/// Some steps from one start, on one parameter.
std::vector<float> steps_of(const Optimizer& optimizer) {
    const Tensor w = Tensor::from({1.0f, -2.0f, 0.5f, 3.0f}, Shape{2, 2});
    for (int t = 1; t <= 4; ++t) {
        w.set_grad(
            Tensor::from({0.5f / static_cast<float>(t), -1.0f, 2.0f, 0.1f * static_cast<float>(t)}, Shape{2, 2}));
        optimizer.step({{"w", w}});
    }
    return w.to_vector<float>();
}

TEST_F(CompileConfig, OptimizersComeBack) {
    const Schedule rate = LinearDecay({.initial_learning_rate = 0.2, .decay_steps = 4});
    const std::vector<Optimizer> optimizers{
        SGD({.learning_rate = rate, .momentum = 0.8, .nesterov = true, .weight_decay = 0.1, .clip_norm = 0.7}),
        SGD({.weight_decay = 0.1, .global_clip_norm = 0.5, .decay_vectors = false}),
        Adam({.beta_1 = 0.8, .beta_2 = 0.9, .epsilon = 1e-3, .amsgrad = true, .weight_decay = 0.1}),
        AdamW({.learning_rate = 0.1, .weight_decay = 0.2, .beta_1 = 0.7, .amsgrad = true}),
        Nadam({.beta_2 = 0.9, .momentum_decay = 0.1}),
        Adamax({.learning_rate = 0.1, .epsilon = 1e-2}),
        RMSprop({.rho = 0.7, .momentum = 0.5, .epsilon = 1e-3, .centered = true}),
        Adagrad({.learning_rate = 0.1, .initial_accumulator_value = 0.4, .epsilon = 1e-2}),
        Adadelta({.learning_rate = 1, .rho = 0.8, .epsilon = 1e-3}),
        Muon({.momentum = 0.8,
              .nesterov = false,
              .weight_decay = 0.1,
              .newton_schulz_steps = 3,
              .coefficients = {3, -4, 2},
              .normalize_weights = true}),
        OptimizerGroups({{{"v*", "x"}, Adam()}, {{"*"}, SGD({.learning_rate = 0.25})}})};
    for (const Optimizer& optimizer : optimizers) {
        ASSERT_TRUE(optimizer.config()) << optimizer.class_name();
        const std::string text = optimizer.config()->to_json();
        const Optimizer again = Optimizer::from_config(Config::parse(text));
        EXPECT_STREQ(again.class_name(), optimizer.class_name());
        EXPECT_EQ(again.config(), optimizer.config()) << text;
        if (std::string(optimizer.class_name()) == "OptimizerGroups") continue;  // all groups need parameters
        EXPECT_EQ(steps_of(again), steps_of(optimizer)) << text;
    }
    const SGD changed({.learning_rate = 0.1});
    changed.set_learning_rate(0.05);
    EXPECT_EQ(Optimizer::from_config(*changed.config()).learning_rate(), 0.05);
    EXPECT_FALSE(SGD({.learning_rate = Schedule([](std::int64_t) { return 0.1; })}).config());
    EXPECT_FALSE(
        OptimizerGroups({{{"*"}, SGD({.learning_rate = Schedule([](std::int64_t) { return 0.1; })})}}).config());
}

TEST_F(CompileConfig, LossesComeBack) {
    const Tensor logits = Tensor::from({0.1f, 0.7f, 0.2f, 0.5f, 0.3f, 0.2f}, Shape{2, 3});
    const Tensor labels = Tensor::from({std::int64_t{1}, std::int64_t{2}}, Shape{2});
    const Tensor numbers = Tensor::from({0.0f, 1.0f, 0.0f, 0.5f, 0.0f, 0.5f}, Shape{2, 3});
    const auto same = [&](const Loss& loss, const Tensor& target) {
        ASSERT_TRUE(loss.config()) << loss.name();
        const std::string text = loss.config()->to_json();
        const Loss again = Loss::from_config(Config::parse(text));
        EXPECT_EQ(again.name(), loss.name());
        EXPECT_EQ(again.targets(), loss.targets());
        EXPECT_EQ(again.config(), loss.config()) << text;
        EXPECT_EQ(again(logits, target).item(), loss(logits, target).item()) << text;
    };
    same(SparseCategoricalCrossentropy({.from_logits = true, .label_smoothing = 0.1f}), labels);
    same(SparseCategoricalCrossentropy({.from_logits = true, .ignore_class = 2}), labels);
    same(CategoricalCrossentropy({.from_logits = true, .label_smoothing = 0.3f}), numbers);
    same(BinaryCrossentropy({.from_logits = true, .label_smoothing = 0.3f}), numbers);
    same(Huber({.delta = 0.2f}), numbers);
    for (const char* name :
         {"mse", "mae", "kl_divergence", "poisson", "cosine_similarity", "hinge", "squared_hinge", "huber"})
        same(name, numbers);
    EXPECT_FALSE(Loss("own", [](const Tensor& p, const Tensor& t) { return ops::mean(p - t); }).config());
}

TEST_F(CompileConfig, MetricsComeBack) {
    const std::vector<Metric> metrics{"accuracy",
                                      "acc",
                                      "mse",
                                      "root_mean_squared_error",
                                      "sparse_top_k_categorical_accuracy",
                                      "auc",
                                      SparseCategoricalAccuracy(2, "own"),
                                      SparseCategoricalAccuracy(),
                                      TopKCategoricalAccuracy(2),
                                      BinaryAccuracy(0.3, "above"),
                                      PrecisionScore(0.3),
                                      Recall(0.2, "found"),
                                      F1Score(0.4),
                                      AUC({.num_thresholds = 50,
                                           .curve = AUCOptions::Curve::pr,
                                           .multi_label = true,
                                           .from_logits = true,
                                           .name = "area"}),
                                      ClassificationLog("log"),
                                      Metric("mae").named("distance")};
    for (const Metric& metric : metrics) {
        ASSERT_TRUE(metric.config()) << metric.name();
        const std::string text = metric.config()->to_json();
        const Metric again = Metric::from_config(Config::parse(text));
        EXPECT_EQ(again.name(), metric.name());
        EXPECT_EQ(again.config(), metric.config()) << text;
        EXPECT_FALSE(again.is(metric));
    }
    // The settings count, not only their text.
    const Tensor scores = Tensor::from({0.25f, 0.35f, 0.6f, 0.1f}, Shape{4}),
                 truth = Tensor::from({1.0f, 0.0f, 1.0f, 1.0f}, Shape{4});
    for (const Metric& metric :
         {Metric(BinaryAccuracy(0.3)), Metric(PrecisionScore(0.3)), Metric(Recall(0.2)), Metric(F1Score(0.4)),
          Metric(AUC({.num_thresholds = 5, .curve = AUCOptions::Curve::pr}))}) {
        const Metric again = Metric::from_config(*metric.config());
        metric.update(scores, truth);
        again.update(scores, truth);
        EXPECT_EQ(again.result(), metric.result()) << metric.name();
    }
    EXPECT_FALSE(Metric("own", [](const Tensor&, const Tensor&) { return 1.0; }).config());
}

TEST_F(CompileConfig, ALoadedModelIsCompiled) {
    const Sequential model = classifier();
    const Dataset data = pictures(32);
    model.compile({.optimizer = Adam({.learning_rate = 0.01}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true, .label_smoothing = 0.1f}),
                   .metrics = {"accuracy", TopKCategoricalAccuracy(2)},
                   .weighted_metrics = {"accuracy"},
                   .l2 = 1e-3});
    model.fit(data, {.epochs = 2, .batch_size = 8, .verbose = 0});
    model.save(path);

    const Model loaded = Model::load(path);
    const auto results = [&](const Model& m) {
        const Result result = m.evaluate(data);
        return std::vector(result.begin(), result.end());
    };
    EXPECT_EQ(results(loaded), results(model));
    ASSERT_EQ(loaded.metrics().size(), 3u);
    EXPECT_EQ(loaded.metrics()[2].name(), "weighted_accuracy");
    EXPECT_EQ(loaded.compiled().l2, 1e-3);
    EXPECT_EQ(loaded.optimizer().learning_rate(), 0.01);
    EXPECT_EQ(loaded.optimizer().iterations(), 0);  // begins anew

    // Trained on, it does what the same weights do under the same settings.
    const Model other = Model::load(path, {.compile = false});
    EXPECT_NE(error_of([&] { other.fit(data); }).find("fit: the model is not compiled: call compile("),
              std::string::npos);
    other.compile({.optimizer = Adam({.learning_rate = 0.01}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true, .label_smoothing = 0.1f}),
                   .l2 = 1e-3});
    loaded.fit(data, {.epochs = 1, .batch_size = 8, .verbose = 0, .seed = 3});
    other.fit(data, {.epochs = 1, .batch_size = 8, .verbose = 0, .seed = 3});
    EXPECT_EQ(differing(all_tensors(loaded), all_tensors(other)), "");
}

TEST_F(CompileConfig, WhatIsTheProgramsOwnIsNotKept) {
    const Sequential model = classifier();
    const auto error_after = [&](const CompileOptions& options) {
        model.compile(options);
        model.save(path);
        const Model loaded = Model::load(path);
        return error_of([&] { loaded.evaluate(pictures(4)); });
    };
    const Loss own("own", [](const Tensor& p, const Tensor&) { return ops::mean(p); });
    EXPECT_EQ(error_after({.optimizer = "sgd", .loss = own}),
              "the model is not compiled (its file cannot tell how: the loss \"own\" is the program's own): call "
              "compile({.optimizer = ..., .loss = ...}) first");
    const Metric count("count", [](const Tensor&, const Tensor&) { return 1.0; });
    EXPECT_NE(error_after({.optimizer = "sgd", .loss = "mse", .metrics = {count}}).find("the metric \"count\""),
              std::string::npos);
    const SGD scheduled({.learning_rate = Schedule([](std::int64_t) { return 0.1; })});
    EXPECT_NE(error_after({.optimizer = scheduled, .loss = "mse"}).find("the optimizer SGD or its schedule"),
              std::string::npos);
}

TEST_F(CompileConfig, WhatThisVersionDoesNotKnowIsAnError) {
    const Sequential model = classifier();
    model.compile({.optimizer = "sgd", .loss = "mse", .metrics = {"mae"}});
    model.save(path);
    const Config good = Config::parse(load_safetensors(path).metadata.at("compile"));
    const auto error_with = [&](const char* part, const Config& value) {
        Config settings = good;
        rewrite(settings.set(part, value).to_json());
        EXPECT_NO_THROW(Model::load(path, {.compile = false}));
        return error_of([&] { Model::load(path); });
    };
    Config optimizer = good.at("optimizer");
    const std::string setting = error_with("optimizer", optimizer.set("dampening", 0.1));
    EXPECT_NE(setting.find("SGD has no setting \"dampening\""), std::string::npos) << setting;
    EXPECT_NE(setting.find(path), std::string::npos) << setting;
    EXPECT_NE(setting.find("{.compile = false}"), std::string::npos) << setting;
    Config unknown;
    unknown.set("class", "Lion");
    EXPECT_NE(error_with("optimizer", unknown).find("\"Lion\""), std::string::npos);
    EXPECT_NE(error_with("loss", unknown).find("\"Lion\""), std::string::npos);
    Config metric = good.at("metrics").array().front();
    EXPECT_NE(error_with("metrics", Config(Config::Array{metric.set("class", "Lion")})).find("\"Lion\""),
              std::string::npos);
    EXPECT_NE(error_with("loss", 3).find("expected an object"), std::string::npos);
}

}  // namespace
}  // namespace heddle
