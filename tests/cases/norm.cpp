#include "kernels/norm/norm.h"

#include <cmath>

#include "tests/cases/families.h"

namespace heddle::cases {
namespace {

using namespace kernels;

struct NormSpec {
    Shape shape = {1, 1};
    bool affine = true, residual = false, relu = false;
    bool running = false, unbiased = false;
    Fill fill = Fill::normal;
    double mean = 0, deviation = 1;  ///< other than 0 and 1: x is mean + deviation * noise, per channel 1 % apart
};

std::int64_t rows(const Shape& shape) { return shape.elements() / shape.back(); }

View make_x(Problem& problem, const NormSpec& spec) {
    if (spec.mean == 0 && spec.deviation == 1) return problem.input(spec.shape, spec.fill);
    std::vector<double> values(static_cast<std::size_t>(spec.shape.elements()));
    std::uint64_t state = 1;
    for (std::size_t i = 0; i < values.size(); ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const double noise = static_cast<double>(state >> 33) * 0x1p-30 - 1;  // uniform in [-1, 1)
        const double channel = static_cast<double>(i % static_cast<std::size_t>(spec.shape.back()));
        values[i] = spec.mean * (1 + 0.01 * channel) + spec.deviation * noise;
    }
    return problem.values(spec.shape, values);
}

FusedActivation activation(const NormSpec& spec) { return spec.relu ? FusedActivation::relu : FusedActivation::none; }

Case<BatchNormForward> forward(std::string name, const NormSpec& spec, bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                const Shape channels{spec.shape.back()};
                const DType wide = problem.wide();
                problem.reduction(rows(spec.shape));
                // Two reads of x, one write of y: what the statistics need, however fused.
                problem.bytes(static_cast<double>(spec.shape.elements()) *
                              static_cast<double>(size_of(problem.dtype())) * (spec.residual ? 4 : 3));
                BatchNormForward args;
                args.x = make_x(problem, spec);
                if (spec.affine) {
                    args.scale = problem.input(channels, Fill::positive, wide);
                    args.offset = problem.input(channels, Fill::normal, wide);
                }
                if (spec.residual) args.residual = problem.input(spec.shape);
                args.activation = activation(spec);
                args.y = problem.output(spec.shape);
                args.mean = problem.output(channels, wide);
                args.inverse_deviation = problem.output(channels, wide);
                if (spec.running) {
                    args.running_mean = problem.inout(channels, Fill::normal, wide);
                    args.running_variance = problem.inout(channels, Fill::positive, wide);
                }
                args.momentum = 0.1f;
                args.unbiased_running_variance = spec.unbiased;
                return args;
            },
            benchmark};
}

Case<BatchNormInference> inference(std::string name, const NormSpec& spec, bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                const Shape channels{spec.shape.back()};
                const DType wide = problem.wide();
                problem.tolerance(4);  // the terms of y are several times larger than y where they cancel
                BatchNormInference args;
                args.x = make_x(problem, spec);
                if (spec.affine) {
                    args.scale = problem.input(channels, Fill::positive, wide);
                    args.offset = problem.input(channels, Fill::normal, wide);
                }
                if (spec.residual) args.residual = problem.input(spec.shape);
                args.mean = problem.input(channels, Fill::normal, wide);
                args.variance = problem.input(channels, Fill::positive, wide);
                args.activation = activation(spec);
                args.y = problem.output(spec.shape);
                return args;
            },
            benchmark};
}

struct Wanted {
    bool dx = true, sums = true, dresidual = false;
};

Case<BatchNormBackward> backward(std::string name, const NormSpec& spec, bool training, Wanted wanted,
                                 bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                const Shape channels{spec.shape.back()};
                const DType wide = problem.wide();
                problem.reduction(rows(spec.shape));
                problem.tolerance(4);  // dx is a difference of terms that are several times larger
                BatchNormBackward args;
                args.x = make_x(problem, spec);
                if (spec.relu) args.y = problem.input(spec.shape);
                args.dy = problem.input(spec.shape);
                if (spec.affine) args.scale = problem.input(channels, Fill::positive, wide);
                args.mean = problem.input(channels, Fill::normal, wide);
                args.inverse_deviation = problem.input(channels, Fill::positive, wide);
                args.activation = activation(spec);
                args.training = training;
                if (wanted.dx) args.dx = problem.output(spec.shape);
                if (wanted.sums) {
                    args.dscale = problem.output(channels, wide);
                    args.doffset = problem.output(channels, wide);
                }
                if (wanted.dresidual) args.dresidual = problem.output(spec.shape);
                return args;
            },
            benchmark};
}

struct NamedShape {
    const char* name;
    Shape shape;
};

// One channel, few, a prime, multiples of the vector width; one row, a tile, two tiles and a tail.
const std::vector<NamedShape>& shapes() {
    static const std::vector<NamedShape> list = {
        {"one", {1, 1}},
        {"one_row", {1, 67}},
        {"one_channel", {4099, 1}},
        {"channels3", {2, 33, 31, 3}},
        {"channels16", {3, 17, 5, 16}},
        {"channels32", {3, 37, 15, 32}},
        {"channels67", {5, 13, 67}},
        {"channels67_long", {1031, 67}},
        {"channels64_long", {2, 33, 33, 64}},
        {"channels128", {5, 7, 41, 128}},
        {"channels512", {67, 512}},
        {"channels2053", {35, 2053}},
    };
    return list;
}

const std::vector<NamedShape>& benchmark_shapes() {
    static const std::vector<NamedShape> list = {
        {"128x32x32x16", {128, 32, 32, 16}}, {"128x16x16x32", {128, 16, 16, 32}}, {"128x8x8x64", {128, 8, 8, 64}},
        {"64x32x32x64", {64, 32, 32, 64}},   {"64x4x4x512", {64, 4, 4, 512}},     {"128x32x32x67", {128, 32, 32, 67}},
    };
    return list;
}

std::vector<Case<BatchNormForward>> forwards() {
    std::vector<Case<BatchNormForward>> cases;
    for (const auto& [name, shape] : shapes()) {
        cases.push_back(forward(name, {.shape = shape}));
        cases.push_back(forward(std::string(name) + "_fused",
                                {.shape = shape, .residual = true, .relu = true, .running = true, .unbiased = true}));
    }
    const Shape plain{7, 11, 37};
    cases.push_back(forward("not_affine", {.shape = plain, .affine = false}));
    cases.push_back(forward("residual", {.shape = plain, .residual = true}));
    cases.push_back(forward("relu", {.shape = plain, .relu = true}));
    cases.push_back(forward("running_biased", {.shape = plain, .running = true}));
    cases.push_back(forward("running_unbiased", {.shape = plain, .running = true, .unbiased = true}));
    cases.push_back(forward("outliers", {.shape = {1031, 19}, .fill = Fill::outliers}));
    cases.push_back(forward("large", {.shape = {1031, 19}, .fill = Fill::large}));
    cases.push_back(forward("tiny", {.shape = {1031, 19}, .fill = Fill::tiny}));
    cases.push_back(forward("denormal", {.shape = {131, 19}, .fill = Fill::denormal}));
    cases.push_back(forward("constant", {.shape = {1031, 19}, .fill = Fill::ones}));
    cases.push_back(forward("infinities", {.shape = {131, 19}, .fill = Fill::infinities}));
    cases.push_back(forward("small_deviation", {.shape = {4099, 16}, .mean = 1e4, .deviation = 1e-1}));
    cases.push_back(forward("smallest_deviation", {.shape = {20011, 3}, .mean = 1e4, .deviation = 1e-2}));
    for (const auto& [name, shape] : benchmark_shapes()) {
        cases.push_back(forward(name, {.shape = shape}, true));
        cases.push_back(forward(std::string(name) + "_fused", {.shape = shape, .residual = true, .relu = true}, true));
    }
    return cases;
}

std::vector<Case<BatchNormInference>> inferences() {
    std::vector<Case<BatchNormInference>> cases;
    for (const auto& [name, shape] : shapes()) {
        cases.push_back(inference(name, {.shape = shape}));
        cases.push_back(inference(std::string(name) + "_fused", {.shape = shape, .residual = true, .relu = true}));
    }
    const Shape plain{7, 11, 37};
    cases.push_back(inference("not_affine", {.shape = plain, .affine = false}));
    cases.push_back(inference("relu", {.shape = plain, .relu = true}));
    cases.push_back(inference("no_rows", {.shape = {0, 37}}));
    cases.push_back(inference("outliers", {.shape = plain, .fill = Fill::outliers}));
    cases.push_back(inference("large", {.shape = plain, .fill = Fill::large}));
    cases.push_back(inference("infinities", {.shape = plain, .relu = true, .fill = Fill::infinities}));
    for (const auto& [name, shape] : benchmark_shapes())
        cases.push_back(inference(name, {.shape = shape, .relu = true}, true));
    return cases;
}

std::vector<Case<BatchNormBackward>> backwards() {
    std::vector<Case<BatchNormBackward>> cases;
    for (const auto& [name, shape] : shapes()) {
        cases.push_back(backward(name, {.shape = shape}, true, {}));
        cases.push_back(backward(std::string(name) + "_fused", {.shape = shape, .residual = true, .relu = true}, true,
                                 {.dresidual = true}));
        cases.push_back(backward(std::string(name) + "_relu", {.shape = shape, .relu = true}, true, {}));
        cases.push_back(backward(std::string(name) + "_frozen", {.shape = shape, .relu = true}, false, {}));
    }
    const Shape plain{7, 11, 37};
    cases.push_back(backward("not_affine", {.shape = plain, .affine = false}, true, {.sums = false}));
    cases.push_back(backward("relu", {.shape = plain, .relu = true}, true, {}));
    cases.push_back(backward("sums_alone", {.shape = plain, .relu = true}, true, {.dx = false}));
    cases.push_back(backward("residual_alone", {.shape = plain, .relu = true}, true,
                             {.dx = false, .sums = false, .dresidual = true}));
    cases.push_back(backward("residual_without_relu", {.shape = plain}, true, {.dresidual = true}));
    cases.push_back(backward("frozen_dx_alone", {.shape = plain, .relu = true}, false, {.sums = false}));
    cases.push_back(backward("frozen_residual", {.shape = plain, .relu = true}, false, {.dresidual = true}));
    cases.push_back(backward("outliers", {.shape = {1031, 19}, .fill = Fill::outliers}, true, {}));
    // Gradients in place, as the tape runs them: dresidual over dy, and dx over dy.
    struct InPlace {
        const char* name;
        std::int64_t height, width;
        bool residual;
    };
    for (const auto& [name, height, width, residual] :
         {InPlace{"residual_in_place", 133, 35, true}, InPlace{"dx_in_place", 133, 35, false},
          InPlace{"dx_in_place_channels1031", 37, 1031, false}})
        cases.push_back({name, [height = height, width = width, residual = residual](Problem& problem) {
                             const Shape shape{height, width}, channels{width};
                             problem.reduction(height);
                             BatchNormBackward args;
                             args.x = problem.input(shape);
                             args.y = problem.input(shape);
                             args.dy = problem.inout(shape);
                             args.mean = problem.input(channels, Fill::normal, problem.wide());
                             args.inverse_deviation = problem.input(channels, Fill::positive, problem.wide());
                             args.activation = FusedActivation::relu;
                             args.dx = residual ? problem.output(shape) : args.dy;
                             if (residual) args.dresidual = args.dy;
                             args.dscale = problem.output(channels, problem.wide());
                             args.doffset = problem.output(channels, problem.wide());
                             return args;
                         }});
    for (const auto& [name, shape] : benchmark_shapes()) {
        cases.push_back(backward(name, {.shape = shape}, true, {}, true));
        cases.push_back(backward(std::string(name) + "_relu", {.shape = shape, .relu = true}, true, {}, true));
        cases.push_back(backward(std::string(name) + "_fused", {.shape = shape, .residual = true, .relu = true}, true,
                                 {.dresidual = true}, true));
    }
    return cases;
}

std::vector<Dim> dims() {
    std::vector<Dim> list = picture_dims();
    list.push_back(flag("relu"));
    list.push_back(flag("residual"));
    return list;
}

/// As models call it: with scale and offset, and running statistics as PyTorch keeps them.
NormSpec spec_of(const Dims& d) {
    return {.shape = picture_shape(d),
            .residual = d.at("residual") == 1,
            .relu = d.at("relu") == 1,
            .running = true,
            .unbiased = true};
}

std::optional<Dims> numbers(const Shape& x, bool relu, bool residual) {
    Dims d;
    if (!set_picture(d, x)) return std::nullopt;
    d.set("relu", relu);
    d.set("residual", residual);
    return d;
}

bool is_relu(FusedActivation activation) { return activation == FusedActivation::relu; }

}  // namespace

void add_norm_cases(CaseSets& sets) {
    sets.push_back(make_case_set(batch_norm_forward(), forwards(),
                                 {.dims = dims(),
                                  .from_dims = [](const Dims& d) { return forward("", spec_of(d)); },
                                  .to_dims =
                                      [](const BatchNormForward& a) {
                                          return numbers(a.x.shape, is_relu(a.activation),
                                                         static_cast<bool>(a.residual));
                                      }}));
    sets.push_back(make_case_set(batch_norm_inference(), inferences(),
                                 {.dims = dims(),
                                  .from_dims = [](const Dims& d) { return inference("", spec_of(d)); },
                                  .to_dims =
                                      [](const BatchNormInference& a) {
                                          return numbers(a.x.shape, is_relu(a.activation),
                                                         static_cast<bool>(a.residual));
                                      }}));
    sets.push_back(make_case_set(
        batch_norm_backward(), backwards(),
        {.dims = dims(),
         .from_dims =
             [](const Dims& d) { return backward("", spec_of(d), true, {.dresidual = d.at("residual") == 1}); },
         .to_dims =
             [](const BatchNormBackward& a) {
                 return numbers(a.x.shape, is_relu(a.activation), static_cast<bool>(a.dresidual));
             }}));
}

}  // namespace heddle::cases
