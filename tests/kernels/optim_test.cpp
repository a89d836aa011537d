#include "kernels/optim/optim.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/parallel.h"

// What the cases cannot check: several steps in a row against a solution by hand, and the same bits for any number of
// threads.
namespace {

using namespace heddle;
using namespace heddle::kernels;

struct Threads {
    explicit Threads(int threads) { set_thread_count(threads); }
    ~Threads() { set_thread_count(0); }
};

View view(std::vector<float>& values) {
    return {values.data(), Shape{static_cast<std::int64_t>(values.size())}, DType::f32};
}

template <class Args>
void run(const KernelTable<Args>& table, const Args& args, const char* implementation = "cpu") {
    const auto* found = table.find(implementation, DeviceKind::cpu);
    ASSERT_NE(found, nullptr);
    run_implementation(*found, args, Device::cpu(), 0);
}

std::vector<float> wave(std::size_t size, double frequency) {
    std::vector<float> values(size);
    for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(std::sin(frequency * double(i)));
    return values;
}

TEST(Optim, NormHasTheSameBitsOnAnyNumberOfThreads) {
    std::vector<float> a = wave(300007, 0.37), b = wave(17, 1.1), c = wave(20011, 0.9), result(1), wanted(1);
    const TensorList gradients{view(a), view(b), view(c)};
    for (const int threads : {1, 2, 3, 7}) {
        const Threads guard(threads);
        run(gradient_norm(), GradientNorm{gradients, view(threads == 1 ? wanted : result)});
        if (threads > 1) {
            EXPECT_EQ(result, wanted) << threads << " threads";
        }
    }
    EXPECT_NEAR(wanted[0], std::sqrt(320035 / 2.0), 1);  // the mean square of a sine is 1/2
}

TEST(Optim, StepsHaveTheSameBitsOnAnyNumberOfThreads) {
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 3, 7}) {
        const Threads guard(threads);
        std::vector<float> p1 = wave(100003, 0.3), p2 = wave(7, 0.2), g1 = wave(100003, 0.7), g2 = wave(7, 0.8);
        std::vector<float> m1(p1.size()), m2(7), v1(p1.size()), v2(7), rate{0.01f}, step{1};
        run(adam_step(), AdamStep{.parameters = {view(p2), view(p1)},
                                  .gradients = {view(g2), view(g1)},
                                  .first = {view(m2), view(m1)},
                                  .second = {view(v2), view(v1)},
                                  .learning_rate = view(rate),
                                  .step = view(step)});
        p1.insert(p1.end(), p2.begin(), p2.end());
        results.push_back(p1);
    }
    for (const auto& result : results) EXPECT_TRUE(result == results.front());
}

// With gradient 1 throughout, v_t = 1 + m + ... + m^(t-1) and p_t = -rate * sum v.
TEST(Optim, MomentumAddsUp) {
    for (const char* implementation : {"reference", "cpu"}) {
        std::vector<float> p{0}, g{1}, v{0}, rate{0.1f};
        double sum = 0, velocity = 0;
        for (int t = 0; t < 5; ++t) {
            run(sgd_step(), SgdStep{{view(p)}, {view(g)}, {view(v)}, view(rate), 0.5f}, implementation);
            velocity = 0.5 * velocity + 1;
            sum += velocity;
        }
        EXPECT_NEAR(p[0], -0.1 * sum, 1e-6);
    }
}

// A constant gradient moves every parameter by the learning rate a step, whatever its size: both corrections cancel.
TEST(Optim, AdamMovesByTheLearningRate) {
    for (const char* implementation : {"reference", "cpu"})
        for (const bool amsgrad : {false, true}) {
            std::vector<float> p{0, 0, 0}, g{1e-3f, -1, 1e4f}, m(3), v(3), largest(3), rate{0.01f}, step{0};
            for (int t = 1; t <= 10; ++t) {
                step[0] = static_cast<float>(t);
                AdamStep args{.parameters = {view(p)},
                              .gradients = {view(g)},
                              .first = {view(m)},
                              .second = {view(v)},
                              .learning_rate = view(rate),
                              .step = view(step)};
                if (amsgrad) args.max_second = {view(largest)};
                run(adam_step(), args, implementation);
            }
            EXPECT_NEAR(p[0], -0.1, 2e-6);  // epsilon is 1e-5 of this gradient
            EXPECT_NEAR(p[1], 0.1, 1e-6);
            EXPECT_NEAR(p[2], -0.1, 1e-6);
        }
}

}  // namespace
