#include "kernels/norm/norm_pool.h"

#include <limits>

#include "core/random.h"
#include "kernels/pool/window.h"
#include "tests/cases/windows.h"

// Scales have both signs: with a negative one the smallest element of a window wins.
namespace heddle::cases {
namespace {

using namespace kernels;

/// What x holds.
enum class Values {
    normal,
    steps,  ///< whole numbers from -2 to 2: windows with several maxima
    far,    ///< 1e4 and a noise of 0.1: what rounding takes from the mean matters
    nan     ///< normal, and one NaN in a channel
};

struct Spec {
    Shape x = {};
    Pool2dParams params = {};
    bool relu = true, affine = true, running = false, unbiased = false, saved = true;
    Values values = Values::normal;

    Shape y() const { return params.output_shape(x); }
    Shape channels() const { return {x[3]}; }
    FusedActivation activation() const { return relu ? FusedActivation::relu : FusedActivation::none; }
};

std::vector<double> values_of(const Spec& spec) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < spec.x.elements(); ++i) {
        const Philox::Block block = Philox::block(20261126, 0, static_cast<std::uint64_t>(i));
        double sum = -4;  // of eight uniform numbers
        for (int k = 0; k < 4; ++k) sum += (block.word[k] >> 16) * 0x1p-16 + (block.word[k] & 0xFFFF) * 0x1p-16;
        switch (spec.values) {
            case Values::normal:
                values.push_back(1.2 * sum);
                break;
            case Values::steps:
                values.push_back(static_cast<double>(block.word[0] % 5) - 2);
                break;
            case Values::far:
                values.push_back(1e4 + 0.1 * sum);
                break;
            case Values::nan:
                values.push_back(i == spec.x[3] + 1 ? std::numeric_limits<double>::quiet_NaN() : 1.2 * sum);
                break;
        }
    }
    return values;
}

/// The elements of x that the positions name.
std::vector<double> picked(const Spec& spec, const std::vector<double>& x, const std::vector<double>& positions) {
    const Shape y = spec.y();
    std::vector<double> result;
    for (std::int64_t o = 0; o < y.elements(); ++o) {
        const auto position = static_cast<std::int64_t>(positions[static_cast<std::size_t>(o)]);
        const std::int64_t n = o / y.elements(1, 4),
                           h = window_span(spec.params, 0, o / (y[3] * y[2]) % y[1], spec.x[1]).start +
                               position / spec.params.kernel[1],
                           w = window_span(spec.params, 1, o / y[3] % y[2], spec.x[2]).start +
                               position % spec.params.kernel[1];
        result.push_back(
            x[static_cast<std::size_t>(((n * spec.x[1] + h) * spec.x[2] + w) * spec.x[3] + o % spec.x[3])]);
    }
    return result;
}

BatchNormPoolForward forward(Problem& problem, const Spec& spec) {
    const Shape y = spec.y(), channels = spec.channels();
    const DType wide = problem.wide();
    problem.reduction(spec.x.elements() / spec.x[3]);
    // Two reads of x, one write of y, of what won and of its index: what the statistics need, however fused.
    const auto size = static_cast<double>(size_of(problem.dtype()));
    problem.bytes(size * 2 * static_cast<double>(spec.x.elements()) +
                  static_cast<double>(y.elements()) *
                      (spec.saved ? 2 * size + static_cast<double>(size_of(spec.params.index_dtype())) : size));
    BatchNormPoolForward args;
    args.x = problem.values(spec.x, values_of(spec));
    if (spec.affine) {
        args.scale = problem.input(channels, Fill::normal, wide);
        args.offset = problem.input(channels, Fill::normal, wide);
    }
    args.params = spec.params;
    args.activation = spec.activation();
    args.y = problem.output(y);
    if (spec.saved) {
        args.picked = problem.output(y);
        args.index = problem.output(y, spec.params.index_dtype());
    }
    args.mean = problem.output(channels, wide);
    args.inverse_deviation = problem.output(channels, wide);
    if (spec.running) {
        args.running_mean = problem.inout(channels, Fill::normal, wide);
        args.running_variance = problem.inout(channels, Fill::positive, wide);
    }
    args.momentum = 0.1f;
    args.unbiased_running_variance = spec.unbiased;
    return args;
}

struct Wanted {
    bool dx = true, sums = true;
};

BatchNormPoolBackward backward(Problem& problem, const Spec& spec, Wanted wanted) {
    const Shape y = spec.y(), channels = spec.channels();
    const DType wide = problem.wide();
    problem.reduction(spec.x.elements() / spec.x[3]);
    problem.tolerance(4);  // dx is a difference of terms that are several times larger
    const std::vector<double> x = values_of(spec), positions = random_positions(spec.x, spec.params);
    BatchNormPoolBackward args;
    args.x = problem.values(spec.x, x);
    args.picked = problem.values(y, picked(spec, x, positions));
    args.index = problem.values(y, positions, spec.params.index_dtype());
    if (spec.relu) args.y = problem.input(y);
    args.dy = problem.input(y);
    if (spec.affine) args.scale = problem.input(channels, Fill::normal, wide);
    args.mean = problem.input(channels, Fill::normal, wide);
    args.inverse_deviation = problem.input(channels, Fill::positive, wide);
    args.params = spec.params;
    args.activation = spec.activation();
    if (wanted.dx) args.dx = problem.output(spec.x);
    if (wanted.sums) {
        args.dscale = problem.output(channels, wide);
        args.doffset = problem.output(channels, wide);
    }
    return args;
}

struct Named {
    const char* name;
    Spec spec;
    bool benchmark = false;
};

std::vector<Named> specs() {
    const Pool2dParams overlapping{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1, 1, 1}};
    return {
        {"one", {.x = {1, 1, 1, 1}, .params = {.kernel = {1, 1}, .stride = {1, 1}}}},
        {"halves", {.x = {3, 8, 6, 16}}},
        {"halves_odd_picture", {.x = {3, 13, 7, 5}, .running = true}},  // the last row and column lie in no window
        {"halves_wide", {.x = {2, 6, 6, 67}, .running = true, .unbiased = true}},
        {"halves256", {.x = {2, 12, 10, 256}}},
        {"one_channel", {.x = {2, 19, 30, 1}}},
        {"same_padding", {.x = {2, 7, 5, 33}, .params = {.padding = {0, 1, 0, 1}}, .relu = false}},
        {"overlapping", {.x = {2, 11, 13, 20}, .params = overlapping}},
        {"overlapping64", {.x = {3, 17, 22, 64}, .params = overlapping, .running = true, .unbiased = true}},
        {"overlapping176", {.x = {2, 7, 6, 176}, .params = overlapping, .relu = false}},
        {"stride1", {.x = {1, 7, 6, 17}, .params = {.kernel = {3, 2}, .stride = {1, 1}}}},
        {"gaps", {.x = {2, 11, 12, 9}, .params = {.kernel = {2, 2}, .stride = {3, 4}}}},
        {"asymmetric", {.x = {1, 9, 8, 31}, .params = {.kernel = {4, 3}, .stride = {2, 3}, .padding = {3, 0, 1, 2}}}},
        {"global8", {.x = {3, 8, 8, 64}, .params = {.kernel = {8, 8}, .stride = {8, 8}}}},
        {"global_i32_index", {.x = {2, 17, 19, 21}, .params = {.kernel = {17, 19}, .stride = {1, 1}}}},
        {"global_i32_vectors", {.x = {2, 17, 19, 24}, .params = {.kernel = {17, 19}, .stride = {1, 1}}, .relu = false}},
        {"large_windows",  // threads share a window
         {.x = {2, 16, 15, 24}, .params = {.kernel = {7, 6}, .stride = {3, 2}, .padding = {3, 0, 2, 1}}}},
        {"several_blocks", {.x = {3, 18, 17, 40}, .params = {.padding = {0, 0, 1, 0}}}},
        {"not_affine", {.x = {2, 9, 10, 24}, .params = overlapping, .affine = false}},
        {"not_saved", {.x = {2, 9, 10, 24}, .params = overlapping, .saved = false}},
        {"not_saved_odd", {.x = {2, 9, 10, 7}, .relu = false, .saved = false}},
        {"ties", {.x = {2, 9, 9, 19}, .params = overlapping, .values = Values::steps}},
        {"far", {.x = {2, 30, 31, 8}, .params = overlapping, .relu = false, .values = Values::far}},
        {"nan", {.x = {2, 6, 6, 20}, .params = overlapping, .values = Values::nan}},
        {"resnet_stem112x64", {.x = {8, 112, 112, 64}, .params = overlapping}, true},
        {"vgg56x128", {.x = {8, 56, 56, 128}}, true},
        {"vgg32x64", {.x = {64, 32, 32, 64}}, true},
    };
}

std::vector<Dim> dims() {
    std::vector<Dim> list = window_dims();
    list.push_back(flag("relu"));
    return list;
}

/// As models call it: with scale and offset, and running statistics as PyTorch keeps them.
Spec spec_of(const Dims& d) {
    return {
        .x = picture_shape(d), .params = window_of(d), .relu = d.at("relu") == 1, .running = true, .unbiased = true};
}

template <class Args>
std::optional<Dims> numbers(const Args& args) {
    Dims d;
    if (!set_window(d, args.x.shape, args.params)) return std::nullopt;
    d.set("relu", args.activation == FusedActivation::relu);
    return d;
}

}  // namespace

void add_norm_pool_cases(CaseSets& sets) {
    std::vector<Case<BatchNormPoolForward>> forwards;
    std::vector<Case<BatchNormPoolBackward>> backwards;
    const auto add_backward = [&](const std::string& name, const Spec& spec, Wanted wanted, bool benchmark) {
        backwards.push_back({name, [=](Problem& problem) { return backward(problem, spec, wanted); }, benchmark});
    };
    for (const auto& [name, spec, benchmark] : specs()) {
        forwards.push_back({name, [spec = spec](Problem& problem) { return forward(problem, spec); }, benchmark});
        if (spec.saved && spec.values != Values::nan && spec.values != Values::far)
            add_backward(name, spec, {}, benchmark);
    }
    const Spec plain{.x = {2, 11, 10, 24}};
    add_backward("sums_alone", plain, {.dx = false}, false);
    add_backward("dx_alone", plain, {.sums = false}, false);
    sets.push_back(make_case_set(batch_norm_pool_forward(), std::move(forwards),
                                 {.dims = dims(),
                                  .from_dims =
                                      [](const Dims& d) {
                                          return Case<BatchNormPoolForward>{"", [spec = spec_of(d)](Problem& problem) {
                                                                                return forward(problem, spec);
                                                                            }};
                                      },
                                  .to_dims = numbers<BatchNormPoolForward>}));
    sets.push_back(make_case_set(batch_norm_pool_backward(), std::move(backwards),
                                 {.dims = dims(),
                                  .from_dims =
                                      [](const Dims& d) {
                                          return Case<BatchNormPoolBackward>{"", [spec = spec_of(d)](Problem& problem) {
                                                                                 return backward(problem, spec, {});
                                                                             }};
                                      },
                                  .to_dims = numbers<BatchNormPoolBackward>}));
}

}  // namespace heddle::cases
