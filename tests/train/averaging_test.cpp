#include <gtest/gtest.h>

#include "core/error.h"
#include "layers/core.h"
#include "ops/autograd/grad_mode.h"
#include "samples.h"
#include "train/callback.h"
#include "train/model.h"

namespace heddle {
namespace {

/// A model of one weight, which a "step" sets to the number given.
class Averaging : public ::testing::Test {
  protected:
    Averaging() {
        model.build(Shape{1});
        set(0);
    }
    void set(double value) { model.parameters()[0].second.fill_(value); }
    double weight() { return model.parameters()[0].second.to_vector<float>()[0]; }
    void step(const Callback& callback, double value) {
        callback->on_batch_begin(training);
        set(value);
        ++training.step;
        callback->on_batch_end(training);
    }

    Sequential model{Dense(1, {.use_bias = false})};
    History history;
    Training training{.model = model, .history = history, .epochs = 1, .steps_per_epoch = 100};
};

TEST_F(Averaging, TheAverageComesAtTheEnd) {
    const WeightAveraging average({.decay = 0.75});
    average->on_train_begin(training);
    step(average, 4);  // 0.75 * 0 + 0.25 * 4 = 1
    EXPECT_EQ(weight(), 4);
    step(average, 8);  // 0.75 + 2
    average->on_train_end(training);
    EXPECT_EQ(weight(), 2.75);
}

TEST_F(Averaging, TheAverageGoesOnFromItsState) {
    const WeightAveraging first({.decay = 0.75}), second({.decay = 0.75});
    first->on_train_begin(training);
    step(first, 4);
    second->set_state(first->state());
    second->on_train_begin(training);
    step(second, 8);
    second->on_train_end(training);
    EXPECT_EQ(weight(), 2.75);
    second->on_train_begin(training);  // another training begins anew
    step(second, 8);
    second->on_train_end(training);
    EXPECT_EQ(weight(), 2.75 * 0.75 + 2);
}

TEST_F(Averaging, LookaheadStepsBackEveryFewSteps) {
    const Lookahead lookahead({.every_steps = 2, .decay = 0.25});
    lookahead->on_train_begin(training);
    step(lookahead, 3);
    EXPECT_EQ(weight(), 3);
    step(lookahead, 8);  // 0.25 * 0 + 0.75 * 8
    EXPECT_EQ(weight(), 6);
    step(lookahead, 10);
    lookahead->on_train_end(training);
    EXPECT_EQ(weight(), 6);
}

TEST_F(Averaging, RefusesNonsense) {
    EXPECT_THROW(WeightAveraging({.decay = 1}), Error);
    EXPECT_THROW(WeightAveraging({.every_steps = 0}), Error);
    EXPECT_THROW(Lookahead({.every_steps = 0}), Error);
    const Lookahead wild({.every_steps = 1, .decay = 2});
    wild->on_train_begin(training);
    EXPECT_THROW(step(wild, 1), Error);
}

/// Counts the calls in training in whole numbers, and in f64.
class Counting : public Layer {
    struct Impl : LayerImpl {
        Tensor calls, wide;
        const char* class_name() const override { return "Counting"; }
        void build(const Shape&) override {
            calls = add_buffer("calls", Tensor::zeros(Shape{2}, {DType::i64}));
            wide = add_buffer("wide", Tensor::zeros(Shape{3}, {DType::f64}));
        }
        Tensor forward(const Tensor& x, bool training) override {
            const NoGrad no_grad;
            if (training) calls.copy_(calls + 1.0);
            if (training) wide.copy_(wide + 1.0);
            return x;
        }
    };

  public:
    Counting() : Layer(std::make_shared<Impl>()) {}
};

// A file has the tensors of wide types first, the model its parameters: they belong together by their names.
TEST(ResumedCallbacks, FindTheModelsTensorsByName) {
    using namespace samples;
    const TensorDataset data(plane(40).first, plane(40).second);
    const std::string place = folder("by_name");
    const auto callbacks = [] {
        return std::vector<Callback>{WeightAveraging({.decay = 0.5}),
                                     EarlyStopping({.monitor = "loss", .patience = 9, .restore_best_weights = true})};
    };
    for (const std::size_t one : {0u, 1u}) {
        const auto run = [&](std::int64_t epochs, const std::string& in) {
            set_seed(3);
            const Sequential model{Counting(), Dense(2), Dense(1)};
            model.compile({.optimizer = SGD({.learning_rate = 0.1}), .loss = "mse"});
            model.fit(data, {.epochs = epochs,
                             .batch_size = 10,
                             .verbose = 0,
                             .callbacks = {callbacks()[one]},
                             .seed = 5,
                             .checkpoint_dir = in,
                             .resume = !in.empty()});
            return model;
        };
        run(2, place);
        EXPECT_EQ(differing(all_tensors(run(4, "")), all_tensors(run(4, place))), "") << one;
        std::filesystem::remove_all(place);
    }
}

}  // namespace
}  // namespace heddle
