#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "samples.h"

namespace heddle {
namespace {

using namespace samples;

Model classifier() {
    set_seed(1);
    Sequential model{Dense(32, {.activation = Activation::relu}), Dense(32, {.activation = Activation::relu}),
                     Dense(2)};
    model.compile({.optimizer = Adam({.learning_rate = 0.01f}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"}});
    return model;
}

Model line() {
    set_seed(2);
    Sequential model{Dense(1)};
    model.compile({.optimizer = SGD({.learning_rate = 0.1f}), .loss = "mse", .metrics = {"mae"}});
    return model;
}

TEST(Fit, AModelMadeOfASequentialIsTheSameModel) {
    const Sequential sequential{Dense(1)};
    sequential.compile({.optimizer = "sgd", .loss = "mse"});
    const Model model(sequential);
    EXPECT_EQ(model.loss().name(), sequential.loss().name());
    const auto [x, y] = plane(20);
    model.fit(x, y, {.verbose = 0});
    EXPECT_EQ(sequential.optimizer().iterations(), 1);
}

TEST(Fit, PredictWantsABatch) {
    const Sequential model{Dense(1)};
    model.build(Shape{2});
    EXPECT_EQ(error_of([&] { model.predict(Tensor::ones(Shape{2})); }),
              "predict: expected [N, ...] with examples of [2], got [2]");
    EXPECT_EQ(model.predict(Tensor::ones(Shape{1, 2})).shape(), (Shape{1, 1}));
    EXPECT_EQ(error_of([&] {
                  model.predict(Tensor::ones(Shape{1, 2}, {DType::f64}));
              }),
              "Dense \"0\": the input is f64, the weights are f32: convert it with to(DType::f32)");
}

TEST(Fit, LinearRegressionRecoversThePlane) {
    const auto [x, y] = plane(200);
    const Model model = line();
    const History history = model.fit(x, y, {.epochs = 30, .batch_size = 20, .verbose = 0});
    const NamedTensors parameters = model.parameters();
    ASSERT_EQ(parameters.size(), 2u);
    EXPECT_NEAR(parameters[0].second.to_vector<float>()[0], 3, 1e-3);
    EXPECT_NEAR(parameters[0].second.to_vector<float>()[1], -2, 1e-3);
    EXPECT_NEAR(parameters[1].second.to_vector<float>()[0], 0.5, 1e-3);
    EXPECT_EQ(history.names(),
              (std::vector<std::string>{"loss", "mae", "learning_rate", "seconds", "samples_per_second"}));
    EXPECT_EQ(history.epochs().size(), 30u);
    EXPECT_LT(history.at("loss").back(), 1e-5);
    EXPECT_GT(history.at("samples_per_second").back(), 0);
    EXPECT_FALSE(history.interrupted);
}

TEST(Fit, TheLastBatchMayBeOneExample) {
    const auto [x, y] = plane(21);
    const Tensor flat = y.reshape(Shape{21});
    const Model column = line();
    const History a = column.fit(x, y, {.epochs = 2, .batch_size = 4, .verbose = 0, .seed = 1});
    const Model vector = line();  // begins with the same weights
    const History b = vector.fit(x, flat, {.epochs = 2, .batch_size = 4, .verbose = 0, .seed = 1});
    EXPECT_EQ(a.at("loss"), b.at("loss"));
    EXPECT_NEAR(column.evaluate(x, y).at("loss"), vector.evaluate(x, flat, {.batch_size = 1}).at("loss"), 1e-6);
}

TEST(Fit, ClassifiesMoons) {
    const auto [x, y] = moons(400);
    const Model model = classifier();
    const History history = model.fit(x, y, {.epochs = 60, .validation_split = 0.25, .verbose = 0});
    EXPECT_GT(history.at("val_accuracy").back(), 0.97);
    const Result result = model.evaluate(x, y);
    EXPECT_GT(result.at("accuracy"), 0.97);
    const Tensor logits = model.predict(x, 64);
    EXPECT_EQ(logits.shape(), (Shape{400, 2}));
    EXPECT_TRUE(same_bits(logits.slice(64, 128), model.predict(x.slice(64, 128))));
    EXPECT_FALSE(logits.requires_grad());
    EXPECT_TRUE(same_bits(logits, model.predict(TensorDataset(x, y), 64)));
}

TEST(Fit, LearnsPicturesWithAugmentation) {
    set_seed(3);
    const ImageDataset data = pictures(96);
    Sequential model{Conv2D(8, 3, {.activation = Activation::relu}), MaxPooling2D(2), Flatten(), Dropout(0.2f),
                     Dense(3)};
    model.compile({.optimizer = Adam({.learning_rate = 0.01f}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"}});
    model.fit(data.with_augmentation({.pad = 1}), {.epochs = 8, .batch_size = 16, .verbose = 0});
    EXPECT_GT(model.evaluate(data).at("accuracy"), 0.95);
    EXPECT_EQ(model.class_names(), (std::vector<std::string>{"red", "green", "blue"}));
    EXPECT_TRUE(model.preprocessing().has_value());
}

TEST(Fit, SameSeedSameBits) {
    const auto [x, y] = moons(100);
    const auto run = [&, &x = x, &y = y](std::optional<std::uint64_t> seed) {
        const Model model = classifier();
        model.fit(x, y, {.epochs = 3, .verbose = 0, .seed = seed});
        return all_tensors(model);
    };
    EXPECT_EQ(differing(run({}), run({})), "");
    EXPECT_EQ(differing(run(7), run(7)), "");
    EXPECT_NE(differing(run(7), run(8)), "");
}

TEST(Fit, ValidationSplitKeepsTheLastPart) {
    // The last quarter has targets of its own: the loss on it shows which rows were kept back.
    const std::int64_t count = 40;
    Tensor x = Tensor::zeros(Shape{count, 1}), y = Tensor::zeros(Shape{count, 1});
    y.slice(30, 40).fill_(100);
    const Model model = line();
    const History history = model.fit(x, y, {.epochs = 1, .validation_split = 0.25, .verbose = 0});
    EXPECT_NEAR(history.at("loss")[0], 0, 1e-9);
    EXPECT_NEAR(history.at("val_loss")[0], 10000, 1);
    EXPECT_NEAR(history.at("val_mae")[0], 100, 0.01);
}

TEST(Fit, ALimitOfStepsCutsTheLastEpoch) {
    const auto [x, y] = plane(50);
    const Model model = line();
    std::vector<std::pair<std::int64_t, double>> ends;  // steps and loss
    const LambdaCallback recorder({.on_epoch_end = [&](Training& training, const Result& logs) {
        ends.emplace_back(training.step, logs.at("loss"));
    }});
    const History history =
        model.fit(x, y, {.epochs = 9, .batch_size = 10, .steps = 7, .verbose = 0, .callbacks = {recorder}});
    EXPECT_EQ(model.optimizer().iterations(), 7);
    EXPECT_EQ(history.epochs().size(), 2u);
    EXPECT_FALSE(history.interrupted);
    EXPECT_EQ(ends,
              (std::vector<std::pair<std::int64_t, double>>{{5, history.at("loss")[0]}, {2, history.at("loss")[1]}}));
}

// Whatever ends the steps, their time goes on until all that was queued is done, callbacks included.
TEST(Fit, TheTimeOfTheLastStepCounts) {
    const auto [x, y] = plane(50);
    for (const std::int64_t steps : {3, 5}) {
        const LambdaCallback slow({.on_batch_end = [steps](Training& training) {
            if (training.step == steps) std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }});
        const History history = line().fit(x, y, {.batch_size = 10, .steps = steps, .verbose = 0, .callbacks = {slow}});
        EXPECT_GE(history.at("seconds")[0], 0.05) << steps;
    }
}

TEST(Fit, InitialEpochCountsOn) {
    const auto [x, y] = plane(20);
    const History history = line().fit(x, y, {.epochs = 5, .verbose = 0, .initial_epoch = 3});
    EXPECT_EQ(history.epochs(), (std::vector<std::int64_t>{3, 4}));
}

TEST(Fit, StopsWhenAsked) {
    const auto [x, y] = plane(50);
    const Model model = line();
    const LambdaCallback stopper({.on_batch_end = [](Training& training) {
        if (training.epoch == 1 && training.step == 2) request_stop();
    }});
    const History history = model.fit(x, y, {.epochs = 9, .batch_size = 10, .verbose = 0, .callbacks = {stopper}});
    clear_stop_request();
    EXPECT_TRUE(history.interrupted);
    EXPECT_EQ(model.optimizer().iterations(), 7);
    EXPECT_EQ(history.epochs().size(), 1u);
}

TEST(Fit, TrainOnBatchIsOneStep) {
    const auto [x, y] = plane(10);
    const Model model = line();
    const double before = model.train_on_batch(x, y).at("loss");
    for (int i = 0; i < 20; ++i) model.train_on_batch(x, y);
    EXPECT_LT(model.train_on_batch(x, y).at("loss"), before / 10);
    EXPECT_EQ(model.optimizer().iterations(), 22);
    for (const auto& [name, parameter] : model.parameters()) EXPECT_FALSE(parameter.grad().defined()) << name;
}

TEST(Fit, SeveralInputs) {
    const auto [x, y] = plane(100);
    set_seed(4);
    const Symbol a = Input(Shape{2}), b = Input(Shape{2});
    const Model model({a, b}, {Add()({Dense(1)(a), Dense(1)(b)})});
    model.compile({.optimizer = SGD({.learning_rate = 0.05f}), .loss = "mse"});
    const History history = model.fit({x, x}, y, {.epochs = 40, .batch_size = 10, .verbose = 0});
    EXPECT_LT(history.at("loss").back(), 1e-3);
    EXPECT_EQ(model.predict({x, x}).shape(), (Shape{100, 1}));
}

TEST(Fit, PenaltiesOnTheWeights) {
    Sequential model{Dense(1)};
    model.build(Shape{2});
    const NamedTensors parameters = model.parameters();
    parameters[0].second.copy_(Tensor::from({2.0f, -3.0f}, Shape{1, 2}));
    model.compile({.optimizer = SGD({.learning_rate = 0.1f}), .loss = "mse", .l1 = 0.5, .l2 = 0.25});
    const Tensor zeros = Tensor::zeros(Shape{4, 2});
    // The inputs are zeros, so that the loss is the penalty alone: 0.5 (2 + 3) + 0.25 (4 + 9).
    EXPECT_NEAR(model.evaluate(zeros, Tensor::zeros(Shape{4, 1})).at("loss"), 5.75, 1e-6);
    EXPECT_NEAR(model.train_on_batch(zeros, Tensor::zeros(Shape{4, 1})).at("loss"), 5.75, 1e-6);
    // w -= 0.1 (0.5 sign(w) + 0.5 w); the bias is left alone.
    EXPECT_NEAR(parameters[0].second.to_vector<float>()[0], 2 - 0.1 * 1.5, 1e-6);
    EXPECT_NEAR(parameters[0].second.to_vector<float>()[1], -3 + 0.1 * 2, 1e-6);
    EXPECT_EQ(parameters[1].second.to_vector<float>()[0], 0);
}

TEST(Fit, AFrozenLayerStays) {
    const auto [x, y] = plane(50);
    const Dense frozen(4);
    Sequential model{frozen, Dense(1)};
    model.build(Shape{2});
    frozen.set_trainable(false);
    const std::vector<float> before = frozen.parameters()[0].second.to_vector<float>();
    model.compile({.optimizer = "adam", .loss = "mse"});
    model.fit(x, y, {.epochs = 2, .verbose = 0});
    EXPECT_EQ(frozen.parameters()[0].second.to_vector<float>(), before);
    EXPECT_NE(model.summary().find("trainable: 5, not trainable: 12"), std::string::npos) << model.summary();
}

/// One layer under two names takes one step a batch, not two.
TEST(Fit, SharedParametersStepOnce) {
    const auto shared_step = [](bool twice) {
        set_seed(6);
        const Dense layer(2, {.use_bias = false});
        struct Twice : LayerImpl {
            Layer inner;
            Twice(const Layer& dense, bool again) : inner(add_child("a", dense)) {
                if (again) add_child("b", dense);
            }
            const char* class_name() const override { return "Twice"; }
            Tensor forward(const Tensor& x, bool training) override { return inner(x, training); }
        };
        const Model model(Layer(std::make_shared<Twice>(layer, twice)));
        model.compile({.optimizer = SGD({.learning_rate = 1, .momentum = 0.9}), .loss = "mse"});
        const Tensor x = Tensor::ones(Shape{3, 2});
        for (int i = 0; i < 2; ++i) model.train_on_batch(x, x);
        return layer.parameters()[0].second.to_vector<float>();
    };
    EXPECT_EQ(shared_step(true), shared_step(false));
}

/// A layer of one's own that makes its parameter when it is called, not in build().
class Late : public Layer {
    struct Impl : LayerImpl {
        Tensor factor;
        const char* class_name() const override { return "Late"; }
        Tensor forward(const Tensor& x, bool) override {
            if (!factor.defined()) factor = add_parameter("factor", Tensor::ones(Shape{x.size(1)}));
            return x * factor;
        }
    };

  public:
    Late() : Layer(std::make_shared<Impl>()) {}
};

TEST(Fit, ParametersOfTheFirstCallAreTrained) {
    const auto [x, y] = plane(20);
    for (const bool alone : {true, false}) {
        const Sequential model = alone ? Sequential{Late()} : Sequential{Late(), Dense(1)};
        model.compile({.optimizer = SGD({.learning_rate = 0.1f}), .loss = "mse"});
        model.train_on_batch(x, alone ? x * 2.0 : y);
        const Tensor factor = model.parameters()[0].second;
        EXPECT_EQ(model.parameters()[0].first, "0.factor");
        for (const float value : factor.to_vector<float>()) EXPECT_NE(value, 1);
    }
    // fit knows them from the beginning or says what to do.
    const Sequential model{Late(), Dense(1)};
    model.compile({.optimizer = SGD({.learning_rate = 0.1f}), .loss = "mse"});
    const FitOptions quiet{.verbose = 0};
    EXPECT_NE(error_of([&, &x = x, &y = y] { model.fit(x, y, quiet); }).find("build()"), std::string::npos);
    model.fit(x, y, quiet);  // it has been called now
    for (const float value : model.parameters()[0].second.to_vector<float>()) EXPECT_NE(value, 1);
}

TEST(Fit, BadCallsSayWhatIsWrong) {
    const auto [x, y] = moons(20);
    Sequential model{Dense(2)};
    EXPECT_EQ(error_of([&, &x = x, &y = y] { model.fit(x, y); }),
              "fit: the model is not compiled: call compile({.optimizer = ..., .loss = ...}) first");
    EXPECT_EQ(error_of([&] { model.compile({.optimizer = "adam"}); }), "compile: no loss was given");
    EXPECT_EQ(error_of([&] { model.compile({.loss = "mse"}); }), "compile: no optimizer was given");
    model.compile({.optimizer = "adam", .loss = SparseCategoricalCrossentropy({.from_logits = true})});
    const auto fit_error = [&, &x = x, &y = y](FitOptions options) {
        options.verbose = 0;
        return error_of([&] { model.fit(x, y, options); });
    };
    EXPECT_EQ(fit_error({.batch_size = 0}), "fit: batch_size must be positive, got 0");
    EXPECT_EQ(fit_error({.validation_split = 1}), "fit: validation_split must be in [0, 1), got 1");
    EXPECT_EQ(fit_error({.resume = true}), "fit: resume needs checkpoint_dir");
    EXPECT_NE(
        error_of([&, &x = x] { model.fit(x, Tensor::zeros(Shape{20}), {.verbose = 0}); }).find("must be integers"),
        std::string::npos);
    const std::string label =
        error_of([&, &x = x] { model.fit(x, Tensor::full(Shape{20}, 2, {DType::i64}), {.verbose = 0}); });
    EXPECT_NE(label.find('2'), std::string::npos) << label;
    EXPECT_EQ(label.find('\n'), std::string::npos) << label;
    EXPECT_NE(error_of([&] { model.predict(Tensor::zeros(Shape{3, 5})); }), "no error");
    EXPECT_EQ(error_of([] { Model().summary(); }), "this Model is undefined: give it layers");
}

}  // namespace
}  // namespace heddle
