#include "train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace heddle {
namespace {

TEST(Schedule, ANumberIsConstant) {
    const Schedule schedule = 0.25;
    EXPECT_TRUE(schedule.is_constant());
    EXPECT_EQ(schedule.at(0), 0.25);
    EXPECT_EQ(schedule.at(1'000'000), 0.25);
}

TEST(Schedule, StepDecay) {
    const StepDecay schedule({.initial_learning_rate = 0.4, .step_size = 10, .factor = 0.5});
    EXPECT_DOUBLE_EQ(schedule.at(9), 0.4);
    EXPECT_DOUBLE_EQ(schedule.at(10), 0.2);
    EXPECT_DOUBLE_EQ(schedule.at(35), 0.05);
}

TEST(Schedule, PiecewiseConstantKeepsTheValueAtItsBoundary) {
    const PiecewiseConstantDecay schedule({100, 200}, {1, 0.5, 0.1});
    EXPECT_EQ(schedule.at(0), 1);
    EXPECT_EQ(schedule.at(100), 1);
    EXPECT_EQ(schedule.at(101), 0.5);
    EXPECT_EQ(schedule.at(200), 0.5);
    EXPECT_EQ(schedule.at(201), 0.1);
    EXPECT_THROW(PiecewiseConstantDecay({100}, {1}), Error);
    EXPECT_THROW(PiecewiseConstantDecay({100, 100}, {1, 2, 3}), Error);
}

TEST(Schedule, ExponentialDecay) {
    const ExponentialDecay smooth({.initial_learning_rate = 1, .decay_steps = 10, .decay_rate = 0.25});
    EXPECT_DOUBLE_EQ(smooth.at(5), 0.5);
    EXPECT_DOUBLE_EQ(smooth.at(20), 0.0625);
    const ExponentialDecay stairs(
        {.initial_learning_rate = 1, .decay_steps = 10, .decay_rate = 0.25, .staircase = true});
    EXPECT_DOUBLE_EQ(stairs.at(9), 1);
    EXPECT_DOUBLE_EQ(stairs.at(10), 0.25);
}

TEST(Schedule, LinearDecay) {
    const LinearDecay schedule({.initial_learning_rate = 1, .decay_steps = 10, .end_learning_rate = 0.5});
    EXPECT_DOUBLE_EQ(schedule.at(0), 1);
    EXPECT_DOUBLE_EQ(schedule.at(4), 0.8);
    EXPECT_DOUBLE_EQ(schedule.at(99), 0.5);
}

TEST(Schedule, CosineDecayWithWarmUp) {
    const CosineDecay schedule({.initial_learning_rate = 2, .decay_steps = 100, .alpha = 0.1, .warmup_steps = 10});
    EXPECT_DOUBLE_EQ(schedule.at(0), 0);
    EXPECT_DOUBLE_EQ(schedule.at(5), 1);
    EXPECT_DOUBLE_EQ(schedule.at(10), 2);
    EXPECT_DOUBLE_EQ(schedule.at(60), 2 * (0.1 + 0.9 * 0.5));
    EXPECT_DOUBLE_EQ(schedule.at(35), 2 * (0.1 + 0.9 * 0.5 * (1 + std::sqrt(0.5))));
    EXPECT_DOUBLE_EQ(schedule.at(110), 0.2);
    EXPECT_DOUBLE_EQ(schedule.at(500), 0.2);
}

TEST(Schedule, CosineDecayRestarts) {
    const CosineDecayRestarts schedule({.initial_learning_rate = 1, .first_decay_steps = 10, .t_mul = 2, .m_mul = 0.5});
    EXPECT_DOUBLE_EQ(schedule.at(0), 1);
    EXPECT_DOUBLE_EQ(schedule.at(5), 0.5);
    EXPECT_DOUBLE_EQ(schedule.at(10), 0.5);
    EXPECT_DOUBLE_EQ(schedule.at(20), 0.25);
    EXPECT_DOUBLE_EQ(schedule.at(30), 0.25);
    // Keras' formula: never below alpha, and never rising within a period.
    const CosineDecayRestarts above({.first_decay_steps = 10, .t_mul = 1, .m_mul = 0.1, .alpha = 0.3});
    EXPECT_DOUBLE_EQ(above.at(0), 0.1);
    EXPECT_DOUBLE_EQ(above.at(10), 0.1 * (0.3 + 0.7 * 0.1));
    EXPECT_DOUBLE_EQ(above.at(25), 0.1 * (0.3 + 0.7 * 0.01 / 2));
}

TEST(Schedule, OneCycleRisesAndFalls) {
    const OneCycle schedule({.max_learning_rate = 1, .total_steps = 11, .start_fraction = 6.0 / 11});
    EXPECT_NEAR(schedule.at(0), 1.0 / 25, 1e-15);
    EXPECT_DOUBLE_EQ(schedule.at(5), 1);
    EXPECT_NEAR(schedule.at(10), 1.0 / 25 / 1e4, 1e-15);
    EXPECT_NEAR(schedule.at(100), 1.0 / 25 / 1e4, 1e-15);
    for (int step = 0; step < 5; ++step) EXPECT_LT(schedule.at(step), schedule.at(step + 1));
    for (int step = 5; step < 10; ++step) EXPECT_GT(schedule.at(step), schedule.at(step + 1));
}

TEST(Schedule, WarmupThenAnother) {
    const Warmup schedule(4, StepDecay({.initial_learning_rate = 0.8, .step_size = 2, .factor = 0.5}), 0.4);
    EXPECT_DOUBLE_EQ(schedule.at(0), 0.4);
    EXPECT_DOUBLE_EQ(schedule.at(2), 0.6);
    EXPECT_DOUBLE_EQ(schedule.at(4), 0.8);
    EXPECT_DOUBLE_EQ(schedule.at(6), 0.4);
}

TEST(Schedule, BadSettings) {
    EXPECT_THROW(StepDecay({.step_size = 0}), Error);
    EXPECT_THROW(CosineDecay({.decay_steps = 0}), Error);
    EXPECT_THROW(OneCycle({.total_steps = 1}), Error);
    EXPECT_THROW(Warmup(-1, 0.1), Error);
}

}  // namespace
}  // namespace heddle
