#include "kernels/elementwise/elementwise.h"

#include "ops/elementwise.h"
#include "tests/cases/families.h"
#include "tests/cases/specials.h"

namespace heddle::cases {
namespace {

using namespace kernels;

struct NamedUnary {
    std::string name;
    UnaryOp op;
    Fill fill;
};

/// Inputs that the operation is defined for.
Fill fill_of(UnaryOp op) {
    switch (op) {
        case UnaryOp::reciprocal:
        case UnaryOp::sqrt:
        case UnaryOp::rsqrt:
        case UnaryOp::log:
            return Fill::positive;
        case UnaryOp::log1p:
            return Fill::uniform;
        default:
            return Fill::normal;
    }
}

NamedUnary named(UnaryOp op) { return {ops::unary_op_names()[static_cast<std::size_t>(op)], op, fill_of(op)}; }

// Vector functions are good to 3 units in the last place, and a few roundings follow.
constexpr double vector_tolerance = 2;

Case<Unary> unary_case(const NamedUnary& op, const char* name, Shape shape, Fill fill, bool benchmark = false) {
    return {op.name + "_" + name,
            [=](Problem& problem) {
                problem.tolerance(vector_tolerance);
                const View x = problem.input(shape, fill);
                return Unary{.op = op.op, .alpha = 0.25f, .x = x, .y = problem.output(shape)};
            },
            benchmark};
}

Case<Unary> unary_specials(const NamedUnary& op) {
    return {op.name + "_specials", [=](Problem& problem) {
                problem.tolerance(vector_tolerance);
                const Shape shape{static_cast<std::int64_t>(specials.size())};
                const View x = problem.values(shape, specials);
                return Unary{.op = op.op, .alpha = 0.25f, .x = x, .y = problem.output(shape)};
            }};
}

Case<Unary> unary_in_place(const NamedUnary& op) {
    return {op.name + "_in_place", [=](Problem& problem) {
                problem.tolerance(vector_tolerance);
                const View x = problem.inout({67}, op.fill);
                return Unary{.op = op.op, .alpha = 0.25f, .x = x, .y = x};
            }};
}

Case<UnaryBackward> backward_case(const NamedUnary& op, const char* name, Shape shape, Fill fill,
                                  bool benchmark = false) {
    return {op.name + "_" + name,
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
    return {op.name + "_in_place", [=](Problem& problem) {
                problem.tolerance(vector_tolerance);
                const View s = problem.input({67}, op.fill), dy = problem.inout({67});
                return UnaryBackward{.op = op.op, .alpha = 0.25f, .x = s, .y = s, .dy = dy, .dx = dy};
            }};
}

}  // namespace

void add_unary_cases(CaseSets& sets) {
    std::vector<Case<Unary>> forwards;
    std::vector<Case<UnaryBackward>> backwards;
    for (std::size_t i = 0; i < ops::unary_op_names().size(); ++i) {
        const NamedUnary op = named(static_cast<UnaryOp>(i));
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
        const NamedUnary its = named(op);
        forwards.push_back(unary_case(its, "threads", {70001}, Fill::normal));
        forwards.push_back(unary_case(its, "large", {131}, Fill::large));
        forwards.push_back(unary_case(its, "tiny", {131}, Fill::tiny));
        forwards.push_back(unary_case(its, "denormal", {131}, Fill::denormal));
        forwards.push_back(unary_case(its, "outliers", {331}, Fill::outliers));
        forwards.push_back(unary_case(its, "infinities", {67}, Fill::infinities));
        backwards.push_back(backward_case(its, "threads", {70001}, Fill::normal));
        backwards.push_back(backward_case(its, "tiny", {131}, Fill::tiny));
        forwards.push_back(unary_case(its, "128x32x32x32", {128, 32, 32, 32}, Fill::normal, true));
        backwards.push_back(backward_case(its, "128x32x32x32", {128, 32, 32, 32}, Fill::normal, true));
    }
    for (const UnaryOp op : {UnaryOp::negate, UnaryOp::abs, UnaryOp::sign, UnaryOp::square, UnaryOp::relu})
        for (const DType dtype : {DType::i32, DType::i64})
            forwards.push_back({named(op).name + "_" + std::string(to_string(dtype)), [=](Problem& problem) {
                                    const View x = problem.integers({5, 13}, -100, 100, dtype);
                                    return Unary{.op = op, .x = x, .y = problem.output({5, 13}, dtype)};
                                }});
    sets.push_back(make_case_set(unary(), std::move(forwards)));
    sets.push_back(make_case_set(unary_backward(), std::move(backwards)));
}

}  // namespace heddle::cases
