#include "kernels/matmul/matmul.h"

#include "tests/cases/families.h"
#include "tests/cases/sample.h"

namespace heddle::cases {
namespace {

using namespace kernels;

struct MatmulSpec {
    Shape batch_a = {}, batch_b = {};
    std::int64_t m = 1, n = 1, k = 1;
    bool transpose_a = false, transpose_b = false, bias = false;
    FusedActivation activation = FusedActivation::none;
    float alpha = 1;
    bool accumulate = false;
    Fill fill = Fill::normal;
    double margin = 1;  // a factor on the common bound; no listed case needs one
};

Shape matrix(Shape batch, std::int64_t rows, std::int64_t columns, bool transposed) {
    batch.push_back(transposed ? columns : rows);
    batch.push_back(transposed ? rows : columns);
    return batch;
}

Case<Matmul> product(std::string name, const MatmulSpec& spec, bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                const Shape& batch = spec.batch_a.rank() > 0 ? spec.batch_a : spec.batch_b;
                const Shape c = matrix(batch, spec.m, spec.n, false);
                problem.reduction(spec.k + 2);
                problem.tolerance(spec.margin);
                problem.flops(2.0 * static_cast<double>(c.elements() * spec.k));
                Matmul args;
                args.a = problem.input(matrix(spec.batch_a, spec.m, spec.k, spec.transpose_a), spec.fill);
                args.b = problem.input(matrix(spec.batch_b, spec.k, spec.n, spec.transpose_b));
                if (spec.bias) args.bias = problem.input({spec.n});
                args.transpose_a = spec.transpose_a;
                args.transpose_b = spec.transpose_b;
                args.activation = spec.activation;
                args.alpha = spec.alpha;
                args.accumulate = spec.accumulate;
                args.c = spec.accumulate ? problem.inout(c) : problem.output(c);
                return args;
            },
            benchmark};
}

std::vector<Case<Matmul>> products() {
    using enum FusedActivation;
    std::vector<Case<Matmul>> cases;
    const auto add = [&](std::string name, const MatmulSpec& spec, bool benchmark = false) {
        cases.push_back(product(std::move(name), spec, benchmark));
    };
    for (const bool ta : {false, true})
        for (const bool tb : {false, true}) {
            const std::string kind = std::string(ta ? "_t" : "_n") + (tb ? "t" : "n");
            const auto both = [=](MatmulSpec spec) {
                spec.transpose_a = ta;
                spec.transpose_b = tb;
                return spec;
            };
            add("one" + kind, both({}));
            add("small" + kind, both({.m = 3, .n = 5, .k = 7, .bias = true, .activation = relu}));
            add("primes" + kind, both({.m = 67, .n = 31, .k = 101, .bias = true, .activation = relu}));
            add("tiles_and_tail" + kind, both({.m = 130, .n = 99, .k = 67, .alpha = -0.5f, .accumulate = true}));
            add("row" + kind, both({.m = 1, .n = 129, .k = 65, .bias = true}));
            add("column" + kind, both({.m = 129, .n = 1, .k = 65, .bias = true}));
            add("outer" + kind, both({.m = 65, .n = 66, .k = 1, .accumulate = true}));
            add("batched" + kind,
                both({.batch_a = {3, 2}, .batch_b = {3, 2}, .m = 17, .n = 33, .k = 9, .alpha = 0.25f}));
            add("shared_b" + kind,
                both({.batch_a = {2, 3}, .m = 17, .n = 35, .k = 19, .bias = true, .activation = relu}));
            add("shared_a" + kind, both({.batch_b = {5}, .m = 17, .n = 35, .k = 19, .bias = true, .accumulate = true}));
            add("small_batch" + kind,
                both({.batch_a = {4}, .batch_b = {4}, .m = 2, .n = 3, .k = 5, .accumulate = true}));
            add("few_columns" + kind,
                both({.m = 67, .n = 9, .k = 48, .bias = true, .activation = relu, .alpha = -0.5f, .accumulate = true}));
            // Extents that 16-byte loads allow: each kind of tile of the native kernels, with tails, and sums that are
            // split because there are few of them.
            add("tiles" + kind, both({.m = 136, .n = 104, .k = 168, .bias = true}));
            add("tiles_tall" + kind, both({.m = 264, .n = 24, .k = 72, .bias = true, .accumulate = true}));
            add("tiles_wide" + kind, both({.m = 24, .n = 264, .k = 72, .bias = true, .alpha = 2}));
            add("tiles_large" + kind, both({.batch_a = {33}, .batch_b = {33}, .m = 136, .n = 136, .k = 72}));
            add("tiles_many" + kind, both({.m = 648, .n = 136, .k = 8, .accumulate = true}));
            add("split" + kind, both({.m = 40, .n = 72, .k = 1112, .bias = true, .activation = relu, .alpha = 0.5f}));
            add("split_batched" + kind,
                both({.batch_a = {3}, .batch_b = {3}, .m = 24, .n = 40, .k = 1032, .accumulate = true}));
            // More tiles than a GPU has multiprocessors: blocks compute several tiles, and the ring of slabs wraps.
            add("many_items" + kind,
                both({.batch_a = {139}, .batch_b = {139}, .m = 8, .n = 16, .k = 328, .bias = true}));
            add("split_odd" + kind, both({.m = 7, .n = 13, .k = 1033, .bias = true, .activation = relu}));
            add("infinities" + kind, both({.m = 19, .n = 37, .k = 3, .bias = true, .fill = Fill::infinities}));
        }
    for (const std::int64_t m : {3, 67, 515})  // NaN passes through ReLU, whatever computes the product
        add("infinities_relu" + std::to_string(m), {.m = m,
                                                    .n = m < 10 ? 7 : 131,
                                                    .k = 5,
                                                    .transpose_b = true,
                                                    .bias = true,
                                                    .activation = relu,
                                                    .fill = Fill::infinities});
    add("factor_bias_relu",
        {.m = 131, .n = 67, .k = 65, .transpose_b = true, .bias = true, .activation = relu, .alpha = -0.5f});
    add("factor_bias_batched",
        {.batch_a = {3}, .batch_b = {3}, .m = 31, .n = 67, .k = 65, .bias = true, .alpha = 3, .accumulate = true});
    add("outliers", {.m = 65, .n = 67, .k = 129, .transpose_b = true, .fill = Fill::outliers});
    add("large", {.m = 33, .n = 35, .k = 129, .fill = Fill::large});
    add("tiny", {.m = 33, .n = 35, .k = 129, .fill = Fill::tiny});
    add("denormal", {.m = 33, .n = 35, .k = 129, .fill = Fill::denormal});
    add("bias_alone", {.m = 5, .n = 37, .k = 0, .bias = true, .activation = relu});
    add("empty_sum", {.m = 5, .n = 37, .k = 0});
    add("empty_sum_accumulate", {.m = 5, .n = 37, .k = 0, .accumulate = true});
    add("no_rows", {.m = 0, .n = 37, .k = 5});
    add("no_columns", {.m = 5, .n = 0, .k = 5});
    add("no_batch", {.batch_a = {0}, .batch_b = {0}, .m = 5, .n = 3, .k = 5});
    add("long_sum", {.m = 3, .n = 5, .k = 20011, .transpose_a = true});

    add("dense784x512", {.m = 128, .n = 512, .k = 784, .transpose_b = true, .bias = true, .activation = relu}, true);
    add("dense784x512_dw", {.m = 512, .n = 784, .k = 128, .transpose_a = true}, true);
    add("dense512x512", {.m = 128, .n = 512, .k = 512, .transpose_b = true, .bias = true, .activation = relu}, true);
    add("dense512x512_dx", {.m = 128, .n = 512, .k = 512}, true);
    add("dense512x512_dw", {.m = 512, .n = 512, .k = 128, .transpose_a = true}, true);
    add("dense512x10", {.m = 128, .n = 10, .k = 512, .transpose_b = true, .bias = true}, true);
    add("square1024", {.m = 1024, .n = 1024, .k = 1024}, true);
    add("attention_scores", {.batch_a = {128}, .batch_b = {128}, .m = 128, .n = 128, .k = 32, .transpose_b = true},
        true);
    return cases;
}

struct GradientSpec {
    Shape shape = {1};
    bool relu = false, masked = false, dbias = true;
    Fill fill = Fill::normal;
};

Case<BiasGradient> gradient(std::string name, const GradientSpec& spec, bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                const std::int64_t n = spec.shape.back();
                problem.reduction(n > 0 ? spec.shape.elements() / n : 1);
                BiasGradient args;
                args.dy = problem.input(spec.shape, spec.fill);
                if (spec.relu) {
                    args.y = problem.input(spec.shape);
                    args.activation = FusedActivation::relu;
                }
                if (spec.masked) args.masked = problem.output(spec.shape);
                if (spec.dbias) args.dbias = problem.output({n});
                return args;
            },
            benchmark};
}

std::vector<Case<BiasGradient>> gradients() {
    std::vector<Case<BiasGradient>> cases;
    for (const bool relu : {false, true})
        for (const bool masked : {false, true}) {
            const std::string kind = std::string(relu ? "_relu" : "") + (masked ? "_masked" : "");
            const auto add = [&](const std::string& name, const Shape& shape, Fill fill = Fill::normal,
                                 bool benchmark = false) {
                cases.push_back(gradient(name + kind, {shape, relu, masked, true, fill}, benchmark));
            };
            add("one", {1});
            add("one_channel", {4099, 1});
            add("channels3", {2, 33, 33, 3});
            add("channels10", {37, 10});
            add("channels67", {5, 131, 67});
            add("channels64", {1031, 64});
            add("channels512", {128, 512});
            add("wide", {3, 2051});
            add("outliers", {1031, 17}, Fill::outliers);
            add("no_rows", {0, 17});
            add("dense128x512", {128, 512}, Fill::normal, true);
            add("image128x32x32x16", {128, 32, 32, 16}, Fill::normal, true);
        }
    cases.push_back(gradient("mask_alone", {{5, 131, 67}, true, true, false}));
    cases.push_back(
        {"mask_in_place", [](Problem& problem) {
             problem.reduction(131);
             const View y = problem.input({131, 35}), dy = problem.inout({131, 35});
             return BiasGradient{
                 .dy = dy, .y = y, .activation = FusedActivation::relu, .masked = dy, .dbias = problem.output({35})};
         }});
    return cases;
}

std::vector<Dim> product_dims() {
    return {{.name = "m"},       {.name = "n"},       {.name = "k"}, {.name = "batch", .fallback = 1},
            flag("transpose_a"), flag("transpose_b"), flag("bias"),  flag("relu")};
}

Case<Matmul> product(const Dims& d) {
    const Shape batch = d.at("batch") > 1 ? Shape{d.at("batch")} : Shape{};
    // Products of normal numbers have heavy tails, which a short sum does not average out: of 300 draws of
    // 128 x 512 x 10 a plain sum in f32 passes the common bound once.
    const double margin = d.at("k") < 32 ? 1.5 : 1;
    return product("", {.batch_a = batch,
                        .batch_b = batch,
                        .m = d.at("m"),
                        .n = d.at("n"),
                        .k = d.at("k"),
                        .transpose_a = d.at("transpose_a") == 1,
                        .transpose_b = d.at("transpose_b") == 1,
                        .bias = d.at("bias") == 1,
                        .activation = d.at("relu") == 1 ? FusedActivation::relu : FusedActivation::none,
                        .margin = margin});
}

/// What the numbers do not say (a factor, accumulation, several batch axes) makes another key.
std::optional<Dims> numbers(const Matmul& a) {
    const int rank = a.c.shape.rank();
    Dims d;
    d.set("m", a.c.shape[rank - 2]);
    d.set("n", a.c.shape[rank - 1]);
    d.set("k", a.a.shape.at(a.transpose_a ? -2 : -1));
    d.set("batch", a.c.shape.elements(0, rank - 2));
    d.set("transpose_a", a.transpose_a);
    d.set("transpose_b", a.transpose_b);
    d.set("bias", a.bias ? 1 : 0);
    d.set("relu", a.activation == FusedActivation::relu);
    return d;
}

}  // namespace

void add_matmul_cases(CaseSets& sets) {
    sets.push_back(make_case_set(matmul(), products(),
                                 {.dims = product_dims(),
                                  .from_dims = [](const Dims& d) { return product(d); },
                                  .to_dims = numbers,
                                  .sample = [](Problem& want, const Matmul& a) { sample(want, a); }}));
    sets.push_back(make_case_set(bias_gradient(), gradients()));
}

}  // namespace heddle::cases
