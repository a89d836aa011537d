#include <cmath>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/rnn/extents.h"
#include "kernels/rnn/implementations.h"

namespace heddle::kernels {
namespace {

using Row = std::vector<double>;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

template <class T>
double at(const View& view, std::int64_t i) {
    return view ? double(view.as<T>()[i]) : 0;
}

/// sum over k of matrix[row, k] * x[k].
template <class T>
double dot(const View& matrix, std::int64_t row, const Row& x) {
    double sum = 0;
    for (std::size_t k = 0; k < x.size(); ++k)
        sum += double(matrix.as<T>()[row * std::int64_t(x.size()) + std::int64_t(k)]) * x[k];
    return sum;
}

/// Row `i` of a matrix whose rows have `length` elements; zeros where the matrix is absent.
template <class T>
Row row_of(const View& matrix, std::int64_t i, std::int64_t length) {
    Row row(std::size_t(length), 0.0);
    for (std::int64_t k = 0; k < length && matrix; ++k) row[std::size_t(k)] = double(matrix.as<T>()[i * length + k]);
    return row;
}

template <class T>
void store(const View& matrix, std::int64_t i, const Row& row) {
    for (std::size_t k = 0; k < row.size() && matrix; ++k)
        matrix.as<T>()[i * std::int64_t(row.size()) + std::int64_t(k)] = static_cast<T>(row[k]);
}

/// Gate g of a unit.
double& gate(Row& gates, std::int64_t g, std::int64_t units, std::int64_t u) {
    return gates[std::size_t(g * units + u)];
}

/// One step of one row: from the state and the gates' sums of inputs and of states to the next state.
void advance(RnnCell cell, const Row& of_inputs, const Row& of_states, Row& h, Row& c, Row& gates, Row& candidate) {
    const auto units = std::int64_t(h.size());
    for (std::size_t k = 0; k < gates.size(); ++k) gates[k] = of_inputs[k] + of_states[k];
    for (std::int64_t u = 0; u < units; ++u) {
        double &hidden = h[std::size_t(u)], &memory = c[std::size_t(u)];
        double& first = gates[std::size_t(u)];
        switch (cell) {
            case RnnCell::relu:
                hidden = first = first < 0 ? 0 : first;
                break;
            case RnnCell::tanh:
                hidden = first = std::tanh(first);
                break;
            case RnnCell::lstm: {
                double &f = gate(gates, 1, units, u), &g = gate(gates, 2, units, u), &o = gate(gates, 3, units, u);
                first = sigmoid(first);
                f = sigmoid(f);
                g = std::tanh(g);
                o = sigmoid(o);
                memory = f * memory + first * g;
                hidden = o * std::tanh(memory);
                break;
            }
            case RnnCell::gru: {
                double &z = gate(gates, 1, units, u), &n = gate(gates, 2, units, u);
                const auto last = std::size_t(2 * units + u);
                first = sigmoid(first);
                z = sigmoid(z);
                n = std::tanh(of_inputs[last] + first * of_states[last]);
                candidate[std::size_t(u)] = of_states[last];
                hidden = (1 - z) * n + z * hidden;
                break;
            }
        }
    }
}

template <class T>
void forward(const RnnForward& args) {
    const RnnExtents e(args);
    for (std::int64_t b = 0; b < e.batch; ++b) {
        Row h = row_of<T>(args.initial_hidden, b, e.units), c = row_of<T>(args.initial_cell, b, e.units);
        for (std::int64_t s = 0; s < e.time; ++s) {
            const std::int64_t t = e.step(s), place = b * e.time + t;
            store<T>(args.previous_hidden, place, h);
            store<T>(args.previous_cell, place, c);
            Row y(h.size(), 0.0), gates(std::size_t(e.width), 0.0), candidate(h.size(), 0.0);
            if (e.counts(b, t)) {
                const Row x = row_of<T>(args.x, place, e.inputs);
                Row of_inputs(gates.size()), of_states(gates.size());
                for (std::int64_t k = 0; k < e.width; ++k) {
                    of_inputs[std::size_t(k)] = dot<T>(args.weight_input, k, x) + at<T>(args.bias_input, k);
                    of_states[std::size_t(k)] = dot<T>(args.weight_hidden, k, h) + at<T>(args.bias_hidden, k);
                }
                advance(args.cell, of_inputs, of_states, h, c, gates, candidate);
                y = h;
            }
            store<T>(args.y, place, y);
            store<T>(args.gates, place, gates);
            store<T>(args.candidate, place, candidate);
        }
        store<T>(args.hidden, b, h);
        store<T>(args.final_cell, b, c);
    }
}

/// The gradients of one step of one row: dh and dc, of the state behind the step, become those of the state before it,
/// but for what goes through V. `of_inputs` and `of_states`: the gradients of the gates' sums, which differ for gru.
void retreat(RnnCell cell, Row gates, const Row& previous, const Row& memory, const Row& candidate, Row& dh, Row& dc,
             Row& of_inputs, Row& of_states) {
    const auto units = std::int64_t(dh.size());
    for (std::int64_t u = 0; u < units; ++u) {
        const auto j = std::size_t(u);
        const double first = gates[j], d = dh[j];
        dh[j] = 0;
        switch (cell) {
            case RnnCell::relu:
                of_inputs[j] = first > 0 ? d : 0;
                break;
            case RnnCell::tanh:
                of_inputs[j] = d * (1 - first * first);
                break;
            case RnnCell::lstm: {
                const double i = first, f = gate(gates, 1, units, u), g = gate(gates, 2, units, u),
                             o = gate(gates, 3, units, u);
                const double squashed = std::tanh(f * memory[j] + i * g);
                const double dcell = dc[j] + d * o * (1 - squashed * squashed);
                of_inputs[j] = dcell * g * i * (1 - i);
                gate(of_inputs, 1, units, u) = dcell * memory[j] * f * (1 - f);
                gate(of_inputs, 2, units, u) = dcell * i * (1 - g * g);
                gate(of_inputs, 3, units, u) = d * squashed * o * (1 - o);
                dc[j] = dcell * f;
                break;
            }
            case RnnCell::gru: {
                const double r = first, z = gate(gates, 1, units, u), n = gate(gates, 2, units, u);
                const double dn = d * (1 - z) * (1 - n * n);
                of_inputs[j] = dn * candidate[j] * r * (1 - r);
                gate(of_inputs, 1, units, u) = d * (previous[j] - n) * z * (1 - z);
                gate(of_inputs, 2, units, u) = dn;
                dh[j] = d * z;
                break;
            }
        }
    }
    of_states = of_inputs;
    for (std::int64_t u = 0; u < units && cell == RnnCell::gru; ++u)
        gate(of_states, 2, units, u) *= gates[std::size_t(u)];
}

/// sum[i, k] += column[i] * row[k].
void add_outer(Row& sum, const Row& column, const Row& row) {
    for (std::size_t i = 0; i < column.size(); ++i)
        for (std::size_t k = 0; k < row.size(); ++k) sum[i * row.size() + k] += column[i] * row[k];
}

/// result[k] += sum over i of column[i] * matrix[i, k].
template <class T>
void add_product(Row& result, const Row& column, const View& matrix) {
    for (std::size_t i = 0; i < column.size(); ++i)
        for (std::size_t k = 0; k < result.size(); ++k)
            result[k] += column[i] * double(matrix.as<T>()[i * result.size() + k]);
}

template <class T>
void backward(const RnnBackward& args) {
    const RnnExtents e(args);
    const auto width = std::size_t(e.width), units = std::size_t(e.units), inputs = std::size_t(e.inputs);
    Row dweight_input(width * inputs, 0.0), dweight_hidden(width * units, 0.0), dbias_input(width, 0.0),
        dbias_hidden(width, 0.0);
    for (std::int64_t b = 0; b < e.batch; ++b) {
        Row dh = row_of<T>(args.dhidden, b, e.units), dc = row_of<T>(args.dfinal_cell, b, e.units);
        for (std::int64_t s = e.time; s-- > 0;) {
            const std::int64_t t = e.step(s), place = b * e.time + t;
            Row dx(inputs, 0.0);
            if (e.counts(b, t)) {
                const Row dy = row_of<T>(args.dy, place, e.units), x = row_of<T>(args.x, place, e.inputs),
                          previous = row_of<T>(args.previous_hidden, place, e.units);
                for (std::size_t u = 0; u < units; ++u) dh[u] += dy[u];
                Row of_inputs(width), of_states;
                retreat(args.cell, row_of<T>(args.gates, place, e.width), previous,
                        row_of<T>(args.previous_cell, place, e.units), row_of<T>(args.candidate, place, e.units), dh,
                        dc, of_inputs, of_states);
                add_product<T>(dx, of_inputs, args.weight_input);
                add_product<T>(dh, of_states, args.weight_hidden);
                add_outer(dweight_input, of_inputs, x);
                add_outer(dweight_hidden, of_states, previous);
                for (std::size_t k = 0; k < width; ++k) {
                    dbias_input[k] += of_inputs[k];
                    dbias_hidden[k] += of_states[k];
                }
            }
            store<T>(args.dx, place, dx);
        }
        store<T>(args.dinitial_hidden, b, dh);
        store<T>(args.dinitial_cell, b, dc);
    }
    store<T>(args.dweight_input, 0, dweight_input);
    store<T>(args.dweight_hidden, 0, dweight_hidden);
    store<T>(args.dbias_input, 0, dbias_input);
    store<T>(args.dbias_hidden, 0, dbias_hidden);
}

}  // namespace

void add_reference(KernelTable<RnnForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const RnnForward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const RnnForward& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { forward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<RnnBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const RnnBackward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const RnnBackward& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { backward<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
