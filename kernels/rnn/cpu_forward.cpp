#include <vector>

#include "kernels/rnn/cpu_blocks.h"
#include "kernels/rnn/cpu_steps.h"
#include "kernels/rnn/implementations.h"

// Floor: the products, 2 * batch * time * gates * units * (inputs + units) operations, and x, gates, states and results
// of all steps moved once.
namespace heddle::kernels {
namespace {

/// Few enough that a block's sums stay in the second-level cache, but more where a block has more weights to read.
/// Half or twice as many cost 0 to 4 %.
std::int64_t block_rows(const RnnExtents& e) { return std::max<std::int64_t>(128, e.inputs / 2); }

template <class T>
struct Forward {
    const RnnForward& args;
    const RnnExtents e;
    const Shares shares;
    const Blocks blocks;
    const bool gru;

    struct Share {
        PackedProduct of_states;
        void* product;
        float* row;  // bf16: wide rows on their way to memory
    };
    PackedProduct of_inputs;
    void* product;
    float *weight_input, *weight_hidden;  // bf16: wide copies
    float* bias;                          // b + d; of gru's n only b, and behind all gates d
    float *hidden, *memory;               // [batch, units]: the state
    float* x;                             // [span, batch, inputs]
    float* sums;                          // [span, batch, width]: W x, in the end + V h
    float* of_state;                      // gru: [batch, width], V h
    std::vector<Share> parts = {};

    Forward(const RnnForward& a, Pieces& pieces)
        : args(a),
          e(a),
          shares(e),
          blocks(e, block_rows(e)),
          gru(a.cell == RnnCell::gru),
          of_inputs(blocks.span * e.batch, e.width, e.inputs, true, false, blocks.count),
          product(pieces.take_bytes(of_inputs.workspace_bytes())) {
        constexpr bool wide = std::is_same_v<T, float>;
        weight_input = pieces.take(wide ? 0 : e.width * e.inputs);
        weight_hidden = pieces.take(wide ? 0 : e.width * e.units);
        bias = pieces.take(e.width + (gru ? e.units : 0));
        hidden = pieces.take(e.batch * e.units);
        memory = pieces.take(a.cell == RnnCell::lstm ? e.batch * e.units : 0);
        x = pieces.take(blocks.span * e.batch * e.inputs);
        sums = pieces.take(blocks.span * e.batch * e.width);
        of_state = pieces.take(gru ? e.batch * e.width : 0);
        const SerialScope serial;
        for (std::int64_t i = 0; i < shares.count; ++i) {
            PackedProduct of_states(shares.rows(i), e.width, e.units, true, !gru, e.time);
            void* const memory_of_product = pieces.take_bytes(of_states.workspace_bytes());
            parts.push_back({std::move(of_states), memory_of_product, pieces.take(wide ? 0 : e.width + 3 * e.units)});
        }
    }

    void add_biases() {
        const std::int64_t both = gru ? 2 * e.units : e.width;
        const auto value = [](const View& view, std::int64_t i) { return view ? load(view.as<T>()[i]) : 0.0f; };
        for (std::int64_t i = 0; i < e.width; ++i)
            bias[i] = value(args.bias_input, i) + (i < both ? value(args.bias_hidden, i) : 0);
        for (std::int64_t i = both; i < e.width; ++i) bias[e.units + i] = value(args.bias_hidden, i);
    }

    void advance(std::int64_t share, std::int64_t first_step, std::int64_t last_step) {
        Share& part = parts[static_cast<std::size_t>(share)];
        const std::int64_t first = shares.first(share), rows = shares.rows(share);
        const ForwardStep step = forward_step(args.cell);
        for (std::int64_t s = first_step; s < last_step; ++s) {
            float* const step_sums = sums + ((s - first_step) * e.batch + first) * e.width;
            float* const step_of_state = gru ? of_state + first * e.width : step_sums;
            part.of_states.run(hidden + first * e.units, step_of_state);
            for (std::int64_t r = 0; r < rows; ++r)
                advance_row(step, part.row, first + r, e.step(s), step_sums + r * e.width, step_of_state + r * e.width);
        }
    }

    void advance_row(ForwardStep step, float* wide, std::int64_t row, std::int64_t t, const float* row_sums,
                     const float* row_of_state) {
        const std::int64_t place = row * e.time + t;
        T *const gates = row_at<T>(args.gates, place, e.width), *const y = row_at<T>(args.y, place, e.units),
                 *const before = row_at<T>(args.previous_hidden, place, e.units),
                 *const candidate = row_at<T>(args.candidate, place, e.units);
        float *const h = hidden + row * e.units, *const c = memory + row * e.units;
        float* const cell_before = row_at<float>(args.previous_cell, place, e.units);
        if (!e.counts(row, t)) {
            copy_back(h, before, e.units);
            if (cell_before) copy_wide(c, cell_before, e.units);
            clear(gates, e.width);
            clear(candidate, e.units);
            clear(y, e.units);
            return;
        }
        const ForwardRow operands{.sums = row_sums,
                                  .of_state = row_of_state,
                                  .bias = bias,
                                  .hidden = h,
                                  .memory = c,
                                  .gates = wide_place(gates, wide),
                                  .previous_hidden = wide_place(before, wide + e.width),
                                  .previous_cell = cell_before,
                                  .candidate = wide_place(candidate, wide + e.width + e.units),
                                  .y = wide_place(y, wide + e.width + 2 * e.units)};
        step(operands, e.units);
        put_back(operands.gates, gates, e.width);
        put_back(operands.previous_hidden, before, e.units);
        if (candidate) put_back(operands.candidate, candidate, e.units);
        put_back(operands.y, y, e.units);
    }

    void run() {
        add_biases();
        copy_or_clear<T>(args.initial_hidden, hidden, e.batch * e.units);
        if (args.cell == RnnCell::lstm) copy_or_clear<float>(args.initial_cell, memory, e.batch * e.units);
        of_inputs.prepare(widened(args.weight_input.as<T>(), weight_input, e.width * e.inputs), product);
        const float* const weights = widened(args.weight_hidden.as<T>(), weight_hidden, e.width * e.units);
        shares.run([&](std::int64_t i) {
            Share& part = parts[static_cast<std::size_t>(i)];
            part.of_states.prepare(weights, part.product);
        });
        for (std::int64_t b = 0; b < blocks.count; ++b) {
            const std::int64_t first = blocks.first(b), last = blocks.last(b);
            for_rows(e, first, last, e.inputs, [&](std::int64_t place, std::int64_t row) {
                copy_wide(args.x.as<T>() + place * e.inputs, x + row * e.inputs, e.inputs);
            });
            of_inputs.run(x, sums);  // rows beyond a shorter last block are nobody's
            shares.run([&](std::int64_t i) { advance(i, first, last); });
        }
        copy_back(hidden, args.hidden.as<T>(), e.batch * e.units);
        if (args.final_cell) copy_wide(memory, args.final_cell.as<float>(), e.batch * e.units);
    }
};

}  // namespace

void add_cpu(KernelTable<RnnForward>& table) {
    table.add({.name = "cpu",
               .priority = priority::fast,
               .supports = [](const RnnForward& args) { return f32_or_bf16(args.x.dtype); },
               .workspace_bytes =
                   [](const RnnForward& args) {
                       Pieces pieces(nullptr);
                       with_f32_or_bf16(args.x.dtype, [&](auto zero) { Forward<decltype(zero)>(args, pieces); });
                       return pieces.used();
                   },
               .run =
                   [](const RnnForward& args, KernelContext& context) {
                       Pieces pieces(context.workspace);
                       with_f32_or_bf16(args.x.dtype, [&](auto zero) { Forward<decltype(zero)>(args, pieces).run(); });
                   }});
}

}  // namespace heddle::kernels
