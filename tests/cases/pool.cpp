#include "kernels/pool/pool.h"

#include <limits>

#include "core/random.h"
#include "kernels/pool/window.h"
#include "tests/cases/windows.h"

// One list of geometries; every entry is a case of all four operations.
namespace heddle::cases {
namespace {

using namespace kernels;

struct Geometry {
    std::string name = {};
    Shape x = {};
    Pool2dParams params = {};
    Fill fill = Fill::normal;
    bool index = true;  ///< off where flushed denormals compare equal: any of them may be the first maximum
    bool benchmark = false;

    Shape y() const { return params.output_shape(x); }
    std::int64_t area() const { return params.kernel[0] * params.kernel[1]; }
};

std::string suffix(bool relu) { return relu ? "_relu" : ""; }

FusedActivation activation(bool relu) { return relu ? FusedActivation::relu : FusedActivation::none; }

MaxPool2dForward max_forward(Problem& problem, const Geometry& g, bool relu) {
    const View x = problem.input(g.x, g.fill);
    const View y = problem.output(g.y());
    const View index = g.index ? problem.output(g.y(), g.params.index_dtype()) : View();
    return {.x = x, .params = g.params, .activation = activation(relu), .y = y, .index = index};
}

MaxPool2dBackward max_backward(Problem& problem, const Geometry& g, bool relu) {
    problem.reduction(g.area());
    const View dy = problem.input(g.y(), g.fill);
    const View y = relu ? problem.input(g.y()) : View();
    const View index = problem.values(g.y(), random_positions(g.x, g.params), g.params.index_dtype());
    const View dx = problem.output(g.x);
    return {.dy = dy, .y = y, .index = index, .params = g.params, .activation = activation(relu), .dx = dx};
}

AvgPool2dForward average_forward(Problem& problem, const Geometry& g, bool count_padding) {
    problem.reduction(g.area());
    const View x = problem.input(g.x, g.fill);
    return {.x = x, .params = g.params, .count_padding = count_padding, .y = problem.output(g.y())};
}

AvgPool2dBackward average_backward(Problem& problem, const Geometry& g, bool count_padding) {
    problem.reduction(g.area());
    const View dy = problem.input(g.y(), g.fill);
    return {.dy = dy, .params = g.params, .count_padding = count_padding, .dx = problem.output(g.x)};
}

std::vector<Geometry> geometries() {
    std::vector<Geometry> list;
    const auto add = [&](Geometry g) { list.push_back(std::move(g)); };
    const Pool2dParams overlapping{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1, 1, 1}};

    add({.name = "one", .x = {1, 1, 1, 1}, .params = {.kernel = {1, 1}, .stride = {1, 1}}});
    add({.name = "empty_batch", .x = {0, 4, 4, 3}});
    add({.name = "halves", .x = {2, 8, 6, 16}});
    add({.name = "halves_odd_picture", .x = {3, 13, 7, 5}});  // the last row and column lie in no window
    add({.name = "halves_wide", .x = {2, 6, 6, 67}});
    add({.name = "halves32", .x = {2, 5, 6, 32}});
    add({.name = "overlapping176", .x = {2, 7, 6, 176}, .params = overlapping});
    add({.name = "one_channel", .x = {2, 9, 10, 1}});
    add({.name = "same_padding", .x = {2, 7, 5, 33}, .params = {.padding = {0, 1, 0, 1}}});
    add({.name = "overlapping", .x = {2, 11, 13, 20}, .params = overlapping});
    add({.name = "stride1", .x = {1, 7, 6, 17}, .params = {.kernel = {3, 2}, .stride = {1, 1}}});
    add({.name = "stride1_same",
         .x = {1, 6, 6, 40},
         .params = {.kernel = {5, 5}, .stride = {1, 1}, .padding = {2, 2, 2, 2}}});
    add({.name = "gaps", .x = {2, 11, 12, 9}, .params = {.kernel = {2, 2}, .stride = {3, 4}}});
    add({.name = "rows_only", .x = {2, 12, 3, 8}, .params = {.kernel = {3, 1}, .stride = {3, 1}}});
    add({.name = "asymmetric",
         .x = {1, 9, 8, 31},
         .params = {.kernel = {4, 3}, .stride = {2, 3}, .padding = {3, 0, 1, 2}}});
    add({.name = "global8", .x = {3, 8, 8, 64}, .params = {.kernel = {8, 8}, .stride = {8, 8}}});
    add({.name = "global_i32_index", .x = {2, 17, 19, 21}, .params = {.kernel = {17, 19}, .stride = {1, 1}}});
    add({.name = "global_i32_vectors", .x = {2, 17, 19, 24}, .params = {.kernel = {17, 19}, .stride = {1, 1}}});
    add({.name = "several_blocks", .x = {3, 18, 17, 40}, .params = {.padding = {0, 0, 1, 0}}});
    add({.name = "large_windows",  // threads share a window
         .x = {2, 16, 15, 24},
         .params = {.kernel = {7, 6}, .stride = {3, 2}, .padding = {3, 0, 2, 1}}});
    add({.name = "large", .x = {2, 6, 6, 19}, .fill = Fill::large});
    add({.name = "tiny", .x = {2, 6, 6, 19}, .fill = Fill::tiny});
    add({.name = "denormal", .x = {2, 6, 6, 19}, .fill = Fill::denormal, .index = false});
    add({.name = "outliers", .x = {2, 9, 9, 19}, .params = overlapping, .fill = Fill::outliers});
    add({.name = "infinities", .x = {2, 9, 9, 19}, .params = overlapping, .fill = Fill::infinities});
    add({.name = "ties", .x = {2, 9, 9, 19}, .params = overlapping, .fill = Fill::zeros});
    add({.name = "no_index", .x = {2, 9, 9, 40}, .index = false});

    add({.name = "cnn26x32", .x = {128, 26, 26, 32}, .benchmark = true});
    add({.name = "cnn11x64", .x = {128, 11, 11, 64}, .benchmark = true});
    add({.name = "vgg56x128", .x = {8, 56, 56, 128}, .benchmark = true});
    add({.name = "resnet_stem112x64", .x = {8, 112, 112, 64}, .params = overlapping, .benchmark = true});
    add({.name = "resnet20_head",
         .x = {128, 8, 8, 64},
         .params = {.kernel = {8, 8}, .stride = {8, 8}},
         .benchmark = true});
    add({.name = "resnet18_head",
         .x = {64, 4, 4, 512},
         .params = {.kernel = {4, 4}, .stride = {4, 4}},
         .benchmark = true});
    return list;
}

/// A NaN in each place of a window, beside larger values: it must win, the first of several by index.
MaxPool2dForward with_nan(Problem& problem, std::array<std::int64_t, 2> kernel, bool relu) {
    const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
    const Shape x{2, 6, 6, 17};
    const View picture = problem.values(x, {3, -1, nan, -inf, 5, inf, -2, -7, 1, -4, 2, -3, nan});
    const Pool2dParams params{.kernel = kernel, .stride = {2, 1}};
    const View y = problem.output(params.output_shape(x));
    const View index = problem.output(params.output_shape(x), params.index_dtype());
    return {.x = picture, .params = params, .activation = activation(relu), .y = y, .index = index};
}

std::vector<Dim> dims(const char* last) {
    std::vector<Dim> list = window_dims();
    list.push_back(flag(last));
    return list;
}

std::optional<Dims> numbers(const Shape& x, const Pool2dParams& params, const char* last, bool value) {
    Dims d;
    if (!set_window(d, x, params)) return std::nullopt;
    d.set(last, value);
    return d;
}

bool is_relu(FusedActivation activation) { return activation == FusedActivation::relu; }

template <class Args, class Make>
Extras<Args> extras(const char* last, Make make, std::function<std::optional<Dims>(const Args&)> to_dims) {
    return {.dims = dims(last),
            .from_dims =
                [=](const Dims& d) {
                    return Case<Args>{"", [=, g = Geometry{.x = picture_shape(d), .params = window_of(d)},
                                           on = d.at(last) == 1](Problem& problem) { return make(problem, g, on); }};
                },
            .to_dims = std::move(to_dims)};
}

}  // namespace

std::vector<double> random_positions(const Shape& x, const Pool2dParams& params) {
    const Shape y = params.output_shape(x);
    std::vector<double> result;
    for (std::int64_t i = 0; i < y.elements(); ++i) {
        const WindowSpan rows = window_span(params, 0, i / (y[3] * y[2]) % y[1], x[1]),
                         columns = window_span(params, 1, i / y[3] % y[2], x[2]);
        const Philox::Block block = Philox::block(20261121, 0, static_cast<std::uint64_t>(i));
        const std::int64_t h = rows.first + block.word[0] % (rows.last - rows.first),
                           w = columns.first + block.word[1] % (columns.last - columns.first);
        result.push_back(static_cast<double>((h - rows.start) * params.kernel[1] + w - columns.start));
    }
    return result;
}

void add_pool_cases(CaseSets& sets) {
    std::vector<Case<MaxPool2dForward>> max_forwards;
    std::vector<Case<MaxPool2dBackward>> max_backwards;
    std::vector<Case<AvgPool2dForward>> average_forwards;
    std::vector<Case<AvgPool2dBackward>> average_backwards;
    for (const Geometry& g : geometries()) {
        for (const bool relu : {false, true}) {
            max_forwards.push_back(
                {g.name + suffix(relu), [=](Problem& problem) { return max_forward(problem, g, relu); }, g.benchmark});
            max_backwards.push_back(
                {g.name + suffix(relu), [=](Problem& problem) { return max_backward(problem, g, relu); }, g.benchmark});
        }
        const bool padded = g.params.padding != std::array<std::int64_t, 4>{};
        for (const bool count_padding : {false, true}) {
            if (count_padding && !padded) continue;
            const std::string name = g.name + (count_padding ? "_count_padding" : "");
            average_forwards.push_back(
                {name, [=](Problem& problem) { return average_forward(problem, g, count_padding); }, g.benchmark});
            average_backwards.push_back(
                {name, [=](Problem& problem) { return average_backward(problem, g, count_padding); }, g.benchmark});
        }
    }
    for (const bool relu : {false, true}) {
        max_forwards.push_back({"nan" + suffix(relu), [=](Problem& problem) {
                                    return with_nan(problem, {2, 3}, relu);
                                }});
        max_forwards.push_back({"nan_global" + suffix(relu), [=](Problem& problem) {
                                    return with_nan(problem, {6, 6}, relu);
                                }});
    }
    sets.push_back(make_case_set(max_pool2d_forward(), std::move(max_forwards),
                                 extras<MaxPool2dForward>("relu", max_forward, [](const MaxPool2dForward& a) {
                                     return numbers(a.x.shape, a.params, "relu", is_relu(a.activation));
                                 })));
    sets.push_back(make_case_set(max_pool2d_backward(), std::move(max_backwards),
                                 extras<MaxPool2dBackward>("relu", max_backward, [](const MaxPool2dBackward& a) {
                                     return numbers(a.dx.shape, a.params, "relu", is_relu(a.activation));
                                 })));
    sets.push_back(
        make_case_set(avg_pool2d_forward(), std::move(average_forwards),
                      extras<AvgPool2dForward>("count_padding", average_forward, [](const AvgPool2dForward& a) {
                          return numbers(a.x.shape, a.params, "count_padding", a.count_padding);
                      })));
    sets.push_back(
        make_case_set(avg_pool2d_backward(), std::move(average_backwards),
                      extras<AvgPool2dBackward>("count_padding", average_backward, [](const AvgPool2dBackward& a) {
                          return numbers(a.dx.shape, a.params, "count_padding", a.count_padding);
                      })));
}

}  // namespace heddle::cases
