#include "kernels/elementwise/elementwise.h"

#include <cmath>
#include <limits>

#include "tests/cases/families.h"

namespace heddle::cases {
namespace {

using namespace kernels;

constexpr double infinity = std::numeric_limits<double>::infinity();
const std::vector<double> specials = {0,      -0.0, 1,     -1,    infinity, -infinity, std::nan(""), 0.5,  -0.5,
                                      2,      -2,   1e30,  -1e30, 88,       -88,       100,          -100, 1e-30,
                                      -1e-30, 3e38, -3e38, 10,    -10,      1.5,       -2.5,         7.25, -7.25};

struct NamedUnary {
    const char* name;
    UnaryOp op;
    Fill fill = Fill::normal;
};
const NamedUnary unary_ops[] = {{"negate", UnaryOp::negate},
                                {"abs", UnaryOp::abs},
                                {"sign", UnaryOp::sign},
                                {"square", UnaryOp::square},
                                {"reciprocal", UnaryOp::reciprocal, Fill::positive},
                                {"sqrt", UnaryOp::sqrt, Fill::positive},
                                {"rsqrt", UnaryOp::rsqrt, Fill::positive},
                                {"exp", UnaryOp::exp},
                                {"expm1", UnaryOp::expm1},
                                {"log", UnaryOp::log, Fill::positive},
                                {"log1p", UnaryOp::log1p, Fill::uniform},
                                {"sin", UnaryOp::sin},
                                {"cos", UnaryOp::cos},
                                {"floor", UnaryOp::floor},
                                {"ceil", UnaryOp::ceil},
                                {"round", UnaryOp::round},
                                {"erf", UnaryOp::erf},
                                {"relu", UnaryOp::relu},
                                {"leaky_relu", UnaryOp::leaky_relu},
                                {"elu", UnaryOp::elu},
                                {"selu", UnaryOp::selu},
                                {"sigmoid", UnaryOp::sigmoid},
                                {"tanh", UnaryOp::tanh},
                                {"gelu", UnaryOp::gelu},
                                {"gelu_tanh", UnaryOp::gelu_tanh},
                                {"silu", UnaryOp::silu},
                                {"softplus", UnaryOp::softplus},
                                {"softsign", UnaryOp::softsign}};

// Vector functions are good to 3 units in the last place, and a few roundings follow.
constexpr double vector_tolerance = 2;

Case<Unary> unary_case(const NamedUnary& op, const char* name, Shape shape, Fill fill, bool benchmark = false) {
    return {std::string(op.name) + "_" + name,
            [=](Problem& problem) {
                problem.tolerance(vector_tolerance);
                const View x = problem.input(shape, fill);
                return Unary{.op = op.op, .alpha = 0.25f, .x = x, .y = problem.output(shape)};
            },
            benchmark};
}

Case<Unary> unary_specials(const NamedUnary& op) {
    return {std::string(op.name) + "_specials", [=](Problem& problem) {
                problem.tolerance(vector_tolerance);
                const Shape shape{static_cast<std::int64_t>(specials.size())};
                const View x = problem.values(shape, specials);
                return Unary{.op = op.op, .alpha = 0.25f, .x = x, .y = problem.output(shape)};
            }};
}

Case<Unary> unary_in_place(const NamedUnary& op) {
    return {std::string(op.name) + "_in_place", [=](Problem& problem) {
                problem.tolerance(vector_tolerance);
                const View x = problem.inout({67}, op.fill);
                return Unary{.op = op.op, .alpha = 0.25f, .x = x, .y = x};
            }};
}

Case<UnaryBackward> backward_case(const NamedUnary& op, const char* name, Shape shape, Fill fill,
                                  bool benchmark = false) {
    return {std::string(op.name) + "_" + name,
            [=](Problem& problem) {
                problem.tolerance(vector_tolerance);
                UnaryBackward args{.op = op.op, .alpha = 0.25f, .x = {}, .y = {}, .dy = {}, .dx = {}};
                if (needs(op.op) == DerivativeNeeds::x) args.x = problem.input(shape, fill);
                if (needs(op.op) == DerivativeNeeds::y) args.y = problem.input(shape, fill);
                args.dy = problem.input(shape);
                args.dx = problem.output(shape);
                return args;
            },
            benchmark};
}

Case<UnaryBackward> backward_in_place(const NamedUnary& op) {
    return {std::string(op.name) + "_in_place", [=](Problem& problem) {
                problem.tolerance(vector_tolerance);
                const View s = problem.input({67}, op.fill), dy = problem.inout({67});
                return UnaryBackward{.op = op.op, .alpha = 0.25f, .x = s, .y = s, .dy = dy, .dx = dy};
            }};
}

void add_unary(CaseSets& sets) {
    std::vector<Case<Unary>> forwards;
    std::vector<Case<UnaryBackward>> backwards;
    for (const NamedUnary& op : unary_ops) {
        forwards.push_back(unary_case(op, "one", {1}, op.fill));
        forwards.push_back(unary_case(op, "odd", {7, 31, 5}, op.fill));
        forwards.push_back(unary_specials(op));
        forwards.push_back(unary_in_place(op));
        backwards.push_back(backward_case(op, "odd", {7, 31, 5}, op.fill));
        backwards.push_back(backward_in_place(op));
    }
    for (const bool input : {false, true}) {
        forwards.push_back(
            {input ? "relu_unaligned_input" : "relu_unaligned_output", [=](Problem& problem) {
                 const Shape shape{7, 131}, more = one_more(shape);
                 const View x = problem.input(input ? more : shape), y = problem.output(input ? shape : more);
                 return Unary{
                     .op = UnaryOp::relu, .x = input ? off_by_one(x, shape) : x, .y = input ? y : off_by_one(y, shape)};
             }});
        backwards.push_back({input ? "tanh_unaligned_input" : "tanh_unaligned_output", [=](Problem& problem) {
                                 const Shape shape{7, 131}, more = one_more(shape);
                                 const View y = problem.input(input ? more : shape), dy = problem.input(shape),
                                            dx = problem.output(input ? shape : more);
                                 return UnaryBackward{.op = UnaryOp::tanh,
                                                      .alpha = 0,
                                                      .x = {},
                                                      .y = input ? off_by_one(y, shape) : y,
                                                      .dy = dy,
                                                      .dx = input ? dx : off_by_one(dx, shape)};
                             }});
    }
    for (const UnaryOp op : {UnaryOp::exp, UnaryOp::relu, UnaryOp::sigmoid, UnaryOp::tanh, UnaryOp::gelu,
                             UnaryOp::softplus, UnaryOp::sin, UnaryOp::erf}) {
        const NamedUnary& named = unary_ops[static_cast<std::size_t>(op)];
        forwards.push_back(unary_case(named, "threads", {70001}, Fill::normal));
        forwards.push_back(unary_case(named, "large", {131}, Fill::large));
        forwards.push_back(unary_case(named, "tiny", {131}, Fill::tiny));
        forwards.push_back(unary_case(named, "denormal", {131}, Fill::denormal));
        forwards.push_back(unary_case(named, "outliers", {331}, Fill::outliers));
        forwards.push_back(unary_case(named, "infinities", {67}, Fill::infinities));
        backwards.push_back(backward_case(named, "threads", {70001}, Fill::normal));
        backwards.push_back(backward_case(named, "tiny", {131}, Fill::tiny));
        forwards.push_back(unary_case(named, "128x32x32x32", {128, 32, 32, 32}, Fill::normal, true));
        backwards.push_back(backward_case(named, "128x32x32x32", {128, 32, 32, 32}, Fill::normal, true));
    }
    for (const UnaryOp op : {UnaryOp::negate, UnaryOp::abs, UnaryOp::sign, UnaryOp::square, UnaryOp::relu})
        for (const DType dtype : {DType::i32, DType::i64})
            forwards.push_back(
                {std::string(unary_ops[static_cast<std::size_t>(op)].name) + "_" + std::string(to_string(dtype)),
                 [=](Problem& problem) {
                     const View x = problem.integers({5, 13}, -100, 100, dtype);
                     return Unary{.op = op, .x = x, .y = problem.output({5, 13}, dtype)};
                 }});
    sets.push_back(make_case_set(unary(), std::move(forwards)));
    sets.push_back(make_case_set(unary_backward(), std::move(backwards)));
}

struct NamedBinary {
    const char* name;
    BinaryOp op;
    Fill fill = Fill::normal;
};
const NamedBinary binary_ops[] = {{"add", BinaryOp::add},
                                  {"subtract", BinaryOp::subtract},
                                  {"multiply", BinaryOp::multiply},
                                  {"divide", BinaryOp::divide, Fill::positive},
                                  {"maximum", BinaryOp::maximum},
                                  {"minimum", BinaryOp::minimum},
                                  {"power", BinaryOp::power, Fill::positive},
                                  {"equal", BinaryOp::equal},
                                  {"not_equal", BinaryOp::not_equal},
                                  {"less", BinaryOp::less},
                                  {"less_equal", BinaryOp::less_equal},
                                  {"greater", BinaryOp::greater},
                                  {"greater_equal", BinaryOp::greater_equal},
                                  {"logical_and", BinaryOp::logical_and},
                                  {"logical_or", BinaryOp::logical_or}};

View result(Problem& problem, BinaryOp op, const Shape& shape, DType dtype) {
    return problem.output(shape, gives_boolean(op) ? DType::boolean : dtype);
}

Case<Binary> binary_case(const NamedBinary& op, std::string name, Shape a, Shape b, bool benchmark = false) {
    return {std::string(op.name) + "_" + name,
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
    return {std::string(op.name) + "_specials", [=](Problem& problem) {
                const auto n = static_cast<std::int64_t>(specials.size());
                const View a = problem.values({n, 1}, specials), b = problem.values({n}, specials);
                return Binary{.op = op.op, .a = a, .b = b, .y = result(problem, op.op, {n, n}, problem.dtype())};
            }};
}

Case<Binary> binary_integers(const NamedBinary& op, DType dtype, Shape a, Shape b) {
    return {std::string(op.name) + "_" + std::string(to_string(dtype)) + (a == b ? "" : "_broadcast"),
            [=](Problem& problem) {
                const std::int64_t low = dtype == DType::i32 || dtype == DType::i64 ? -9 : 0,
                                   high = dtype == DType::boolean ? 2 : 10;
                const View left = problem.integers(a, low, high, dtype), right = problem.integers(b, low, high, dtype);
                return Binary{
                    .op = op.op, .a = left, .b = right, .y = result(problem, op.op, broadcast(a, b, "case"), dtype)};
            }};
}

void add_binary(CaseSets& sets) {
    std::vector<Case<Binary>> cases;
    std::vector<Case<ScalarBinary>> scalars;
    for (const NamedBinary& op : binary_ops) {
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
                scalars.push_back({std::string(op.name) + (first ? "_first_" : "_second_") + std::to_string(scalar),
                                   [=](Problem& problem) {
                                       const View x = problem.input({5, 67}, op.fill);
                                       return ScalarBinary{.op = op.op,
                                                           .scalar = scalar,
                                                           .scalar_first = first,
                                                           .x = x,
                                                           .y = result(problem, op.op, {5, 67}, problem.dtype())};
                                   }});
        scalars.push_back({std::string(op.name) + "_i64", [=](Problem& problem) {
                               const View x = problem.integers({67}, -9, 9, DType::i64);
                               return ScalarBinary{.op = op.op,
                                                   .scalar = 3,
                                                   .scalar_first = false,
                                                   .x = x,
                                                   .y = result(problem, op.op, {67}, DType::i64)};
                           }});
    }
    const NamedBinary& add = binary_ops[0];
    const NamedBinary& subtract = binary_ops[1];
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
    const auto scale_add_case = [&](std::string name, Shape shape, float alpha, float beta, bool benchmark = false) {
        sums.push_back({std::move(name),
                        [=](Problem& problem) {
                            const View x = problem.input(shape), y = problem.inout(shape);
                            return ScaleAdd{.alpha = alpha, .beta = beta, .x = x, .y = y};
                        },
                        benchmark});
    };
    scale_add_case("one", {1}, 1, 1);
    scale_add_case("join", {7, 131}, 1, 1);
    scale_add_case("average", {7, 131}, 0.25f, 0.75f);
    scale_add_case("overwrite", {67}, 2, 0);
    scale_add_case("threads", {140003}, 1, 1);
    scale_add_case("join_128x32x32x32", {128, 32, 32, 32}, 1, 1, true);
    sets.push_back(make_case_set(scale_add(), std::move(sums)));
}

void add_select(CaseSets& sets) {
    std::vector<Case<Where>> wheres;
    const auto where_case = [&](std::string name, Shape condition, Shape a, Shape b, DType dtype,
                                bool benchmark = false) {
        wheres.push_back({std::move(name),
                          [=](Problem& problem) {
                              const View c = problem.integers(condition, 0, 2, DType::boolean);
                              const auto operand = [&](const Shape& shape) {
                                  return dtype == DType::f32 ? problem.input(shape)
                                                             : problem.integers(shape, 0, 100, dtype);
                              };
                              const View left = operand(a), right = operand(b);
                              const Shape y = broadcast(condition, broadcast(a, b, "case"), "case");
                              return Where{.condition = c,
                                           .a = left,
                                           .b = right,
                                           .y = dtype == DType::f32 ? problem.output(y) : problem.output(y, dtype)};
                          },
                          benchmark});
    };
    where_case("one", {1}, {1}, {1}, DType::f32);
    where_case("same", {5, 67}, {5, 67}, {5, 67}, DType::f32);
    where_case("scalars", {5, 67}, {}, {1}, DType::f32);
    where_case("mask_row", {67}, {5, 67}, {}, DType::f32);
    where_case("mask_column", {37, 1}, {37, 5}, {5}, DType::f32);
    where_case("scalar_mask", {}, {3, 5}, {3, 5}, DType::f32);
    where_case("threads", {2003, 67}, {67}, {2003, 1}, DType::f32);
    where_case("rows_of_vectors", {16}, {5, 3, 1}, {3, 16}, DType::f32);
    where_case("columns_of_vectors", {5, 3, 1}, {16}, {5, 3, 16}, DType::f32);
    for (const DType dtype : {DType::u8, DType::i32, DType::i64, DType::boolean})
        where_case(std::string("same_") + std::string(to_string(dtype)), {67}, {67}, {67}, dtype);
    where_case("128x32x32x32", {128, 32, 32, 32}, {128, 32, 32, 32}, {}, DType::f32, true);
    sets.push_back(make_case_set(where(), std::move(wheres)));

    std::vector<Case<Cast>> casts;
    const DType all[] = {DType::f32, DType::f16, DType::bf16, DType::f64,
                         DType::i32, DType::i64, DType::u8,   DType::boolean};
    for (const DType from : all)
        for (const DType to : all)
            casts.push_back({std::string(to_string(from)) + "_to_" + std::string(to_string(to)), [=](Problem& problem) {
                                 const View x = problem.integers({5, 67}, 0, from == DType::boolean ? 2 : 200, from);
                                 return Cast{.x = x, .y = problem.output({5, 67}, to)};
                             }});
    const std::vector<double> halves = {0,      -0.0,    1,       -1,       65504,     65519,        65520,
                                        -65520, 1e30,    6e-8,    2.9e-8,   3.1e-8,    5.96e-8,      6.1e-5,
                                        6.0e-5, 1.00049, 1.00146, infinity, -infinity, std::nan(""), 3.3e38,
                                        1e-7,   -3e-5,   2049,    2051,     0.1,       1.00390625};
    for (const DType half : {DType::f16, DType::bf16}) {
        casts.push_back({std::string("rounding_to_") + std::string(to_string(half)), [=](Problem& problem) {
                             const Shape shape{static_cast<std::int64_t>(halves.size())};
                             const View x = problem.values(shape, halves, DType::f32);
                             return Cast{.x = x, .y = problem.output(shape, half)};
                         }});
        casts.push_back({std::string("widening_") + std::string(to_string(half)), [=](Problem& problem) {
                             const Shape shape{static_cast<std::int64_t>(halves.size())};
                             const View x = problem.values(shape, halves, half);
                             return Cast{.x = x, .y = problem.output(shape, DType::f32)};
                         }});
        casts.push_back({std::string("4M_to_") + std::string(to_string(half)),
                         [=](Problem& problem) {
                             const View x = problem.values({4096, 1024}, {0.5, -1.25, 3}, DType::f32);
                             return Cast{.x = x, .y = problem.output({4096, 1024}, half)};
                         },
                         true});
    }
    casts.push_back({"threads", [](Problem& problem) {
                         const View x = problem.integers({140003}, 0, 256, DType::u8);
                         return Cast{.x = x, .y = problem.output({140003}, DType::f32)};
                     }});
    casts.push_back({"unaligned", [](Problem& problem) {
                         const Shape shape{331};
                         const View x = problem.values(one_more(shape), {0.5, -1.25, 3, 7, -2, 0.125, 9}, DType::f32);
                         return Cast{.x = off_by_one(x, shape), .y = problem.output(shape, DType::i32)};
                     }});
    sets.push_back(make_case_set(cast(), std::move(casts)));

    std::vector<Case<kernels::Fill>> fills;
    for (const DType dtype : all)
        fills.push_back({std::string("odd_") + std::string(to_string(dtype)), [=](Problem& problem) {
                             return kernels::Fill{.value = 3, .y = problem.output({7, 31}, dtype)};
                         }});
    fills.push_back(
        {"threads", [](Problem& problem) { return kernels::Fill{.value = -0.5, .y = problem.output({140003})}; }});
    fills.push_back({"several_rounds", [](Problem& problem) {
                         return kernels::Fill{.value = 1,
                                              .y = problem.output({5000011}, DType::u8)};  // vectors of 8 bytes
                     }});
    fills.push_back({"several_rounds_unaligned", [](Problem& problem) {
                         const Shape shape{600011};
                         return kernels::Fill{.value = 3,
                                              .y = off_by_one(problem.output(one_more(shape), DType::u8), shape)};
                     }});
    fills.push_back({"128x32x32x32",
                     [](Problem& problem) {
                         return kernels::Fill{.value = 0, .y = problem.output({128, 32, 32, 32})};
                     },
                     true});
    sets.push_back(make_case_set(kernels::fill(), std::move(fills)));

    std::vector<Case<Clip>> clips;
    std::vector<Case<ClipBackward>> clips_back;
    for (const Fill values : {Fill::normal, Fill::large, Fill::infinities}) {
        const std::string name = values == Fill::normal ? "odd" : (values == Fill::large ? "large" : "infinities");
        clips.push_back({name, [=](Problem& problem) {
                             const View x = problem.input({7, 31}, values);
                             return Clip{.low = -0.5, .high = 0.75, .x = x, .y = problem.output({7, 31})};
                         }});
        clips_back.push_back(
            {name, [=](Problem& problem) {
                 const View x = problem.input({7, 31}, values), dy = problem.input({7, 31});
                 return ClipBackward{.low = -0.5, .high = 0.75, .x = x, .dy = dy, .dx = problem.output({7, 31})};
             }});
    }
    clips.push_back({"specials", [](Problem& problem) {
                         const Shape shape{static_cast<std::int64_t>(specials.size())};
                         const View x = problem.values(shape, specials);
                         return Clip{.low = -1, .high = 1, .x = x, .y = problem.output(shape)};
                     }});
    const Shape large{128, 32, 32, 32};
    clips.push_back({"128x32x32x32",
                     [=](Problem& problem) {
                         const View x = problem.input(large);
                         return Clip{.low = -0.5, .high = 0.75, .x = x, .y = problem.output(large)};
                     },
                     true});
    clips_back.push_back({"128x32x32x32",
                          [=](Problem& problem) {
                              const View x = problem.input(large), dy = problem.input(large);
                              return ClipBackward{
                                  .low = -0.5, .high = 0.75, .x = x, .dy = dy, .dx = problem.output(large)};
                          },
                          true});
    sets.push_back(make_case_set(clip(), std::move(clips)));
    sets.push_back(make_case_set(clip_backward(), std::move(clips_back)));
}

}  // namespace

void add_elementwise_cases(CaseSets& sets) {
    add_unary(sets);
    add_binary(sets);
    add_select(sets);
}

}  // namespace heddle::cases
