#include "kernels/softmax/softmax.h"

#include "tests/cases/families.h"

namespace heddle::cases {
namespace {

using namespace kernels;

Case<SoftmaxForward> forward(std::string name, Shape shape, bool log, Fill fill = Fill::normal,
                             bool benchmark = false) {
    return {name + (log ? "_log" : ""),
            [=](Problem& problem) {
                problem.reduction(shape.back());
                const View x = problem.input(shape, fill);
                return SoftmaxForward{.x = x, .y = problem.output(shape), .log = log};
            },
            benchmark};
}

/// Results that are small beside the elements they come from.
Case<SoftmaxForward> forward_of_large_sums(Shape shape, bool log) {
    return {"beside_4096_" + std::to_string(shape.back()) + (log ? "_log" : ""), [=](Problem& problem) {
                problem.reduction(shape.back());
                std::vector<double> values(static_cast<std::size_t>(shape.elements()));
                for (std::size_t i = 0; i < values.size(); ++i) values[i] = 4096 + static_cast<double>(i * 37 % 23) / 8;
                const View x = problem.values(shape, values);
                return SoftmaxForward{.x = x, .y = problem.output(shape), .log = log};
            }};
}

Case<SoftmaxBackward> backward(std::string name, Shape shape, bool log, bool benchmark = false) {
    return {name + (log ? "_log" : ""),
            [=](Problem& problem) {
                problem.reduction(shape.back());
                const View y = problem.input(shape, Fill::uniform), dy = problem.input(shape);
                return SoftmaxBackward{.y = y, .dy = dy, .dx = problem.output(shape), .log = log};
            },
            benchmark};
}

/// Operands at addresses unsuitable for vectors: all, or one.
Case<SoftmaxForward> unaligned_forward(Shape shape, bool log, bool all) {
    return {"unaligned_" + std::to_string(shape.back()) + (all ? "" : "_result") + (log ? "_log" : ""),
            [=](Problem& problem) {
                problem.reduction(shape.back());
                const View x = placed(all, shape, [&](const Shape&s) { return problem.input(s); }),
                           y = placed(true, shape, [&](const Shape&s) { return problem.output(s); });
                return SoftmaxForward{.x = x, .y = y, .log = log};
            }};
}

Case<SoftmaxBackward> unaligned_backward(Shape shape, bool log, bool all) {
    return {"unaligned_" + std::to_string(shape.back()) + (all ? "" : "_gradient") + (log ? "_log" : ""),
            [=](Problem& problem) {
                problem.reduction(shape.back());
                const View y = placed(all, shape, [&](const Shape&s) { return problem.input(s, Fill::uniform); }),
                           dy = placed(true, shape, [&](const Shape&s) { return problem.input(s); }),
                           dx = placed(all, shape, [&](const Shape&s) { return problem.output(s); });
                return SoftmaxBackward{.y = y, .dy = dy, .dx = dx, .log = log};
            }};
}

Case<SoftmaxForward> forward_in_place(Shape shape, bool log) {
    return {"in_place_" + std::to_string(shape.back()) + (log ? "_log" : ""), [=](Problem& problem) {
                problem.reduction(shape.back());
                const View x = problem.inout(shape);
                return SoftmaxForward{.x = x, .y = x, .log = log};
            }};
}

Case<SoftmaxBackward> backward_in_place(Shape shape, bool log) {
    return {"in_place_" + std::to_string(shape.back()) + (log ? "_log" : ""), [=](Problem& problem) {
                problem.reduction(shape.back());
                const View y = problem.input(shape, Fill::uniform), dy = problem.inout(shape);
                return SoftmaxBackward{.y = y, .dy = dy, .dx = dy, .log = log};
            }};
}

/// Rows of whole vectors: several of a warp, one and a tail, the longest of a warp; of a block, which has more threads
/// for longer ones. Rows of anything else: several blocks and a tail, the longest few lanes have, and longer.
const std::vector<Shape>& more_shapes() {
    static const std::vector<Shape> list = {{77, 8},   {37, 64},   {9, 512},   {3, 1024}, {2, 4096},
                                            {2, 8208}, {3, 16416}, {1100, 10}, {19, 255}, {3, 257}};
    return list;
}

std::vector<Dim> dims() { return {{.name = "rows"}, {.name = "classes"}, flag("log")}; }

Shape shape_of(const Dims& d) { return {d.at("rows"), d.at("classes")}; }

std::optional<Dims> numbers(const Shape& y, bool log) {
    Dims d;
    d.set("rows", y.elements() / y.back());
    d.set("classes", y.back());
    d.set("log", log);
    return d;
}

}  // namespace

void add_softmax_cases(CaseSets& sets) {
    std::vector<Case<SoftmaxForward>> forwards;
    std::vector<Case<SoftmaxBackward>> backwards;
    for (const bool log : {false, true}) {
        forwards.push_back(forward("one", {1, 1}, log));
        forwards.push_back(forward("row_of_prime", {1, 31}, log));
        forwards.push_back(forward("classes10", {37, 10}, log));
        forwards.push_back(forward("tiles_and_tail", {5, 2, 67}, log));
        forwards.push_back(forward("long_row", {3, 4099}, log));
        forwards.push_back(forward("large", {7, 33}, log, Fill::large));
        forwards.push_back(forward("tiny", {7, 33}, log, Fill::tiny));
        forwards.push_back(forward("denormal", {7, 33}, log, Fill::denormal));
        forwards.push_back(forward("outliers", {7, 131}, log, Fill::outliers));
        for (const std::int64_t classes : {3, 33, 1031}) forwards.push_back(forward_of_large_sums({5, classes}, log));
        for (const Shape& shape : more_shapes()) {
            const std::string name = std::to_string(shape[0]) + "x" + std::to_string(shape[1]);
            forwards.push_back(forward(name, shape, log));
            backwards.push_back(backward(name, shape, log));
        }
        for (const Shape& shape : {Shape{37, 64}, Shape{3, 1024}, Shape{5, 1003}})
            for (const bool all : {true, false}) {
                forwards.push_back(unaligned_forward(shape, log, all));
                backwards.push_back(unaligned_backward(shape, log, all));
            }
        for (const Shape& shape : {Shape{37, 10}, Shape{37, 64}, Shape{3, 1031}}) {
            forwards.push_back(forward_in_place(shape, log));
            backwards.push_back(backward_in_place(shape, log));
        }
        forwards.push_back(forward("batch128x1000", {128, 1000}, log, Fill::normal, true));
        backwards.push_back(backward("one", {1, 1}, log));
        backwards.push_back(backward("classes10", {37, 10}, log));
        backwards.push_back(backward("tiles_and_tail", {5, 2, 67}, log));
        backwards.push_back(backward("long_row", {3, 4099}, log));
        backwards.push_back(backward("batch128x1000", {128, 1000}, log, true));
    }
    sets.push_back(make_case_set(softmax_forward(), std::move(forwards),
                                 {.dims = dims(),
                                  .from_dims = [](const Dims& d) { return forward("", shape_of(d), d.at("log") == 1); },
                                  .to_dims = [](const SoftmaxForward& a) { return numbers(a.y.shape, a.log); }}));
    sets.push_back(
        make_case_set(softmax_backward(), std::move(backwards),
                      {.dims = dims(),
                       .from_dims = [](const Dims& d) { return backward("", shape_of(d), d.at("log") == 1); },
                       .to_dims = [](const SoftmaxBackward& a) { return numbers(a.y.shape, a.log); }}));
}

}  // namespace heddle::cases
