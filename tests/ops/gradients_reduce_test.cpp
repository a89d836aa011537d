#include <fmt/format.h>

#include <cmath>

#include "ops/reduce.h"
#include "tests/ops/gradient_check.h"

namespace heddle {
namespace {

using gradients::check_gradients;
using gradients::Inputs;
using gradients::spread;

using Reduction = Tensor (*)(const Tensor&, std::initializer_list<int>, bool);

TEST(GradientsReduce, EveryReductionOverEveryAxis) {
    const std::pair<const char*, Reduction> reductions[] = {{"sum", ops::sum},           {"mean", ops::mean},
                                                            {"variance", ops::variance}, {"std", ops::std},
                                                            {"max", ops::max},           {"min", ops::min}};
    const std::initializer_list<int> axes[] = {{}, {0}, {1}, {2}, {-1}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}};
    for (const auto& [name, reduction] : reductions)
        for (const auto& list : axes)
            for (const bool keep : {false, true})
                check_gradients(fmt::format("{} over {} axes", name, list.size()), {spread({3, 4, 2})},
                                [&, reduction = reduction](const Inputs& in) { return reduction(in[0], list, keep); });
}

TEST(GradientsReduce, DeviationsOfNothingHaveNoGradient) {
    Tensor x = Tensor::from<double>({2, 2, 2, 1, 2, 3}, {2, 3});
    x.set_requires_grad();
    const Tensor y = ops::std(x, {1});
    EXPECT_EQ(y.to_vector<double>()[0], 0);
    EXPECT_NEAR(y.to_vector<double>()[1], std::sqrt(2.0 / 3), 1e-12);
    y.backward(Tensor::ones(Shape{2}, {DType::f64}));
    const std::vector<double> gradient = x.grad().to_vector<double>();
    const double slope = 1 / std::sqrt(6.0);  // (x - mean) / (n deviation)
    const std::vector<double> wanted{0, 0, 0, -slope, 0, slope};
    for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(gradient[i], wanted[i], 1e-12) << i;
}

TEST(GradientsReduce, EqualExtremesShareTheGradient) {
    Tensor x = Tensor::from<double>({1, 3, 3, 2, 2, 2}, {2, 3});
    x.set_requires_grad();
    ops::max(x, {1}).backward(Tensor::from<double>({6, 9}, {2}));
    EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{0, 3, 3, 3, 3, 3}));
}

TEST(GradientsReduce, TopK) {
    for (const std::int64_t k : {1, 3, 6})
        check_gradients(fmt::format("topk {}", k), {spread({3, 6})},
                        [k](const Inputs& in) { return ops::topk(in[0], k).first; });
}

TEST(GradientsReduce, MembersOfTensor) {
    check_gradients("members", {spread({3, 4})}, [](const Inputs& in) {
        return in[0].sum() + in[0].mean() + in[0].sum(0, true) * in[0].mean(1, true) + in[0].max(-1, true);
    });
}

}  // namespace
}  // namespace heddle
