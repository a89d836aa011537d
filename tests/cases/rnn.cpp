#include "kernels/rnn/rnn.h"

#include <cmath>

#include "tests/cases/families.h"

namespace heddle::cases {
namespace {

using namespace kernels;

struct RnnSpec {
    std::int64_t batch = 1, time = 1, inputs = 1, units = 1;
    std::vector<double> lengths = {};
    bool reverse = false, bias = true, initial = false;
    bool partial = false;  ///< backward: without some gradients, coming and going
    Fill fill = Fill::normal;
};

/// Weights that keep sums close to 1, as initial weights do.
View weights(Problem& problem, std::int64_t rows, std::int64_t columns) {
    std::vector<double> values(static_cast<std::size_t>(rows * columns));
    const double bound = 1.5 / std::sqrt(static_cast<double>(columns));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = bound * (static_cast<double>((i * 7919 + static_cast<std::size_t>(rows)) % 2003) / 1001.0 - 1);
    return problem.values({rows, columns}, values);
}

View lengths_of(Problem& problem, const RnnSpec& spec) {
    return spec.lengths.empty() ? View() : problem.values({spec.batch}, spec.lengths, DType::i32);
}

/// The error of a step propagates through the later ones, which damp it; 16-bit types round the state at every step.
void describe(Problem& problem, RnnCell cell, const RnnSpec& spec, double passes) {
    const std::int64_t width = gate_count(cell) * spec.units;
    problem.reduction(spec.inputs + spec.units);
    problem.tolerance(size_of(problem.dtype()) == 2 ? 8 : 4);
    problem.flops(2 * passes * static_cast<double>(spec.batch * spec.time * width * (spec.inputs + spec.units)));
}

Case<RnnForward> forward(RnnCell cell, std::string name, const RnnSpec& spec, bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                describe(problem, cell, spec, 1);
                const std::int64_t width = gate_count(cell) * spec.units;
                const Shape state{spec.batch, spec.units}, states{spec.batch, spec.time, spec.units};
                const bool lstm = cell == RnnCell::lstm;
                RnnForward args;
                args.cell = cell;
                args.x = problem.input({spec.batch, spec.time, spec.inputs}, spec.fill);
                args.weight_input = weights(problem, width, spec.inputs);
                args.weight_hidden = weights(problem, width, spec.units);
                if (spec.bias) {
                    args.bias_input = problem.input({width}, Fill::uniform);
                    args.bias_hidden = problem.input({width}, Fill::uniform);
                }
                if (spec.initial) {
                    args.initial_hidden = problem.input(state);
                    if (lstm) args.initial_cell = problem.input(state, Fill::normal, problem.wide());
                }
                args.lengths = lengths_of(problem, spec);
                args.reverse = spec.reverse;
                args.y = problem.output(states);
                args.hidden = problem.output(state);
                args.gates = problem.output({spec.batch, spec.time, width});
                args.previous_hidden = problem.output(states);
                if (lstm) {
                    args.final_cell = problem.wide_output(state);
                    args.previous_cell = problem.wide_output(states);
                }
                if (cell == RnnCell::gru) args.candidate = problem.output(states);
                return args;
            },
            benchmark};
}

Case<RnnBackward> backward(RnnCell cell, std::string name, const RnnSpec& spec, bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                describe(problem, cell, spec, 2);
                problem.reduction(spec.batch * spec.time + spec.inputs + gate_count(cell) * spec.units);
                const std::int64_t width = gate_count(cell) * spec.units;
                const Shape state{spec.batch, spec.units}, states{spec.batch, spec.time, spec.units},
                    inputs{spec.batch, spec.time, spec.inputs};
                const bool lstm = cell == RnnCell::lstm;
                RnnBackward args;
                args.cell = cell;
                args.x = problem.input(inputs, spec.fill);
                args.weight_input = weights(problem, width, spec.inputs);
                args.weight_hidden = weights(problem, width, spec.units);
                args.lengths = lengths_of(problem, spec);
                args.reverse = spec.reverse;
                args.gates = problem.input({spec.batch, spec.time, width}, Fill::uniform);
                args.previous_hidden = problem.input(states, Fill::uniform);
                if (lstm) args.previous_cell = problem.input(states, Fill::normal, problem.wide());
                if (cell == RnnCell::gru) args.candidate = problem.input(states);
                if (!spec.partial) args.dy = problem.input(states);
                if (spec.initial || spec.partial) args.dhidden = problem.input(state);
                if (lstm && spec.initial) args.dfinal_cell = problem.input(state, Fill::normal, problem.wide());
                if (!spec.partial) args.dx = problem.output(inputs);
                args.dweight_input = problem.output({width, spec.inputs});
                if (!spec.partial) args.dweight_hidden = problem.output({width, spec.units});
                if (spec.bias && !spec.partial) args.dbias_input = problem.output({width});
                if (spec.bias) args.dbias_hidden = problem.output({width});
                if (spec.initial) {
                    args.dinitial_hidden = problem.output(state);
                    if (lstm) args.dinitial_cell = problem.wide_output(state);
                }
                return args;
            },
            benchmark};
}

const char* name_of(RnnCell cell) {
    switch (cell) {
        case RnnCell::relu:
            return "relu_";
        case RnnCell::tanh:
            return "tanh_";
        case RnnCell::lstm:
            return "lstm_";
        case RnnCell::gru:
            return "gru_";
    }
    return "";
}

std::vector<Dim> dims() {
    return {{.name = "batch"},
            {.name = "time"},
            {.name = "inputs"},
            {.name = "units"},
            {.name = "cell", .fallback = 2, .low = 0, .high = 3, .words = {"relu", "tanh", "lstm", "gru"}},
            {.name = "bias", .fallback = 1, .low = 0, .high = 1}};
}

RnnSpec spec_of(const Dims& d) {
    return {.batch = d.at("batch"),
            .time = d.at("time"),
            .inputs = d.at("inputs"),
            .units = d.at("units"),
            .bias = d.at("bias") == 1};
}

RnnCell cell_of(const Dims& d) { return static_cast<RnnCell>(d.at("cell")); }

}  // namespace

void add_rnn_cases(CaseSets& sets) {
    std::vector<Case<RnnForward>> forwards;
    std::vector<Case<RnnBackward>> backwards;
    for (const RnnCell cell : {RnnCell::relu, RnnCell::tanh, RnnCell::lstm, RnnCell::gru}) {
        const auto add = [&](const char* name, const RnnSpec& spec, bool benchmark = false) {
            forwards.push_back(forward(cell, std::string(name_of(cell)) + name, spec, benchmark));
            backwards.push_back(backward(cell, std::string(name_of(cell)) + name, spec, benchmark));
        };
        const std::vector<double> lengths{3, 0, 5, 1, 4};
        add("one", {});
        add("empty_batch", {.batch = 0, .time = 3, .inputs = 5, .units = 7, .initial = true});
        add("odd_sizes", {.batch = 3, .time = 4, .inputs = 5, .units = 7, .initial = true});
        add("one_step", {.batch = 5, .time = 1, .inputs = 6, .units = 9, .initial = true});
        add("bare", {.batch = 2, .time = 5, .inputs = 3, .units = 4, .bias = false});
        add("partial", {.batch = 2, .time = 3, .inputs = 3, .units = 5, .partial = true});
        add("reverse", {.batch = 3, .time = 4, .inputs = 5, .units = 7, .reverse = true, .initial = true});
        add("lengths", {.batch = 5, .time = 5, .inputs = 3, .units = 6, .lengths = lengths, .initial = true});
        add("lengths_reverse",
            {.batch = 5, .time = 5, .inputs = 3, .units = 6, .lengths = lengths, .reverse = true, .initial = true});
        // Two tiles and a tail of the rows, of the units and of the sums; enough work for packed weights and threads.
        add("tiles_and_tail", {.batch = 67, .time = 5, .inputs = 13, .units = 37, .initial = true});
        // Units in pairs, as tensor cores want them: within a slab of 32, slabs and a tail, more than registers hold,
        // more than a multiprocessor holds; rows of two blocks of eight and a tail.
        add("pairs", {.batch = 3, .time = 4, .inputs = 5, .units = 10, .initial = true});
        add("slabs_and_tail", {.batch = 19, .time = 5, .inputs = 6, .units = 70, .initial = true});
        add("slabs_and_lengths",
            {.batch = 5, .time = 5, .inputs = 4, .units = 64, .lengths = lengths, .reverse = true, .initial = true});
        add("slabs_partial", {.batch = 9, .time = 3, .inputs = 4, .units = 36, .partial = true});
        add("units_162", {.batch = 9, .time = 3, .inputs = 4, .units = 162, .initial = true});
        add("units_256", {.batch = 3, .time = 3, .inputs = 8, .units = 256, .bias = false});
        // More rows than a block of steps has, and a shorter last block.
        add("blocks", {.batch = 67,
                       .time = 17,
                       .inputs = 13,
                       .units = 9,
                       .lengths = {17, 0, 11, 1, 16},
                       .reverse = true,
                       .initial = true});
        add("large", {.batch = 4, .time = 3, .inputs = 5, .units = 6, .fill = Fill::large});
        add("outliers", {.batch = 4, .time = 3, .inputs = 70, .units = 6, .fill = Fill::outliers});
        add("batch64x100_128", {.batch = 64, .time = 100, .inputs = 64, .units = 128}, true);
        add("batch32x64_256", {.batch = 32, .time = 64, .inputs = 128, .units = 256}, true);
    }
    sets.push_back(make_case_set(rnn_forward(), std::move(forwards), {.dims = dims(), .from_dims = [](const Dims& d) {
                                                                          return forward(cell_of(d), "", spec_of(d));
                                                                      }}));
    sets.push_back(make_case_set(rnn_backward(), std::move(backwards), {.dims = dims(), .from_dims = [](const Dims& d) {
                                                                            return backward(cell_of(d), "", spec_of(d));
                                                                        }}));
}

}  // namespace heddle::cases
