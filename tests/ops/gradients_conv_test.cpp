#include "ops/conv.h"
#include "ops/pool.h"
#include "tests/ops/gradient_check.h"

namespace heddle {
namespace {

using gradients::check_gradients;
using gradients::Inputs;
using gradients::spread;
using gradients::uniform;
using ops::Conv2dParams;
using ops::FusedActivation;
using ops::Pool2dParams;

void check_conv(const std::string& what, const Shape& x, const Shape& w, const Conv2dParams& params) {
    const Tensor input = uniform(x), weights = uniform(w, -1, 1, 2), bias = uniform({w[0]}, -0.5, 0.5, 3);
    for (const FusedActivation activation : {FusedActivation::none, FusedActivation::relu}) {
        const std::string name = what + (activation == FusedActivation::relu ? ", relu" : "");
        check_gradients(name, {input, weights, bias},
                        [&](const Inputs& in) { return ops::conv2d(in[0], in[1], in[2], params, activation); });
        check_gradients(name + ", no bias", {input, weights},
                        [&](const Inputs& in) { return ops::conv2d(in[0], in[1], Tensor(), params, activation); });
        const Tensor residual = uniform(params.output_shape(x, w), -1, 1, 4);
        check_gradients(name + ", residual", {input, weights, bias, residual},
                        [&](const Inputs& in) { return ops::conv2d(in[0], in[1], in[2], params, activation, in[3]); });
    }
}

TEST(GradientsConv, Windows) {
    check_conv("plain", {2, 4, 4, 2}, {3, 3, 3, 2}, {});
    check_conv("same", {1, 4, 5, 2}, {2, 3, 3, 2}, {.padding = {1, 1, 1, 1}});
    check_conv("pointwise", {2, 2, 3, 3}, {4, 1, 1, 3}, {});
    check_conv("stride", {1, 6, 5, 2}, {2, 3, 2, 2}, {.stride = {2, 3}});
    check_conv("stride that leaves pixels over", {1, 6, 6, 1}, {2, 3, 3, 1}, {.stride = {2, 2}});
    check_conv("asymmetric padding", {1, 5, 4, 2}, {2, 3, 3, 2}, {.stride = {2, 2}, .padding = {0, 1, 2, 1}});
    check_conv("dilation", {1, 6, 7, 1}, {2, 2, 3, 1}, {.dilation = {3, 2}, .padding = {1, 0, 2, 1}});
    check_conv("groups", {1, 4, 4, 4}, {6, 3, 3, 2}, {.padding = {1, 1, 1, 1}, .groups = 2});
    check_conv("depthwise", {1, 4, 4, 3}, {6, 3, 3, 1}, {.stride = {2, 2}, .padding = {1, 1, 1, 1}, .groups = 3});
}

TEST(GradientsConv, OnlyWhatIsWantedIsComputed) {
    const Tensor x = uniform({1, 4, 4, 2}), w = uniform({3, 3, 3, 2}, -1, 1, 2), bias = uniform({3}, -1, 1, 3);
    check_gradients("frozen weights", {x}, [&](const Inputs& in) { return ops::conv2d(in[0], w, bias); });
    check_gradients("frozen input", {w, bias}, [&](const Inputs& in) { return ops::conv2d(x, in[0], in[1]); });
    check_gradients("bias alone", {bias}, [&](const Inputs& in) { return ops::conv2d(x, w, in[0]); });
    check_gradients("weights alone", {w}, [&](const Inputs& in) { return ops::conv2d(x, in[0], bias); });
    const Tensor residual = uniform({1, 2, 2, 3}, -1, 1, 4);
    for (const FusedActivation activation : {FusedActivation::none, FusedActivation::relu}) {
        check_gradients("residual alone", {residual},
                        [&](const Inputs& in) { return ops::conv2d(x, w, bias, {}, activation, in[0]); });
        check_gradients("residual and weights", {w, residual},
                        [&](const Inputs& in) { return ops::conv2d(x, in[0], bias, {}, activation, in[1]); });
    }
    check_gradients(
        "its own residual", {uniform({1, 4, 4, 3}), uniform({3, 3, 3, 3}, -1, 1, 2)}, [&](const Inputs& in) {
            return ops::conv2d(in[0], in[1], Tensor(), {.padding = {1, 1, 1, 1}}, FusedActivation::relu, in[0]);
        });
}

const Pool2dParams windows[] = {
    {},
    {.kernel = {3, 3}, .stride = {1, 1}},
    {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1, 1, 1}},
    {.kernel = {3, 2}, .stride = {2, 3}, .padding = {0, 2, 1, 0}},
    {.kernel = {2, 2}, .stride = {3, 3}},  // pixels that no window reaches
};

TEST(GradientsPool, Maximum) {
    for (const Pool2dParams& window : windows)
        for (const FusedActivation activation : {FusedActivation::none, FusedActivation::relu})
            check_gradients("max_pool2d", {spread({2, 5, 6, 2})},
                            [&](const Inputs& in) { return ops::max_pool2d(in[0], window, activation); });
    check_gradients("global", {spread({2, 3, 4, 2})}, [](const Inputs& in) { return ops::global_max_pool2d(in[0]); });
}

TEST(GradientsPool, Average) {
    for (const Pool2dParams& window : windows)
        for (const bool count_padding : {false, true})
            check_gradients("avg_pool2d", {uniform({2, 5, 6, 2})},
                            [&](const Inputs& in) { return ops::avg_pool2d(in[0], window, count_padding); });
    check_gradients("global", {uniform({2, 3, 4, 2})},
                    [](const Inputs& in) { return ops::global_average_pool2d(in[0]); });
}

}  // namespace
}  // namespace heddle
