#include "kernels/rnn/cpu_steps.h"

#include "core/parallel.h"
#include "kernels/vector_math.h"

// The rest of a step after its product. A row of every operand stays in the first-level cache; functions of the gates
// are evaluated 16 at a time.
namespace heddle::kernels {
namespace {

HEDDLE_SIMD_CLONES void relu_forward(const ForwardRow& row, std::int64_t units) {
    const ForwardRow r = row;
#pragma GCC ivdep
    for (std::int64_t u = 0; u < units; ++u) {
        const float sum = r.sums[u] + r.bias[u], h = sum < 0 ? 0 : sum;
        r.previous_hidden[u] = r.hidden[u];
        r.gates[u] = r.hidden[u] = r.y[u] = h;
    }
}

HEDDLE_SIMD_CLONES void tanh_forward(const ForwardRow& row, std::int64_t units) {
    const ForwardRow r = row;
#pragma GCC ivdep
    for (std::int64_t u = 0; u < units; ++u) {
        const float h = vec::tanh(r.sums[u] + r.bias[u]);
        r.previous_hidden[u] = r.hidden[u];
        r.gates[u] = r.hidden[u] = r.y[u] = h;
    }
}

HEDDLE_SIMD_CLONES void lstm_forward(const ForwardRow& row, std::int64_t units) {
    const ForwardRow r = row;
    const std::int64_t f_at = units, g_at = 2 * units, o_at = 3 * units;
#pragma GCC ivdep
    for (std::int64_t u = 0; u < units; ++u) {
        const float i = vec::sigmoid(r.sums[u] + r.bias[u]);
        const float f = vec::sigmoid(r.sums[f_at + u] + r.bias[f_at + u]);
        const float g = vec::tanh(r.sums[g_at + u] + r.bias[g_at + u]);
        const float o = vec::sigmoid(r.sums[o_at + u] + r.bias[o_at + u]);
        const float before = r.memory[u], c = f * before + i * g, h = o * vec::tanh(c);
        r.previous_hidden[u] = r.hidden[u];
        r.previous_cell[u] = before;
        r.gates[u] = i;
        r.gates[f_at + u] = f;
        r.gates[g_at + u] = g;
        r.gates[o_at + u] = o;
        r.memory[u] = c;
        r.hidden[u] = r.y[u] = h;
    }
}

HEDDLE_SIMD_CLONES void gru_forward(const ForwardRow& row, std::int64_t units) {
    const ForwardRow w = row;
    const std::int64_t z_at = units, n_at = 2 * units, d_at = 3 * units;
#pragma GCC ivdep
    for (std::int64_t u = 0; u < units; ++u) {
        const float r = vec::sigmoid(w.sums[u] + w.of_state[u] + w.bias[u]);
        const float z = vec::sigmoid(w.sums[z_at + u] + w.of_state[z_at + u] + w.bias[z_at + u]);
        const float candidate = w.of_state[n_at + u] + w.bias[d_at + u];
        const float n = vec::tanh(w.sums[n_at + u] + w.bias[n_at + u] + r * candidate);
        const float before = w.hidden[u], h = (1 - z) * n + z * before;
        w.previous_hidden[u] = before;
        w.gates[u] = r;
        w.gates[z_at + u] = z;
        w.gates[n_at + u] = n;
        w.candidate[u] = candidate;
        w.hidden[u] = w.y[u] = h;
    }
}

HEDDLE_SIMD_CLONES void relu_backward(const BackwardRow& row, std::int64_t units) {
    const BackwardRow r = row;
#pragma GCC ivdep
    for (std::int64_t u = 0; u < units; ++u) {
        const float d = r.dhidden[u] + r.dy[u];
        r.dhidden[u] = 0;
        r.of_inputs[u] = r.gates[u] > 0 ? d : 0;
    }
}

HEDDLE_SIMD_CLONES void tanh_backward(const BackwardRow& row, std::int64_t units) {
    const BackwardRow r = row;
#pragma GCC ivdep
    for (std::int64_t u = 0; u < units; ++u) {
        const float d = r.dhidden[u] + r.dy[u];
        r.dhidden[u] = 0;
        r.of_inputs[u] = d * (1 - r.gates[u] * r.gates[u]);
    }
}

HEDDLE_SIMD_CLONES void lstm_backward(const BackwardRow& row, std::int64_t units) {
    const BackwardRow r = row;
    const std::int64_t f_at = units, g_at = 2 * units, o_at = 3 * units;
#pragma GCC ivdep
    for (std::int64_t u = 0; u < units; ++u) {
        const float i = r.gates[u], f = r.gates[f_at + u], g = r.gates[g_at + u], o = r.gates[o_at + u];
        const float before = r.previous_cell[u], squashed = vec::tanh(f * before + i * g);
        const float d = r.dhidden[u] + r.dy[u];
        const float dcell = r.dmemory[u] + d * o * (1 - squashed * squashed);
        r.dhidden[u] = 0;
        r.dmemory[u] = dcell * f;
        r.of_inputs[u] = dcell * g * i * (1 - i);
        r.of_inputs[f_at + u] = dcell * before * f * (1 - f);
        r.of_inputs[g_at + u] = dcell * i * (1 - g * g);
        r.of_inputs[o_at + u] = d * squashed * o * (1 - o);
    }
}

HEDDLE_SIMD_CLONES void gru_backward(const BackwardRow& row, std::int64_t units) {
    const BackwardRow w = row;
    const std::int64_t z_at = units, n_at = 2 * units;
#pragma GCC ivdep
    for (std::int64_t u = 0; u < units; ++u) {
        const float r = w.gates[u], z = w.gates[z_at + u], n = w.gates[n_at + u];
        const float d = w.dhidden[u] + w.dy[u], dn = d * (1 - z) * (1 - n * n);
        const float dr = dn * w.candidate[u] * r * (1 - r), dz = d * (w.previous_hidden[u] - n) * z * (1 - z);
        w.dhidden[u] = d * z;
        w.of_inputs[u] = w.of_states[u] = dr;
        w.of_inputs[z_at + u] = w.of_states[z_at + u] = dz;
        w.of_inputs[n_at + u] = dn;
        w.of_states[n_at + u] = dn * r;
    }
}

}  // namespace

ForwardStep forward_step(RnnCell cell) {
    switch (cell) {
        case RnnCell::relu:
            return relu_forward;
        case RnnCell::tanh:
            return tanh_forward;
        case RnnCell::lstm:
            return lstm_forward;
        case RnnCell::gru:
            return gru_forward;
    }
    return nullptr;
}

BackwardStep backward_step(RnnCell cell) {
    switch (cell) {
        case RnnCell::relu:
            return relu_backward;
        case RnnCell::tanh:
            return tanh_backward;
        case RnnCell::lstm:
            return lstm_backward;
        case RnnCell::gru:
            return gru_backward;
    }
    return nullptr;
}

}  // namespace heddle::kernels
