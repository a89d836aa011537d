#include <fmt/format.h>

#include "ops/linear.h"
#include "tests/ops/gradient_check.h"

namespace heddle {
namespace {

using gradients::check_gradients;
using gradients::Inputs;
using gradients::uniform;
using ops::FusedActivation;

Shape with_batch(const Shape& batch, std::int64_t rows, std::int64_t columns, bool transposed) {
    Shape shape = batch;
    shape.push_back(transposed ? columns : rows);
    shape.push_back(transposed ? rows : columns);
    return shape;
}

TEST(GradientsLinear, MatmulWithAllTransposesAndBatches) {
    const std::pair<Shape, Shape> batches[] = {{{}, {}},  {{2}, {2}}, {{2, 2}, {2, 2}},
                                               {{3}, {}}, {{}, {3}},  {{2, 2}, {}}};
    for (const bool ta : {false, true})
        for (const bool tb : {false, true})
            for (const auto& [a, b] : batches)
                check_gradients(fmt::format("matmul {} {} of batches {} {}", ta, tb, a.to_string(), b.to_string()),
                                {uniform(with_batch(a, 2, 3, ta)), uniform(with_batch(b, 3, 4, tb), -1, 1, 2)},
                                [=](const Inputs& in) {
                                    return ops::matmul(in[0], in[1], {.transpose_a = ta, .transpose_b = tb});
                                });
    check_gradients("a matrix times itself", {uniform({3, 3})},
                    [](const Inputs& in) { return ops::matmul(in[0], in[0], {.transpose_b = true}); });
}

TEST(GradientsLinear, LinearOfEveryRank) {
    for (const Shape& shape : {Shape{4}, Shape{3, 4}, Shape{2, 3, 4}})
        for (const FusedActivation activation : {FusedActivation::none, FusedActivation::relu}) {
            const Tensor x = uniform(shape), w = uniform({5, 4}, -1, 1, 2), bias = uniform({5}, -0.5, 0.5, 3);
            const std::string what =
                fmt::format("linear {} {}", shape.to_string(), activation == FusedActivation::relu ? "relu" : "");
            check_gradients(what, {x, w, bias},
                            [=](const Inputs& in) { return ops::linear(in[0], in[1], in[2], activation); });
            check_gradients(what + " without bias", {x, w},
                            [=](const Inputs& in) { return ops::linear(in[0], in[1], Tensor(), activation); });
        }
}

TEST(GradientsLinear, OnlyWhatIsWantedIsComputed) {
    const Tensor x = uniform({3, 4}), w = uniform({5, 4}, -1, 1, 2), bias = uniform({5}, -1, 1, 3);
    check_gradients("frozen weights", {x}, [&](const Inputs& in) { return ops::linear(in[0], w, bias); });
    check_gradients("frozen input", {w, bias}, [&](const Inputs& in) { return ops::linear(x, in[0], in[1]); });
    check_gradients("bias alone", {bias},
                    [&](const Inputs& in) { return ops::linear(x, w, in[0], FusedActivation::relu); });
}

}  // namespace
}  // namespace heddle
