#include "kernels/layer_norm/layer_norm.h"

#include "tests/cases/families.h"

namespace heddle::cases {
namespace {

using namespace kernels;

/// Which operands begin where no vector may.
struct Unaligned {
    bool inputs = false, results = false, vectors = false;
};

struct Spec {
    Shape shape = {1, 1};
    bool scale = true, offset = true;
    Fill fill = Fill::normal;
    Unaligned unaligned = {};
};

Shape rows(const Shape& shape) { return {shape.elements() / shape.back()}; }

Case<LayerNormForward> forward(std::string name, const Spec& spec, bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                const DType wide = problem.wide();
                problem.reduction(spec.shape.back());
                const auto vector = [&](Fill fill) {
                    return placed(spec.unaligned.vectors, {spec.shape.back()},
                                  [&](const Shape& s) { return problem.input(s, fill, wide); });
                };
                LayerNormForward args;
                args.x = placed(spec.unaligned.inputs, spec.shape,
                                [&](const Shape& s) { return problem.input(s, spec.fill); });
                if (spec.scale) args.scale = vector(Fill::positive);
                if (spec.offset) args.offset = vector(Fill::normal);
                args.y = placed(spec.unaligned.results, spec.shape, [&](const Shape& s) { return problem.output(s); });
                args.mean = problem.output(rows(spec.shape), wide);
                args.inverse_deviation = problem.output(rows(spec.shape), wide);
                return args;
            },
            benchmark};
}

struct Wanted {
    bool dx = true, vectors = true;
};

Case<LayerNormBackward> backward(std::string name, const Spec& spec, Wanted wanted = {}, bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                const DType wide = problem.wide();
                problem.reduction(std::max(spec.shape.back(), rows(spec.shape)[0]));
                problem.tolerance(4);  // dx is a difference of terms that are several times larger
                const Unaligned off = spec.unaligned;
                const auto input = [&](const Shape& s) { return problem.input(s); };
                LayerNormBackward args;
                args.x = placed(off.inputs, spec.shape, input);
                args.dy = placed(off.inputs, spec.shape, input);
                if (spec.scale)
                    args.scale = placed(off.vectors, {spec.shape.back()},
                                        [&](const Shape& s) { return problem.input(s, Fill::positive, wide); });
                args.mean = problem.input(rows(spec.shape), Fill::normal, wide);
                args.inverse_deviation = problem.input(rows(spec.shape), Fill::positive, wide);
                if (wanted.dx)
                    args.dx = placed(off.results, spec.shape, [&](const Shape& s) { return problem.output(s); });
                if (wanted.vectors) {
                    const auto vector = [&](const Shape& s) { return problem.output(s, wide); };
                    args.dscale = placed(off.vectors, {spec.shape.back()}, vector);
                    args.doffset = placed(off.vectors, {spec.shape.back()}, vector);
                }
                return args;
            },
            benchmark};
}

struct NamedShape {
    const char* name;
    Shape shape;
};

// One feature, fewer than a warp, a prime, a warp's longest row and more; one row, rows beyond a block and a tail; a
// block's longest row of each number of threads; several blocks of short rows and a tail.
const std::vector<NamedShape>& shapes() {
    static const std::vector<NamedShape> list = {
        {"one", {1, 1}},
        {"features3", {37, 3}},
        {"features31", {2, 5, 31}},
        {"features64", {129, 64}},
        {"features67", {5, 67}},
        {"features1024", {3, 1024}},
        {"features1031", {3, 1031}},
        {"features4099", {2, 4099}},
        {"many_rows", {4099, 8}},
        {"features512", {9, 512}},
        {"features4096", {2, 4096}},
        {"features16416", {2, 16416}},
        {"many_odd_rows", {1100, 10}},
        {"features255", {19, 255}},
        {"features257", {3, 257}},
    };
    return list;
}

std::vector<Dim> dims() { return {{.name = "rows"}, {.name = "features"}}; }

Spec spec_of(const Dims& d) { return {.shape = {d.at("rows"), d.at("features")}}; }

std::optional<Dims> numbers(const Shape& x) {
    Dims d;
    d.set("rows", x.elements() / x.back());
    d.set("features", x.back());
    return d;
}

}  // namespace

void add_layer_norm_cases(CaseSets& sets) {
    std::vector<Case<LayerNormForward>> forwards;
    std::vector<Case<LayerNormBackward>> backwards;
    for (const auto& [name, shape] : shapes()) {
        forwards.push_back(forward(name, {.shape = shape}));
        backwards.push_back(backward(name, {.shape = shape}));
    }
    const Shape plain{7, 11, 37};
    forwards.push_back(forward("without_scale", {.shape = plain, .scale = false}));
    forwards.push_back(forward("without_offset", {.shape = plain, .offset = false}));
    forwards.push_back(forward("bare", {.shape = plain, .scale = false, .offset = false}));
    forwards.push_back(forward("no_rows", {.shape = {0, 37}}));
    forwards.push_back(forward("outliers", {.shape = {31, 131}, .fill = Fill::outliers}));
    forwards.push_back(forward("large", {.shape = {31, 131}, .fill = Fill::large}));
    forwards.push_back(forward("tiny", {.shape = {31, 131}, .fill = Fill::tiny}));
    forwards.push_back(forward("constant", {.shape = {31, 131}, .fill = Fill::ones}));
    backwards.push_back(backward("without_scale", {.shape = plain, .scale = false}));
    backwards.push_back(backward("only_dx", {.shape = plain}, {.vectors = false}));
    backwards.push_back(backward("only_vectors", {.shape = plain}, {.dx = false}));
    for (const Shape& shape : {Shape{37, 64}, Shape{3, 1032}}) {
        const std::string size = std::to_string(shape.back());
        const std::pair<const char*, Unaligned> ways[] = {{"unaligned_inputs_", {.inputs = true}},
                                                          {"unaligned_results_", {.results = true}},
                                                          {"unaligned_vectors_", {.vectors = true}},
                                                          {"unaligned_all_", {true, true, true}}};
        for (const auto& [name, unaligned] : ways) {
            forwards.push_back(forward(name + size, {.shape = shape, .unaligned = unaligned}));
            backwards.push_back(backward(name + size, {.shape = shape, .unaligned = unaligned}));
        }
    }
    for (const Shape& shape : {Shape{2048, 256}, Shape{4096, 1024}}) {
        const std::string name = std::to_string(shape[0]) + "x" + std::to_string(shape[1]);
        forwards.push_back(forward(name, {.shape = shape}, true));
        backwards.push_back(backward(name, {.shape = shape}, {}, true));
    }
    sets.push_back(make_case_set(layer_norm_forward(), std::move(forwards),
                                 {.dims = dims(),
                                  .from_dims = [](const Dims& d) { return forward("", spec_of(d)); },
                                  .to_dims = [](const LayerNormForward& a) { return numbers(a.x.shape); }}));
    sets.push_back(make_case_set(layer_norm_backward(), std::move(backwards),
                                 {.dims = dims(),
                                  .from_dims = [](const Dims& d) { return backward("", spec_of(d)); },
                                  .to_dims = [](const LayerNormBackward& a) { return numbers(a.x.shape); }}));
}

}  // namespace heddle::cases
