#include "kernels/elementwise/elementwise.h"

#include "ops/elementwise.h"
#include "tests/cases/families.h"
#include "tests/cases/specials.h"

namespace heddle::cases {
namespace {

using namespace kernels;

struct NamedBinary {
    std::string name;
    BinaryOp op;
    Fill fill;
};

NamedBinary named(BinaryOp op) {
    const bool positive = op == BinaryOp::divide || op == BinaryOp::power;
    return {ops::binary_op_names()[static_cast<std::size_t>(op)], op, positive ? Fill::positive : Fill::normal};
}

View result(Problem& problem, BinaryOp op, const Shape& shape, DType dtype) {
    return problem.output(shape, gives_boolean(op) ? DType::boolean : dtype);
}

Case<Binary> binary_case(const NamedBinary& op, std::string name, Shape a, Shape b, bool benchmark = false) {
    return {op.name + "_" + name,
            [=](Problem& problem) {
                const View left = problem.input(a, op.fill), right = problem.input(b, op.fill);
                return Binary{.op = op.op,
                              .a = left,
                              .b = right,
                              .y = result(problem, op.op, broadcast(a, b, "case"), problem.dtype())};
            },
            benchmark};
}

/// Every special value against every other.
Case<Binary> binary_specials(const NamedBinary& op) {
    return {op.name + "_specials", [=](Problem& problem) {
                const auto n = static_cast<std::int64_t>(specials.size());
                const View a = problem.values({n, 1}, specials), b = problem.values({n}, specials);
                return Binary{.op = op.op, .a = a, .b = b, .y = result(problem, op.op, {n, n}, problem.dtype())};
            }};
}

Case<Binary> binary_integers(const NamedBinary& op, DType dtype, Shape a, Shape b) {
    return {op.name + "_" + std::string(to_string(dtype)) + (a == b ? "" : "_broadcast"), [=](Problem& problem) {
                const std::int64_t low = dtype == DType::i32 || dtype == DType::i64 ? -9 : 0,
                                   high = dtype == DType::boolean ? 2 : 10;
                const View left = problem.integers(a, low, high, dtype), right = problem.integers(b, low, high, dtype);
                return Binary{
                    .op = op.op, .a = left, .b = right, .y = result(problem, op.op, broadcast(a, b, "case"), dtype)};
            }};
}

}  // namespace

void add_binary_cases(CaseSets& sets) {
    std::vector<Case<Binary>> cases;
    std::vector<Case<ScalarBinary>> scalars;
    for (std::size_t i = 0; i < ops::binary_op_names().size(); ++i) {
        const NamedBinary op = named(static_cast<BinaryOp>(i));
        cases.push_back(binary_case(op, "one", {1}, {1}));
        cases.push_back(binary_case(op, "same", {5, 7, 11}, {5, 7, 11}));
        cases.push_back(binary_case(op, "scalar_second", {5, 67}, {}));
        cases.push_back(binary_case(op, "scalar_first", {1, 1}, {5, 67}));
        cases.push_back(binary_case(op, "row", {5, 67}, {67}));
        cases.push_back(binary_specials(op));
        if (op.op != BinaryOp::maximum && op.op != BinaryOp::minimum && !gives_boolean(op.op))
            cases.push_back(binary_integers(op, DType::u8, {67}, {67}));
        for (const DType dtype : {DType::i32, DType::i64, DType::boolean}) {
            if (dtype == DType::boolean && !gives_boolean(op.op)) continue;
            cases.push_back(binary_integers(op, dtype, {5, 13}, {5, 13}));
            cases.push_back(binary_integers(op, dtype, {5, 13}, {5, 1}));
        }
        for (const bool first : {false, true})
            for (const double scalar : {2.0, 0.75, -3.0})
                scalars.push_back(
                    {op.name + (first ? "_first_" : "_second_") + std::to_string(scalar), [=](Problem& problem) {
                         const View x = problem.input({5, 67}, op.fill);
                         return ScalarBinary{.op = op.op,
                                             .scalar = scalar,
                                             .scalar_first = first,
                                             .x = x,
                                             .y = result(problem, op.op, {5, 67}, problem.dtype())};
                     }});
        scalars.push_back({op.name + "_i64", [=](Problem& problem) {
                               const View x = problem.integers({67}, -9, 9, DType::i64);
                               return ScalarBinary{.op = op.op,
                                                   .scalar = 3,
                                                   .scalar_first = false,
                                                   .x = x,
                                                   .y = result(problem, op.op, {67}, DType::i64)};
                           }});
    }
    const NamedBinary add = named(BinaryOp::add);
    const NamedBinary subtract = named(BinaryOp::subtract);
    cases.push_back(binary_case(subtract, "column", {37, 5}, {37, 1}));
    cases.push_back(binary_case(subtract, "outer", {1, 41}, {29, 1}));
    cases.push_back(binary_case(subtract, "middle", {3, 5, 7}, {3, 1, 7}));
    cases.push_back(binary_case(subtract, "both_middle", {2, 1, 7, 1}, {1, 5, 1, 3}));
    cases.push_back(binary_case(subtract, "missing_axes", {3}, {5, 2, 4, 3}));
    cases.push_back(binary_case(subtract, "first_axis", {1, 13, 3}, {11, 13, 3}));
    cases.push_back(binary_case(subtract, "rank8", {2, 1, 2, 1, 2, 1, 2, 1}, {1, 3, 1, 2, 1, 2, 1, 3}));
    cases.push_back(binary_case(subtract, "empty", {0, 3}, {3}));
    cases.push_back(binary_case(subtract, "threads", {3, 70001}, {3, 70001}));
    cases.push_back(binary_case(subtract, "threads_row", {2003, 67}, {67}));
    cases.push_back(binary_case(subtract, "threads_column", {2003, 67}, {2003, 1}));
    cases.push_back(binary_case(subtract, "row_of_vectors", {13, 64}, {64}));
    cases.push_back(binary_case(subtract, "column_of_vectors", {13, 1}, {13, 64}));
    cases.push_back(binary_case(subtract, "middle_of_vectors", {3, 1, 16}, {3, 5, 16}));
    cases.push_back(binary_case(subtract, "outer_of_vectors", {11, 1}, {1, 64}));
    for (const int operand : {0, 1, 2})
        cases.push_back({"subtract_unaligned_" + std::to_string(operand), [=](Problem& problem) {
                             const Shape shape{13, 64}, row{64}, more = one_more(shape);
                             const View a = problem.input(operand == 0 ? more : shape),
                                        b = problem.input(operand == 1 ? one_more(row) : row),
                                        y = problem.output(operand == 2 ? more : shape);
                             return Binary{.op = BinaryOp::subtract,
                                           .a = operand == 0 ? off_by_one(a, shape) : a,
                                           .b = operand == 1 ? off_by_one(b, row) : b,
                                           .y = operand == 2 ? off_by_one(y, shape) : y};
                         }});
    cases.push_back({"add_in_place", [](Problem& problem) {
                         const View b = problem.input({5, 67}), a = problem.inout({5, 67});
                         return Binary{.op = BinaryOp::add, .a = a, .b = b, .y = a};
                     }});
    cases.push_back(binary_case(add, "128x32x32x32", {128, 32, 32, 32}, {128, 32, 32, 32}, true));
    cases.push_back(binary_case(add, "bias_128x32x32x32", {128, 32, 32, 32}, {32}, true));
    cases.push_back(binary_case(add, "bias_65536x10", {65536, 10}, {10}, true));
    cases.push_back(binary_case(add, "column_4096x1024", {4096, 1024}, {4096, 1}, true));
    sets.push_back(make_case_set(binary(), std::move(cases)));
    scalars.push_back({"multiply_128x32x32x32",
                       [](Problem& problem) {
                           const View x = problem.input({128, 32, 32, 32});
                           return ScalarBinary{.op = BinaryOp::multiply,
                                               .scalar = 0.75,
                                               .scalar_first = false,
                                               .x = x,
                                               .y = problem.output({128, 32, 32, 32})};
                       },
                       true});
    sets.push_back(make_case_set(scalar_binary(), std::move(scalars)));

    std::vector<Case<ScaleAdd>> sums;
    const auto scale_add_case = [&](std::string name, Shape shape, float alpha, float beta, bool benchmark = false,
                                    bool wide = false) {
        sums.push_back({std::move(name),
                        [=](Problem& problem) {
                            const View x = problem.input(shape);
                            const View y = wide ? problem.inout(shape, Fill::normal, DType::f64) : problem.inout(shape);
                            return ScaleAdd{.alpha = alpha, .beta = beta, .x = x, .y = y};
                        },
                        benchmark});
    };
    scale_add_case("one", {1}, 1, 1);
    scale_add_case("join", {7, 131}, 1, 1);
    scale_add_case("average", {7, 131}, 0.25f, 0.75f);
    scale_add_case("overwrite", {67}, 2, 0);
    scale_add_case("threads", {140003}, 1, 1);
    scale_add_case("one_to_f64", {1}, 128, 1, false, true);
    scale_add_case("to_f64", {7, 131}, 0.25f, 1, false, true);
    scale_add_case("overwrite_f64", {67}, 2, 0, false, true);
    scale_add_case("join_128x32x32x32", {128, 32, 32, 32}, 1, 1, true);
    sets.push_back(make_case_set(scale_add(), std::move(sums)));
}

}  // namespace heddle::cases
