#include <vector>

#include "core/check.h"
#include "kernels/rnn/cpu_blocks.h"
#include "kernels/rnn/cpu_steps.h"
#include "kernels/rnn/implementations.h"

// Floor: the products, twice those of the forward pass; x, the saved tensors and dx of all steps moved once. Gradients
// of the gates' sums never leave the cache: after each block they are used for dx and added to the weights' gradients.
namespace heddle::kernels {
namespace {

/// Enough rows that computing a block's part of the weights' gradients costs more than adding it to the others.
std::int64_t block_rows(const RnnExtents& e) { return std::max<std::int64_t>(512, 2 * (e.inputs + e.units)); }

/// totals += the sums over rows [rows, columns] `stride` apart, made in float over `run` rows at a time.
HEDDLE_SIMD_CLONES void add_rows(const float* d, std::int64_t rows, std::int64_t columns, std::int64_t stride,
                                 double* totals) {
    constexpr std::int64_t width = 64, run = 64;  // whole cache lines, and sums that stay in registers
    for (std::int64_t c = 0; c < columns; c += width) {
        const std::int64_t count = std::min(width, columns - c);
        for (std::int64_t first = 0; first < rows; first += run) {
            float sums[width] = {};
            const std::int64_t last = std::min(rows, first + run);
            if (count == width)
                for (std::int64_t r = first; r < last; ++r)
                    for (std::int64_t j = 0; j < width; ++j) sums[j] += d[r * stride + c + j];
            else
                for (std::int64_t r = first; r < last; ++r)
                    for (std::int64_t j = 0; j < count; ++j) sums[j] += d[r * stride + c + j];
            for (std::int64_t j = 0; j < count; ++j) totals[c + j] += static_cast<double>(sums[j]);
        }
    }
}

/// c [m, n] = aᵀ b [+ c], rows of c and b `step` apart.
void multiply_transposed(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b, float* c,
                         std::int64_t step, bool accumulate) {
    if (m * n * k == 0) return;
    const onednn::ThreadScope scope;
    const auto status = dnnl_sgemm('T', 'N', m, n, k, 1, a, m, b, step, accumulate ? 1.0f : 0.0f, c, step);
    check(status == dnnl_success, "rnn: oneDNN's sgemm failed (status {})", static_cast<int>(status));
}

template <class T>
struct Backward {
    const RnnBackward& args;
    const RnnExtents e;
    const Shares shares;
    const Blocks blocks;
    const std::int64_t features;  // of a step: its inputs, and behind them the state before it
    const bool gru, weights;

    struct Share {
        PackedProduct of_states;
        void* product;
        float* row;  // bf16: wide rows from memory
    };
    PackedProduct of_inputs;
    void* product;
    float *weight_input, *weight_hidden;  // bf16: wide copies
    T* no_dy;
    float *dhidden, *dmemory;      // [batch, units]: the gradients of the state
    float *of_sums, *of_gru_sums;  // [span, batch, width]: the gradients of W x + b, and where they differ of V h + d
    float* dx;                     // [span, batch, inputs]
    float* operands;               // [span, batch, features]
    float* dweights;               // [width, features]
    double *dbias, *dbias_n;       // [width]: the sum of of_sums; [units]: gru's that of n's part of of_gru_sums
    std::vector<Share> parts = {};

    Backward(const RnnBackward& a, Pieces& pieces)
        : args(a),
          e(a),
          shares(e),
          blocks(e, block_rows(e)),
          features(e.inputs + e.units),
          gru(a.cell == RnnCell::gru),
          weights(a.dweight_input || a.dweight_hidden),
          of_inputs(blocks.span * e.batch, e.inputs, e.width, false, false, blocks.count),
          product(pieces.take_bytes(of_inputs.workspace_bytes())) {
        constexpr bool wide = std::is_same_v<T, float>;
        const std::int64_t rows = blocks.span * e.batch;
        weight_input = pieces.take(wide ? 0 : e.width * e.inputs);
        weight_hidden = pieces.take(wide ? 0 : e.width * e.units);
        no_dy = static_cast<T*>(pieces.take_bytes(static_cast<std::size_t>(e.units) * sizeof(T)));
        dhidden = pieces.take(e.batch * e.units);
        dmemory = pieces.take(e.batch * e.units);
        of_sums = pieces.take(rows * e.width);
        of_gru_sums = gru ? pieces.take(rows * e.width) : of_sums;
        dx = pieces.take(a.dx ? rows * e.inputs : 0);
        operands = pieces.take(weights ? rows * features : 0);
        dweights = pieces.take(weights ? e.width * features : 0);
        dbias = static_cast<double*>(pieces.take_bytes(static_cast<std::size_t>(e.width) * sizeof(double)));
        dbias_n = static_cast<double*>(pieces.take_bytes(static_cast<std::size_t>(e.units) * sizeof(double)));
        const SerialScope serial;
        for (std::int64_t i = 0; i < shares.count; ++i) {
            PackedProduct of_states(shares.rows(i), e.units, e.width, false, true, e.time);
            void* const memory = pieces.take_bytes(of_states.workspace_bytes());
            parts.push_back({std::move(of_states), memory, pieces.take(wide ? 0 : e.width + 3 * e.units)});
        }
    }

    void retreat(std::int64_t share, std::int64_t first_step, std::int64_t last_step) {
        Share& part = parts[static_cast<std::size_t>(share)];
        const std::int64_t first = shares.first(share), rows = shares.rows(share);
        const BackwardStep step = backward_step(args.cell);
        for (std::int64_t s = last_step; s-- > first_step;) {
            const std::int64_t start = ((s - first_step) * e.batch + first) * e.width;
            for (std::int64_t r = 0; r < rows; ++r)
                retreat_row(step, part.row, first + r, e.step(s), start + r * e.width);
            part.of_states.run(of_gru_sums + start, dhidden + first * e.units);
        }
    }

    void retreat_row(BackwardStep step, float* wide, std::int64_t row, std::int64_t t, std::int64_t sums) {
        const std::int64_t place = row * e.time + t;
        if (!e.counts(row, t)) {
            clear(of_sums + sums, e.width);
            clear(of_gru_sums + sums, e.width);
            return;
        }
        const T* const candidate = row_at<T>(args.candidate, place, e.units);
        const T* const dy = args.dy ? row_at<T>(args.dy, place, e.units) : no_dy;
        float* const wide_units = wide + e.width;
        step({.gates = widened(row_at<T>(args.gates, place, e.width), wide, e.width),
              .previous_hidden =
                  gru ? widened(row_at<T>(args.previous_hidden, place, e.units), wide_units, e.units) : nullptr,
              .previous_cell = row_at<float>(args.previous_cell, place, e.units),
              .candidate = candidate ? widened(candidate, wide_units + e.units, e.units) : nullptr,
              .dy = widened(dy, wide_units + 2 * e.units, e.units),
              .dhidden = dhidden + row * e.units,
              .dmemory = dmemory + row * e.units,
              .of_inputs = of_sums + sums,
              .of_states = of_gru_sums + sums},
             e.units);
    }

    /// Uses a block's gradients of the sums: for dx, and for the gradients of weights and biases.
    void use(std::int64_t first, std::int64_t last) {
        const std::int64_t rows = (last - first) * e.batch;
        if (args.dx) {
            of_inputs.run(of_sums, dx);  // rows beyond a shorter last block are nobody's
            for_rows(e, first, last, e.inputs, [&](std::int64_t place, std::int64_t row) {
                copy_back(dx + row * e.inputs, args.dx.as<T>() + place * e.inputs, e.inputs);
            });
        }
        if (weights) {
            for_rows(e, first, last, features, [&](std::int64_t place, std::int64_t row) {
                float* const to = operands + row * features;
                copy_wide(args.x.as<T>() + place * e.inputs, to, e.inputs);
                copy_wide(args.previous_hidden.as<T>() + place * e.units, to + e.inputs, e.units);
            });
            const bool accumulate = last < e.time;  // the last block comes first
            if (gru) {
                multiply_transposed(e.width, e.inputs, rows, of_sums, operands, dweights, features, accumulate);
                multiply_transposed(e.width, e.units, rows, of_gru_sums, operands + e.inputs, dweights + e.inputs,
                                    features, accumulate);
            } else {
                multiply_transposed(e.width, features, rows, of_sums, operands, dweights, features, accumulate);
            }
        }
        if (args.dbias_input || args.dbias_hidden)
            parallel_for(e.width, 256, [&](std::int64_t begin, std::int64_t end) {
                add_rows(of_sums + begin, rows, end - begin, e.width, dbias + begin);
            });
        if (gru && args.dbias_hidden)
            parallel_for(e.units, 256, [&](std::int64_t begin, std::int64_t end) {
                const std::int64_t at = 2 * e.units + begin;  // r and z have the same in both
                add_rows(of_gru_sums + at, rows, end - begin, e.width, dbias_n + begin);
            });
    }

    void run() {
        clear(no_dy, e.units);
        clear(dbias, e.width);
        clear(dbias_n, e.units);
        if (weights && e.batch == 0) clear(dweights, e.width * features);  // else the first product writes them
        copy_or_clear<T>(args.dhidden, dhidden, e.batch * e.units);
        copy_or_clear<float>(args.dfinal_cell, dmemory, e.batch * e.units);
        if (args.dx) of_inputs.prepare(widened(args.weight_input.as<T>(), weight_input, e.width * e.inputs), product);
        const float* const states = widened(args.weight_hidden.as<T>(), weight_hidden, e.width * e.units);
        shares.run([&](std::int64_t i) {
            Share& part = parts[static_cast<std::size_t>(i)];
            part.of_states.prepare(states, part.product);
        });
        for (std::int64_t b = blocks.count; b-- > 0;) {
            const std::int64_t first = blocks.first(b), last = blocks.last(b);
            shares.run([&](std::int64_t i) { retreat(i, first, last); });
            use(first, last);
        }
        finish();
    }

    void finish() {
        if (args.dinitial_hidden) copy_back(dhidden, args.dinitial_hidden.as<T>(), e.batch * e.units);
        if (args.dinitial_cell) copy_wide(dmemory, args.dinitial_cell.as<float>(), e.batch * e.units);
        for (std::int64_t row = 0; row < e.width; ++row) {
            const float* const from = dweights + row * features;
            if (args.dweight_input) copy_back(from, args.dweight_input.as<T>() + row * e.inputs, e.inputs);
            if (args.dweight_hidden) copy_back(from + e.inputs, args.dweight_hidden.as<T>() + row * e.units, e.units);
            if (args.dbias_input) store(args.dbias_input.as<T>()[row], static_cast<float>(dbias[row]));
            const bool own = gru && row >= 2 * e.units;
            if (args.dbias_hidden)
                store(args.dbias_hidden.as<T>()[row],
                      static_cast<float>(own ? dbias_n[row - 2 * e.units] : dbias[row]));
        }
    }
};

}  // namespace

void add_cpu(KernelTable<RnnBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::fast,
               .supports = [](const RnnBackward& args) { return f32_or_bf16(args.x.dtype); },
               .workspace_bytes =
                   [](const RnnBackward& args) {
                       Pieces pieces(nullptr);
                       with_f32_or_bf16(args.x.dtype, [&](auto zero) { Backward<decltype(zero)>(args, pieces); });
                       return pieces.used();
                   },
               .run =
                   [](const RnnBackward& args, KernelContext& context) {
                       Pieces pieces(context.workspace);
                       with_f32_or_bf16(args.x.dtype, [&](auto zero) { Backward<decltype(zero)>(args, pieces).run(); });
                   }});
}

}  // namespace heddle::kernels
