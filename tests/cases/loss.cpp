#include "kernels/loss/loss.h"

#include "tests/cases/families.h"

namespace heddle::cases {
namespace {

using namespace kernels;

enum class Labels { i32, i64, u8, dense };

struct Entropy {
    std::int64_t rows, classes;
    Labels labels = Labels::i32;
    Fill fill = Fill::normal;
    float smoothing = 0;
    std::int64_t ignored = no_ignored_label;
    bool one_dloss = false;
    bool benchmark = false;
    bool unaligned = false;   ///< the logits begin at an address unsuitable for vectors
    std::int64_t beyond = 0;  ///< labels (i32 or i64) are drawn from so many more numbers on either side
};

View logits_of(Problem& problem, const Entropy& o) {
    return placed(o.unaligned, {o.rows, o.classes}, [&](const Shape& shape) { return problem.input(shape, o.fill); });
}

View labels_of(Problem& problem, const Entropy& o) {
    switch (o.labels) {
        case Labels::i32:
            return problem.integers({o.rows}, -o.beyond, o.classes + o.beyond, DType::i32);
        case Labels::i64:
            return problem.integers({o.rows}, -o.beyond, o.classes + o.beyond, DType::i64);
        case Labels::u8:
            return problem.integers({o.rows}, 0, o.classes, DType::u8);
        case Labels::dense:
            break;
    }
    return problem.input({o.rows, o.classes}, Fill::uniform);
}

Case<CrossEntropyForward> forward(std::string name, const Entropy& o) {
    return {std::move(name),
            [=](Problem& problem) {
                problem.reduction(o.classes);
                problem.tolerance(2);  // the exponential, and a difference of two logits
                CrossEntropyForward args;
                args.logits = logits_of(problem, o);
                args.labels = labels_of(problem, o);
                args.label_smoothing = o.smoothing;
                args.ignore_index = o.ignored;
                args.loss = problem.output({o.rows}, problem.wide());
                args.log_sum = problem.output({o.rows}, problem.wide());
                return args;
            },
            o.benchmark};
}

/// `log_sum` only has to be close to the true one: the step is defined for any value.
Case<CrossEntropyBackward> backward(std::string name, const Entropy& o) {
    return {std::move(name),
            [=](Problem& problem) {
                problem.reduction(o.classes);
                problem.tolerance(2);
                CrossEntropyBackward args;
                args.logits = logits_of(problem, o);
                args.labels = labels_of(problem, o);
                args.label_smoothing = o.smoothing;
                args.ignore_index = o.ignored;
                args.log_sum = problem.input({o.rows}, Fill::positive, problem.wide());
                args.dloss = problem.input({o.one_dloss ? 1 : o.rows}, Fill::normal, problem.wide());
                args.scale = 1.0f / static_cast<float>(o.rows);
                args.dlogits = problem.output({o.rows, o.classes});
                return args;
            },
            o.benchmark};
}

/// Hand-picked logits (and their saved sums) with labels 0, 1, 2, 0, ...
struct Rows {
    std::string name;
    std::vector<double> logits;
    std::vector<double> log_sums;
};

std::vector<Rows> special_rows() {
    const double inf = std::numeric_limits<double>::infinity();
    return {{"all_equal", {7, 7, 7, 0, 0, 0, -3, -3, -3}, {1.0986123, 1.0986123, 1.0986123}},
            {"ten_thousand", {1e4, 9999, 1e4, -1e4, 1e4, 0, 1e4, 1e4, -1e4}, {0.8619948, 0, 0.6931472}},
            {"minus_infinity", {1, -inf, 2, -inf, 3, 4, 5, 6, -inf}, {0.3132617, 0.3132617, 0.3132617}},
            {"impossible_label", {-inf, 1, 2, 3, -inf, 4, 5, 6, -inf}, {0.3132617, 0.3132617, 0.3132617}},
            {"certain", {200, 0, 0, 0, 200, 0, 0, 0, 200}, {0, 0, 0}}};
}

std::vector<Case<CrossEntropyForward>> special_forwards() {
    std::vector<Case<CrossEntropyForward>> cases;
    for (const Rows& rows : special_rows())
        cases.push_back({rows.name, [=](Problem& problem) {
                             CrossEntropyForward args;
                             args.logits = problem.values({3, 3}, rows.logits);
                             args.labels = problem.values({3}, {0, 1, 2}, DType::i32);
                             args.loss = problem.output({3}, problem.wide());
                             args.log_sum = problem.output({3}, problem.wide());
                             return args;
                         }});
    cases.push_back({"dense_zero_at_minus_infinity", [](Problem& problem) {
                         const double inf = std::numeric_limits<double>::infinity();
                         CrossEntropyForward args;
                         args.logits = problem.values({2, 3}, {1, -inf, 2, -inf, 3, 4});
                         args.labels = problem.values({2, 3}, {0.5, 0, 0.5, 0, 1, 0});
                         args.loss = problem.output({2}, problem.wide());
                         args.log_sum = problem.output({2}, problem.wide());
                         return args;
                     }});
    return cases;
}

std::vector<Case<CrossEntropyBackward>> special_backwards() {
    std::vector<Case<CrossEntropyBackward>> cases;
    for (const Rows& rows : special_rows())
        cases.push_back({rows.name, [=](Problem& problem) {
                             CrossEntropyBackward args;
                             args.logits = problem.values({3, 3}, rows.logits);
                             args.labels = problem.values({3}, {0, 1, 2}, DType::i32);
                             args.log_sum = problem.values({3}, rows.log_sums, problem.wide());
                             args.dloss = problem.values({1}, {1}, problem.wide());
                             args.dlogits = problem.output({3, 3});
                             return args;
                         }});
    return cases;
}

Case<LabelRange> range(std::string name, DType dtype, const Shape& shape, const std::vector<double>& labels,
                       std::int64_t classes, std::int64_t ignored = no_ignored_label) {
    return {std::move(name), [=](Problem& problem) {
                return LabelRange{.labels = problem.values(shape, labels, dtype),
                                  .classes = classes,
                                  .ignore_index = ignored,
                                  .result = problem.output({1}, DType::i64)};
            }};
}

/// `rows` good labels but for one bad at `bad`.
Case<LabelRange> one_bad(std::string name, DType dtype, std::int64_t rows, std::int64_t bad, double label) {
    std::vector<double> labels(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<double>(i % 10);
    labels[static_cast<std::size_t>(bad)] = label;
    return range(std::move(name), dtype, {rows}, labels, 10);
}

struct Kind {
    PointLoss kind;
    const char* name;
};
constexpr Kind kinds[] = {{PointLoss::mse, "mse"},
                          {PointLoss::mae, "mae"},
                          {PointLoss::huber, "huber"},
                          {PointLoss::bce_with_logits, "bce_with_logits"},
                          {PointLoss::bce, "bce"}};

bool is_binary(PointLoss kind) { return kind == PointLoss::bce || kind == PointLoss::bce_with_logits; }

struct Points {
    View prediction, target;
};

/// Probabilities for `bce`, targets in [0, 1] for both binary losses.
Points points(Problem& problem, PointLoss kind, const Shape& shape, Fill fill) {
    problem.tolerance(kind == PointLoss::bce ? 4 : 2);  // logarithms; 1 / (p (1 - p))
    const Fill unit = Fill::uniform;
    const View prediction = problem.input(shape, kind == PointLoss::bce ? unit : fill);
    return {prediction, problem.input(shape, is_binary(kind) ? unit : fill)};
}

Case<PointLossForward> point(std::string name, const Kind& kind, const Shape& shape, Fill fill = Fill::normal,
                             float delta = 1, bool benchmark = false) {
    return {std::string(kind.name) + "_" + name,
            [=](Problem& problem) {
                const auto [prediction, target] = points(problem, kind.kind, shape, fill);
                return PointLossForward{kind.kind, delta, prediction, target, problem.output(shape, problem.wide())};
            },
            benchmark};
}

Case<PointLossBackward> point_back(std::string name, const Kind& kind, const Shape& shape, bool one_dloss,
                                   Fill fill = Fill::normal, float delta = 1, bool benchmark = false) {
    return {std::string(kind.name) + "_" + name,
            [=](Problem& problem) {
                const auto [prediction, target] = points(problem, kind.kind, shape, fill);
                const View dloss = problem.input(one_dloss ? Shape{1} : shape, Fill::normal, problem.wide());
                return PointLossBackward{kind.kind, delta, prediction, target, dloss, 0.37f, problem.output(shape)};
            },
            benchmark};
}

/// Predictions where formulas change: ties, the ends of [0, 1], sigmoids that saturate, the corner of huber.
std::vector<double> corners(PointLoss kind) {
    if (kind == PointLoss::bce) return {0, 1, 1e-7, 0.5, 1e-3, 0.9999999, 1e-8, 0.75};
    if (kind == PointLoss::bce_with_logits) return {0, 100, -100, 1e4, -1e4, 15, -15, 1e-6};
    return {0, 1, -1, 1.5, 0.5, 1e18, -1e18, 3};
}

std::vector<double> corner_targets(PointLoss kind) {
    if (is_binary(kind)) return {0, 1, 0, 0.5, 1, 1, 0, 0.25};
    return {0, 0, 0, 0.5, 1.5, 0, 0, 3};
}

}  // namespace

void add_loss_cases(CaseSets& sets) {
    const std::vector<std::pair<std::string, Entropy>> entropies = {
        {"one", {1, 1}},
        {"one_row", {1, 31}},
        {"classes10", {37, 10, Labels::i64}},
        {"bytes", {129, 10, Labels::u8}},
        {"two_classes_smoothed", {5, 2, Labels::i32, Fill::normal, 0.1f}},
        {"tail_smoothed", {11, 67, Labels::i64, Fill::normal, 0.1f}},
        {"wholly_smoothed", {11, 67, Labels::i64, Fill::normal, 1}},
        {"ignored", {23, 7, Labels::i32, Fill::normal, 0.1f, 3}},
        {"dense", {13, 37, Labels::dense}},
        {"dense_smoothed", {13, 37, Labels::dense, Fill::normal, 0.2f}},
        {"classes301", {7, 301, Labels::i64, Fill::normal, 0.1f}},
        {"dense301", {3, 301, Labels::dense, Fill::normal, 0.1f}},
        {"long_row", {3, 5003}},
        {"long_row_smoothed", {3, 1031, Labels::i64, Fill::normal, 0.1f}},
        {"long_row_dense", {3, 1031, Labels::dense, Fill::normal, 0.1f}},
        {"long_row_ignored", {17, 1031, Labels::u8, Fill::normal, 0, 46}},
        {"vectors", {77, 8, Labels::i64, Fill::normal, 0.1f}},
        {"vectors_dense", {37, 64, Labels::dense, Fill::normal, 0.1f}},
        {"vectors_ignored", {9, 512, Labels::i64, Fill::normal, 0.1f, 300}},
        {"vectors1024", {3, 1024, Labels::u8}},
        {"many_rows", {1100, 10, Labels::i64, Fill::normal, 0.1f}},
        {"many_rows_dense", {1100, 10, Labels::dense}},
        {"classes255", {19, 255}},
        {"classes257", {3, 257, Labels::i64, Fill::normal, 0.1f}},
        {"long_row_of_vectors", {2, 8208, Labels::i64, Fill::normal, 0.1f}},
        {"longest_row", {2, 50257}},
        {"outside", {.rows = 67, .classes = 5, .ignored = -2, .beyond = 2}},
        {"outside_smoothed", {.rows = 67, .classes = 8, .labels = Labels::i64, .smoothing = 0.1f, .beyond = 3}},
        {"outside_of_long_rows", {.rows = 9, .classes = 1031, .labels = Labels::i64, .beyond = 1000}},
        {"unaligned", {.rows = 37, .classes = 64, .smoothing = 0.1f, .unaligned = true}},
        {"unaligned_dense", {.rows = 37, .classes = 64, .labels = Labels::dense, .unaligned = true}},
        {"unaligned_long", {.rows = 3, .classes = 1032, .smoothing = 0.1f, .unaligned = true}},
        {"unaligned_long_dense", {.rows = 3, .classes = 1032, .labels = Labels::dense, .unaligned = true}},
        {"large", {7, 33, Labels::i32, Fill::large}},
        {"tiny", {7, 33, Labels::i32, Fill::tiny}},
        {"denormal", {7, 33, Labels::i32, Fill::denormal}},
        {"zeros", {7, 33, Labels::i32, Fill::zeros}},
        {"outliers", {7, 131, Labels::i32, Fill::outliers}},
        {"one_dloss", {37, 10, Labels::i32, Fill::normal, 0, no_ignored_label, true}},
        {"batch128x10", {128, 10, Labels::i32, Fill::normal, 0, no_ignored_label, true, true}},
        {"batch128x1000", {128, 1000, Labels::i32, Fill::normal, 0.1f, no_ignored_label, true, true}},
        {"tokens512x8192", {512, 8192, Labels::i32, Fill::normal, 0, no_ignored_label, true, true}}};
    std::vector<Case<CrossEntropyForward>> forwards = special_forwards();
    std::vector<Case<CrossEntropyBackward>> backwards = special_backwards();
    for (const auto& [name, options] : entropies) {
        forwards.push_back(forward(name, options));
        backwards.push_back(backward(name, options));
    }
    sets.push_back(make_case_set(cross_entropy_forward(), std::move(forwards)));
    sets.push_back(make_case_set(cross_entropy_backward(), std::move(backwards)));

    Case<LabelRange> tokens = one_bad("tokens65536", DType::i64, 65536, 65535, 10);
    tokens.benchmark = true;
    sets.push_back(make_case_set(
        label_range(),
        {range("good", DType::i32, {7}, {0, 9, 3}, 10), range("empty", DType::i64, {0}, {0}, 10),
         range("first", DType::i64, {5}, {10, 3, 11}, 10), range("negative", DType::i32, {5}, {0, 1, 2, -1, 4}, 10),
         range("ignored", DType::i32, {6}, {0, -1, 2, -1, 4, 12}, 10, -1),
         range("bytes", DType::u8, {6}, {0, 9, 255, 10}, 10), one_bad("last", DType::i64, 5000, 4999, 10),
         one_bad("second_block", DType::i32, 9001, 4096, -7), one_bad("end_of_block", DType::u8, 9001, 4095, 200),
         tokens}));

    std::vector<Case<PointLossForward>> points_forward;
    std::vector<Case<PointLossBackward>> points_backward;
    for (const Kind& kind : kinds) {
        points_forward.push_back(point("one", kind, {1}));
        points_forward.push_back(point("tail", kind, {7, 131}));
        points_forward.push_back(point("parallel", kind, {100003}));
        points_forward.push_back(point("outliers_delta", kind, {977}, Fill::outliers, 2.5f));
        points_forward.push_back(point("tiny", kind, {67}, Fill::tiny));
        points_forward.push_back(point("batch128x3072", kind, {128, 3072}, Fill::normal, 1, true));
        points_backward.push_back(point_back("one", kind, {1}, false));
        points_backward.push_back(point_back("tail", kind, {7, 131}, false));
        points_backward.push_back(point_back("tail_one_dloss", kind, {7, 131}, true));
        points_backward.push_back(point_back("parallel", kind, {100003}, false));
        points_backward.push_back(point_back("outliers_delta", kind, {977}, true, Fill::outliers, 2.5f));
        points_backward.push_back(point_back("batch128x3072", kind, {128, 3072}, true, Fill::normal, 1, true));
        const PointLoss k = kind.kind;
        points_forward.push_back(
            {std::string(kind.name) + "_corners", [k](Problem& problem) {
                 const View prediction = problem.values({8}, corners(k));
                 const View target = problem.values({8}, corner_targets(k));
                 return PointLossForward{k, 1, prediction, target, problem.output({8}, problem.wide())};
             }});
        points_backward.push_back({std::string(kind.name) + "_corners", [k](Problem& problem) {
                                       const View prediction = problem.values({8}, corners(k));
                                       const View target = problem.values({8}, corner_targets(k));
                                       const View dloss = problem.values({1}, {1}, problem.wide());
                                       return PointLossBackward{k,     1, prediction,         target,
                                                                dloss, 1, problem.output({8})};
                                   }});
    }
    sets.push_back(make_case_set(point_loss_forward(), std::move(points_forward)));
    sets.push_back(make_case_set(point_loss_backward(), std::move(points_backward)));
}

}  // namespace heddle::cases
