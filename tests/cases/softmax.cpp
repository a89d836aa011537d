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

Case<SoftmaxBackward> backward(std::string name, Shape shape, bool log, bool benchmark = false) {
    return {name + (log ? "_log" : ""),
            [=](Problem& problem) {
                problem.reduction(shape.back());
                const View y = problem.input(shape, Fill::uniform), dy = problem.input(shape);
                return SoftmaxBackward{.y = y, .dy = dy, .dx = problem.output(shape), .log = log};
            },
            benchmark};
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
