#include <gtest/gtest.h>

#include "core/error.h"
#include "layers/core.h"
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

}  // namespace
}  // namespace heddle
