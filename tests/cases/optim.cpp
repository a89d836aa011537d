#include "kernels/optim/optim.h"

#include "tests/cases/families.h"

namespace heddle::cases {
namespace {

using namespace kernels;

using Shapes = std::vector<Shape>;

/// Sizes of every kind: one element, none, vector tails, several parallel ranges, a range that ends inside a tensor.
Shapes mixed_shapes() { return {{1}, {3}, {16, 3, 3, 3}, {0}, {67}, {10, 64}, {4099}, {17, 2003}, {31}}; }

/// The parameters of ResNet-20 for CIFAR-10: 19 convolutions with their batch norms, and a Dense layer.
Shapes resnet20_shapes() {
    Shapes shapes{{16, 3, 3, 3}, {16}, {16}};
    std::int64_t before = 16;
    for (const std::int64_t channels : {16, 32, 64})
        for (int i = 0; i < 6; ++i) {
            shapes.push_back({channels, 3, 3, before});
            shapes.push_back({channels});
            shapes.push_back({channels});
            before = channels;
        }
    shapes.push_back({10, 64});
    shapes.push_back({10});
    return shapes;
}

TensorList inputs(Problem& problem, const Shapes& shapes, Fill fill = Fill::normal) {
    TensorList list;
    for (const Shape& shape : shapes) list.push_back(problem.input(shape, fill));
    return list;
}

/// More tensors than any launch takes at once.
Shapes many_shapes() {
    Shapes shapes;
    for (std::int64_t i = 0; i < 230; ++i) shapes.push_back({i % 37});
    return shapes;
}

TensorList inouts(Problem& problem, const Shapes& shapes, Fill fill = Fill::normal) {
    TensorList list;
    for (const Shape& shape : shapes) list.push_back(problem.inout(shape, fill));
    return list;
}

View scalar(Problem& problem, double value) { return problem.values({1}, {value}, DType::f32); }

struct Options {
    Shapes shapes = mixed_shapes();
    Fill gradients = Fill::normal;
    bool scaled = false;  // a gradient scale
    bool benchmark = false;
    double skip = -1;           // -1: no such operand
    bool narrow_state = false;  // state of 16 bits where the parameters have them
};

TensorList states(Problem& problem, const Options& o, Fill fill = Fill::normal) {
    TensorList list;
    for (const Shape& shape : o.shapes)
        list.push_back(problem.inout(shape, fill, o.narrow_state ? problem.dtype() : problem.wide()));
    return list;
}

struct Sgd : Options {
    float momentum = 0, weight_decay = 0;
    bool nesterov = false;
};

Case<SgdStep> sgd(std::string name, const Sgd& o) {
    return {std::move(name),
            [=](Problem& problem) {
                SgdStep step{.parameters = inouts(problem, o.shapes),
                             .gradients = inputs(problem, o.shapes, o.gradients),
                             .momenta = {},
                             .learning_rate = scalar(problem, 0.1),
                             .momentum = o.momentum,
                             .weight_decay = o.weight_decay,
                             .nesterov = o.nesterov};
                if (o.momentum != 0) step.momenta = states(problem, o);
                if (o.scaled) step.gradient_scale = scalar(problem, 0.37);
                if (o.skip >= 0) step.skip = scalar(problem, o.skip);
                return step;
            },
            o.benchmark};
}

struct Adam : Options {
    double step = 3;
    float weight_decay = 0;
    bool decoupled = false, amsgrad = false;
    AdamKind kind = AdamKind::adam;
    double momentum_decay = 0.004;
};

Case<AdamStep> adam(std::string name, const Adam& o) {
    return {std::move(name),
            [=](Problem& problem) {
                problem.tolerance(2);  // a root and two quotients stand between the sums and the step
                AdamStep step{.parameters = inouts(problem, o.shapes),
                              .gradients = inputs(problem, o.shapes, o.gradients),
                              .first = states(problem, o),
                              .second = states(problem, o, Fill::uniform),
                              .learning_rate = scalar(problem, 1e-2),
                              .step = scalar(problem, o.step),
                              .weight_decay = o.weight_decay,
                              .decoupled = o.decoupled,
                              .kind = o.kind,
                              .momentum_decay = o.momentum_decay};
                if (o.amsgrad) step.max_second = states(problem, o, Fill::uniform);
                if (o.scaled) step.gradient_scale = scalar(problem, 0.37);
                if (o.skip >= 0) step.skip = scalar(problem, o.skip);
                return step;
            },
            o.benchmark};
}

struct Rmsprop : Options {
    float momentum = 0, weight_decay = 0;
    bool centered = false, accumulate = false, adadelta = false;
};

Case<RmspropStep> rmsprop(std::string name, const Rmsprop& o) {
    return {std::move(name),
            [=](Problem& problem) {
                problem.tolerance(2);
                RmspropStep step{.parameters = inouts(problem, o.shapes),
                                 .gradients = inputs(problem, o.shapes, o.gradients),
                                 .square_average = states(problem, o, Fill::positive),
                                 .learning_rate = scalar(problem, 1e-2),
                                 .rho = 0.9,
                                 .momentum = o.momentum,
                                 .weight_decay = o.weight_decay,
                                 .centered = o.centered,
                                 .accumulate = o.accumulate};
                if (o.momentum != 0) step.momenta = states(problem, o);
                // Small averages keep s - a^2 away from cancellation, which no tolerance would cover.
                if (o.centered) step.gradient_average = states(problem, o, Fill::zeros);
                if (o.adadelta) step.update_average = states(problem, o, Fill::positive);
                if (o.scaled) step.gradient_scale = scalar(problem, 0.37);
                if (o.skip >= 0) step.skip = scalar(problem, o.skip);
                return step;
            },
            o.benchmark};
}

/// Case names led by the rule's.
Case<AdamStep> nadam(const std::string& name, Adam o, double momentum_decay = 0.004) {
    o.kind = AdamKind::nadam;
    o.momentum_decay = momentum_decay;
    return adam("nadam_" + name, o);
}
Case<AdamStep> adamax(const std::string& name, Adam o) {
    o.kind = AdamKind::adamax;
    return adam("adamax_" + name, o);
}
Case<RmspropStep> adagrad(const std::string& name, Rmsprop o) {
    o.accumulate = true;
    return rmsprop("adagrad_" + name, o);
}
Case<RmspropStep> adadelta(const std::string& name, Rmsprop o) {
    o.adadelta = true;
    return rmsprop("adadelta_" + name, o);
}

Case<GradientNorm> norm(std::string name, const Shapes& shapes, Fill fill = Fill::normal, bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                return GradientNorm{.gradients = inputs(problem, shapes, fill),
                                    .result = problem.output({1}, DType::f32)};
            },
            benchmark};
}

}  // namespace

void add_optim_cases(CaseSets& sets) {
    const Shapes resnet20 = resnet20_shapes(), dense = {{4096, 1024}};
    sets.push_back(make_case_set(
        sgd_step(),
        {sgd("plain", {}), sgd("decay_scaled", {{.scaled = true}, 0, 5e-4f}), sgd("momentum", {{}, 0.9f}),
         sgd("momentum_decay_scaled", {{.scaled = true}, 0.9f, 5e-4f}), sgd("nesterov_decay", {{}, 0.9f, 5e-4f, true}),
         sgd("large", {{.gradients = Fill::large}, 0.9f}), sgd("tiny", {{.gradients = Fill::tiny}, 0.9f}),
         sgd("denormal", {{.gradients = Fill::denormal}, 0.9f}),
         sgd("infinities", {{.gradients = Fill::infinities}, 0.9f}), sgd("no_tensors", {{.shapes = {}}, 0.9f}),
         sgd("many_tensors", {{.shapes = many_shapes()}, 0.9f}),
         sgd("skipped", {{.gradients = Fill::infinities, .skip = 1}, 0.9f}), sgd("not_skipped", {{.skip = 0}, 0.9f}),
         sgd("narrow_state", {{.narrow_state = true}, 0.9f, 5e-4f}),
         sgd("resnet20", {{.shapes = resnet20, .benchmark = true}, 0.9f, 1e-4f}),
         sgd("dense4096x1024", {{.shapes = dense, .benchmark = true}, 0.9f, 1e-4f})}));
    sets.push_back(
        make_case_set(adam_step(), {adam("plain", {}),
                                    adam("first_step", {{}, 1}),
                                    adam("late_step", {{}, 60000}),
                                    adam("l2_scaled", {{.scaled = true}, 3, 0.01f}),
                                    adam("decoupled", {{}, 3, 0.01f, true}),
                                    adam("amsgrad", {{}, 3, 0, false, true}),
                                    adam("amsgrad_decoupled_scaled", {{.scaled = true}, 3, 0.01f, true, true}),
                                    adam("large", {{.gradients = Fill::large}}),
                                    adam("tiny", {{.gradients = Fill::tiny}}),
                                    adam("zero_gradients", {{.gradients = Fill::zeros}}),
                                    adam("no_tensors", {{.shapes = {}}}),
                                    adam("many_tensors", {{.shapes = many_shapes()}}),
                                    adam("skipped", {{.gradients = Fill::infinities, .skip = 1}, 3, 0.01f, true, true}),
                                    adam("not_skipped", {{.skip = 0}}),
                                    adam("narrow_state", {{.narrow_state = true}}),
                                    adam("resnet20", {{.shapes = resnet20, .benchmark = true}}),
                                    adam("dense4096x1024", {{.shapes = dense, .benchmark = true}, 3, 0.01f, true}),
                                    nadam("plain", {}),
                                    nadam("first_step", {{}, 1}),
                                    nadam("step_40", {{}, 40}),
                                    nadam("late_step", {{}, 60000}),
                                    nadam("keras_first_step", {{}, 1}, 1),
                                    nadam("keras_step_40", {{}, 40}, 1),
                                    nadam("keras_late_step", {{}, 60000}, 1),
                                    nadam("l2_scaled", {{.scaled = true}, 3, 0.01f}),
                                    nadam("decoupled", {{}, 3, 0.01f, true}),
                                    nadam("large", {{.gradients = Fill::large}}),
                                    nadam("tiny", {{.gradients = Fill::tiny}}),
                                    nadam("zero_gradients", {{.gradients = Fill::zeros}}),
                                    nadam("many_tensors", {{.shapes = many_shapes()}}),
                                    nadam("skipped", {{.gradients = Fill::infinities, .skip = 1}}),
                                    nadam("narrow_state", {{.narrow_state = true}}),
                                    nadam("resnet20", {{.shapes = resnet20, .benchmark = true}}),
                                    adamax("plain", {}),
                                    adamax("first_step", {{}, 1}),
                                    adamax("late_step", {{}, 60000}),
                                    adamax("l2_scaled", {{.scaled = true}, 3, 0.01f}),
                                    adamax("decoupled", {{}, 3, 0.01f, true}),
                                    adamax("large", {{.gradients = Fill::large}}),
                                    adamax("tiny", {{.gradients = Fill::tiny}}),
                                    adamax("zero_gradients", {{.gradients = Fill::zeros}}),
                                    adamax("many_tensors", {{.shapes = many_shapes()}}),
                                    adamax("skipped", {{.gradients = Fill::infinities, .skip = 1}}),
                                    adamax("narrow_state", {{.narrow_state = true}}),
                                    adamax("resnet20", {{.shapes = resnet20, .benchmark = true}})}));
    sets.push_back(make_case_set(rmsprop_step(),
                                 {rmsprop("plain", {}),
                                  rmsprop("decay_scaled", {{.scaled = true}, 0, 0.01f}),
                                  rmsprop("momentum", {{}, 0.9f}),
                                  rmsprop("centered", {{}, 0, 0, true}),
                                  rmsprop("centered_momentum_decay", {{}, 0.9f, 0.01f, true}),
                                  rmsprop("large", {{.gradients = Fill::large}, 0.9f}),
                                  rmsprop("zero_gradients", {{.gradients = Fill::zeros}, 0.9f}),
                                  rmsprop("no_tensors", {{.shapes = {}}}),
                                  rmsprop("many_tensors", {{.shapes = many_shapes()}}),
                                  rmsprop("skipped", {{.gradients = Fill::infinities, .skip = 1}, 0.9f, 0.01f, true}),
                                  rmsprop("not_skipped", {{.skip = 0}, 0.9f}),
                                  rmsprop("narrow_state", {{.narrow_state = true}, 0.9f}),
                                  rmsprop("resnet20", {{.shapes = resnet20, .benchmark = true}, 0.9f}),
                                  rmsprop("dense4096x1024", {{.shapes = dense, .benchmark = true}, 0.9f}),
                                  adagrad("plain", {}),
                                  adagrad("decay_scaled", {{.scaled = true}, 0, 0.01f}),
                                  adagrad("large", {{.gradients = Fill::large}}),
                                  adagrad("tiny", {{.gradients = Fill::tiny}}),
                                  adagrad("zero_gradients", {{.gradients = Fill::zeros}}),
                                  adagrad("many_tensors", {{.shapes = many_shapes()}}),
                                  adagrad("skipped", {{.gradients = Fill::infinities, .skip = 1}}),
                                  adagrad("narrow_state", {{.narrow_state = true}}),
                                  adagrad("resnet20", {{.shapes = resnet20, .benchmark = true}}),
                                  adadelta("plain", {}),
                                  adadelta("decay_scaled", {{.scaled = true}, 0, 0.01f}),
                                  adadelta("large", {{.gradients = Fill::large}}),
                                  adadelta("tiny", {{.gradients = Fill::tiny}}),
                                  adadelta("zero_gradients", {{.gradients = Fill::zeros}}),
                                  adadelta("many_tensors", {{.shapes = many_shapes()}}),
                                  adadelta("skipped", {{.gradients = Fill::infinities, .skip = 1}}),
                                  adadelta("narrow_state", {{.narrow_state = true}}),
                                  adadelta("resnet20", {{.shapes = resnet20, .benchmark = true}})}));
    // The sum is taken in f64: only the last rounding remains, whatever the length.
    sets.push_back(make_case_set(
        gradient_norm(),
        {norm("one", {{1}}), norm("mixed", mixed_shapes()), norm("none", {}), norm("long", {{300007}}),
         norm("many_tensors", many_shapes()), norm("zeros", mixed_shapes(), Fill::zeros),
         norm("large", mixed_shapes(), Fill::large), norm("tiny", mixed_shapes(), Fill::tiny),
         norm("outliers", mixed_shapes(), Fill::outliers), norm("infinities", mixed_shapes(), Fill::infinities),
         norm("resnet20", resnet20, Fill::normal, true), norm("dense4096x1024", dense, Fill::normal, true)}));
}

}  // namespace heddle::cases
