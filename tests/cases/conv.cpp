#include "kernels/conv/conv.h"

#include <cmath>
#include <limits>

#include "core/check.h"
#include "tests/cases/conv_geometry.h"
#include "tests/cases/families.h"
#include "tests/cases/sample.h"

namespace heddle::cases {
namespace {

using namespace kernels;

Conv2dForward forward(Problem& problem, const ConvGeometry& g) {
    problem.reduction(g.w.elements(1, 4));
    problem.tolerance(g.tolerance() * g.margin);
    problem.flops(g.flops());
    const View x = problem.input(g.x, g.fill), w = problem.input(g.w);
    const View bias = g.bias ? problem.input({g.w[0]}, g.fill) : View();
    const View residual = g.residual && !g.in_place ? problem.input(g.y(), g.fill) : View();
    const View y = g.in_place ? problem.inout(g.y(), g.fill) : problem.output(g.y());
    return {.x = x,
            .w = w,
            .bias = bias,
            .residual = g.in_place ? y : residual,
            .params = g.params,
            .activation = g.relu ? FusedActivation::relu : FusedActivation::none,
            .y = y};
}

Conv2dBackwardData backward_data(Problem& problem, const ConvGeometry& g) {
    problem.reduction(g.w[1] * g.w[2] * g.w[0] / g.params.groups);
    problem.tolerance(g.tolerance() * g.gaps());
    problem.flops(g.flops());
    const View w = problem.input(g.w), dy = problem.input(g.y(), g.fill);
    return {.w = w, .dy = dy, .params = g.params, .dx = problem.output(g.x)};
}

Conv2dBackwardWeights backward_weights(Problem& problem, const ConvGeometry& g) {
    const Shape y = g.y();
    problem.reduction(y.elements(0, 3));
    problem.tolerance(g.tolerance());
    problem.flops(g.flops());
    const View x = problem.input(g.x), dy = problem.input(y, g.fill);
    const View dw = problem.output(g.w);
    return {.x = x, .dy = dy, .params = g.params, .dw = dw, .dbias = g.bias ? problem.output({g.w[0]}) : View()};
}

/// ReLU must not hide a NaN.
Conv2dForward with_nan(Problem& problem) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const View x = problem.values({1, 9, 8, 5}, {3, -1, 2, 5, -2, -7, 1, -4, 2, -3, 1, 1, -1, 2, nan, 4, -5, -1, -3});
    const View w = problem.input({7, 3, 3, 5});
    const Conv2dParams params{.padding = {1, 1, 1, 1}};
    problem.reduction(45);
    return {.x = x,
            .w = w,
            .bias = View(),
            .params = params,
            .activation = FusedActivation::relu,
            .y = problem.output(params.output_shape(x.shape, w.shape))};
}

/// Nor must it hide a NaN of the residual.
Conv2dForward with_nan_residual(Problem& problem) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const View x = problem.input({1, 9, 8, 3}), w = problem.input({16, 3, 3, 3});
    std::vector<double> values(9 * 8 * 16);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 37 == 5 ? nan : static_cast<double>(i % 7) - 3;
    const View residual = problem.values({1, 9, 8, 16}, values);
    const Conv2dParams params{.padding = {1, 1, 1, 1}};
    problem.reduction(27);
    return {.x = x,
            .w = w,
            .bias = View(),
            .residual = residual,
            .params = params,
            .activation = FusedActivation::relu,
            .y = problem.output(residual.shape)};
}

/// A NaN that only some windows contain. The channels fill one vector; they are too few for Winograd, which would
/// spread the NaN over its whole tile.
Conv2dForward with_nan_16(Problem& problem) {
    std::vector<double> values(6 * 7 * 16);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i % 7) - 3;
    values[(2 * 7 + 3) * 16 + 5] = std::numeric_limits<double>::quiet_NaN();
    const View x = problem.values({1, 6, 7, 16}, values), w = problem.input({16, 3, 3, 16});
    const Conv2dParams params{.padding = {1, 1, 1, 1}};
    problem.reduction(144);
    return {
        .x = x, .w = w, .bias = View(), .params = params, .y = problem.output(params.output_shape(x.shape, w.shape))};
}

/// The forward pass and the gradient of the weights have a bias; the forward pass alone has the rest of the epilogue.
const std::vector<Dim>& dims(bool bias, bool epilogue) {
    static const auto list = [](bool with_bias, bool with_epilogue) {
        std::vector<Dim> all = {{.name = "n"},
                                {.name = "h"},
                                {.name = "w"},
                                {.name = "c"},
                                {.name = "k"},
                                {.name = "r"},
                                {.name = "s"},
                                {.name = "stride", .fallback = 1},
                                {.name = "pad", .fallback = 0, .low = 0},
                                {.name = "pad_end", .same_as = "pad", .low = 0},
                                {.name = "dilation", .fallback = 1},
                                {.name = "groups", .fallback = 1}};
        if (with_bias) all.push_back(flag("bias"));
        if (with_epilogue) all.push_back(flag("relu"));
        if (with_epilogue) all.push_back(flag("residual"));
        return all;
    };
    static const std::vector<Dim> data = list(false, false), weights = list(true, false), forward = list(true, true);
    return epilogue ? forward : bias ? weights : data;
}

ConvGeometry geometry(const Dims& d) {
    const std::int64_t groups = d.at("groups"), stride = d.at("stride"), dilation = d.at("dilation");
    const std::int64_t pad = d.at("pad"), pad_end = d.at("pad_end");
    check(d.at("c") % groups == 0 && d.at("k") % groups == 0,
          "conv2d: c = {} and k = {} are not multiples of groups = {}", d.at("c"), d.at("k"), groups);
    ConvGeometry g{.x = {d.at("n"), d.at("h"), d.at("w"), d.at("c")},
                   .w = {d.at("k"), d.at("r"), d.at("s"), d.at("c") / groups},
                   .params = {.stride = {stride, stride},
                              .dilation = {dilation, dilation},
                              .padding = {pad, pad_end, pad, pad_end},
                              .groups = groups},
                   .bias = d.has("bias") && d.at("bias") == 1,
                   .relu = d.has("relu") && d.at("relu") == 1,
                   .residual = d.has("residual") && d.at("residual") == 1};
    // Errors are measured against the root mean square of y, which ReLU makes smaller than that of the sums.
    if (g.relu) g.margin = std::sqrt(2.0);
    check(g.y().elements() > 0, "conv2d: a kernel of {} x {} does not fit a picture of {} x {}", d.at("r"), d.at("s"),
          d.at("h"), d.at("w"));
    return g;
}

/// Nothing where stride, dilation or padding differ between the axes: the command has one number for both.
std::optional<Dims> numbers(const Shape& x, const Shape& w, const Conv2dParams& p) {
    if (p.stride[0] != p.stride[1] || p.dilation[0] != p.dilation[1] || p.padding[0] != p.padding[2] ||
        p.padding[1] != p.padding[3])
        return std::nullopt;
    Dims d;
    for (const auto& [name, value] :
         std::initializer_list<std::pair<const char*, std::int64_t>>{{"n", x[0]},
                                                                     {"h", x[1]},
                                                                     {"w", x[2]},
                                                                     {"c", x[3]},
                                                                     {"k", w[0]},
                                                                     {"r", w[1]},
                                                                     {"s", w[2]},
                                                                     {"stride", p.stride[0]},
                                                                     {"pad", p.padding[0]},
                                                                     {"pad_end", p.padding[1]},
                                                                     {"dilation", p.dilation[0]},
                                                                     {"groups", p.groups}})
        d.set(name, value);
    return d;
}

std::optional<Dims> numbers(const Conv2dForward& a) {
    std::optional<Dims> d = numbers(a.x.shape, a.w.shape, a.params);
    if (!d) return d;
    d->set("bias", a.bias.present);
    d->set("relu", a.activation == FusedActivation::relu);
    d->set("residual", a.residual.present);
    return d;
}

std::optional<Dims> numbers(const Conv2dBackwardWeights& a) {
    std::optional<Dims> d = numbers(a.x.shape, a.dw.shape, a.params);
    if (d) d->set("bias", a.dbias.present);
    return d;
}

}  // namespace

void add_conv_cases(CaseSets& sets) {
    std::vector<Case<Conv2dForward>> forwards;
    std::vector<Case<Conv2dBackwardData>> data;
    std::vector<Case<Conv2dBackwardWeights>> weights;
    for (const ConvGeometry& g : conv_geometries()) {
        forwards.push_back({g.name, [=](Problem& problem) { return forward(problem, g); }, g.benchmark});
        data.push_back({g.name, [=](Problem& problem) { return backward_data(problem, g); }, g.benchmark});
        weights.push_back({g.name, [=](Problem& problem) { return backward_weights(problem, g); }, g.benchmark});
    }
    for (const ConvGeometry& g : residual_conv_geometries())
        forwards.push_back({g.name, [=](Problem& problem) { return forward(problem, g); }, g.benchmark});
    forwards.push_back({"nan_relu", with_nan});
    forwards.push_back({"nan_residual", with_nan_residual});
    forwards.push_back({"nan_16_channels", with_nan_16});
    sets.push_back(make_case_set(
        conv2d_forward(), std::move(forwards),
        {.dims = dims(true, true),
         .from_dims =
             [](const Dims& d) {
                 return Case<Conv2dForward>{"", [g = geometry(d)](Problem& problem) { return forward(problem, g); }};
             },
         .to_dims = [](const Conv2dForward& a) { return numbers(a); },
         .sample = [](Problem& want, const Conv2dForward& a) { sample(want, a); }}));
    sets.push_back(
        make_case_set(conv2d_backward_data(), std::move(data),
                      {.dims = dims(false, false),
                       .from_dims =
                           [](const Dims& d) {
                               return Case<Conv2dBackwardData>{
                                   "", [g = geometry(d)](Problem& problem) { return backward_data(problem, g); }};
                           },
                       .to_dims = [](const Conv2dBackwardData& a) { return numbers(a.dx.shape, a.w.shape, a.params); },
                       .sample = [](Problem& want, const Conv2dBackwardData& a) { sample(want, a); }}));
    sets.push_back(make_case_set(conv2d_backward_weights(), std::move(weights),
                                 {.dims = dims(true, false),
                                  .from_dims =
                                      [](const Dims& d) {
                                          return Case<Conv2dBackwardWeights>{"", [g = geometry(d)](Problem& problem) {
                                                                                 return backward_weights(problem, g);
                                                                             }};
                                      },
                                  .to_dims = [](const Conv2dBackwardWeights& a) { return numbers(a); },
                                  .sample = [](Problem& want, const Conv2dBackwardWeights& a) { sample(want, a); }}));
}

}  // namespace heddle::cases
