#include <algorithm>
#include <cstring>
#include <vector>

#include "core/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/rnn/cpu_product.h"
#include "kernels/rnn/cpu_steps.h"
#include "kernels/rnn/implementations.h"
#include "kernels/rnn/products.h"

// What does not depend on the state is one product over all steps. Of the rest, each thread takes some rows of the
// batch through all steps, so that no step waits for a thread: a product with packed weights, then one pass over the
// row. The floor is the products: 2 * batch * time * gates * units * (inputs + units) operations forward, twice that
// backward.
namespace heddle::kernels {
namespace {

/// Pieces of the workspace one behind the other, aligned to 64 bytes; from a null start they are only counted.
class Pieces {
  public:
    explicit Pieces(void* start) : start_(static_cast<std::byte*>(start)) {}
    void* take_bytes(std::size_t bytes) {
        std::byte* const piece = start_ ? start_ + used_ : nullptr;
        used_ += (bytes + 63) / 64 * 64;
        return piece;
    }
    float* take(std::int64_t floats) {
        return static_cast<float*>(take_bytes(static_cast<std::size_t>(floats) * sizeof(float)));
    }
    std::size_t used() const { return used_; }

  private:
    std::byte* start_;
    std::size_t used_ = 0;
};

/// The batch in parts of about the same number of rows, one for each thread.
struct Shares {
    std::int64_t batch, count;

    explicit Shares(const RnnExtents& e) : batch(e.batch) {
        // With fewer than four rows a product is bound by reading the weights, which every thread does.
        const bool small = e.batch * e.time * e.width * e.units < (1 << 18);
        count = small ? 1 : std::clamp<std::int64_t>(e.batch / 4, 1, thread_count());
    }
    std::int64_t first(std::int64_t share) const { return batch * share / count; }
    std::int64_t rows(std::int64_t share) const { return first(share + 1) - first(share); }

    template <class Body>
    void run(const Body& body) const {
        parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
            const SerialScope serial;
            const onednn::ThreadScope scope;
            for (std::int64_t share = begin; share < end; ++share) body(share);
        });
    }
};

void clear(float* row, std::int64_t count) {
    if (row) std::memset(row, 0, static_cast<std::size_t>(count) * sizeof(float));
}

void copy(float* to, const float* from, std::int64_t count) {
    if (to) std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
}

/// `count` elements from `view`, or zeros where it is absent.
void copy_or_clear(float* to, const View& view, std::int64_t first, std::int64_t count) {
    if (view)
        copy(to, view.as<float>() + first, count);
    else
        clear(to, count);
}

/// Row `place` of a tensor whose rows have `length` elements; null where it is absent.
float* row_at(const View& view, std::int64_t place, std::int64_t length) {
    return view ? view.as<float>() + place * length : nullptr;
}

// Forward. ------------------------------------------------------------------------------------------------------------

struct ForwardMemory {
    float* no_bias;
    struct Share {
        float* of_states;  // [rows, width]: V h
        void* product;
    };
    std::vector<Share> shares = {};
};

ForwardMemory forward_memory(const RnnForward& args, Pieces& pieces) {
    const RnnExtents e(args);
    const Shares shares(e);
    const SerialScope serial;
    ForwardMemory memory{pieces.take(args.bias_hidden ? 0 : e.width)};
    for (std::int64_t i = 0; i < shares.count; ++i) {
        const StepProduct product(shares.rows(i), e.width, e.units, true, false, e.time);
        memory.shares.push_back({pieces.take(shares.rows(i) * e.width), pieces.take_bytes(product.workspace_bytes())});
    }
    return memory;
}

void forward_share(const RnnForward& args, std::int64_t first, std::int64_t rows, const float* bias,
                   const ForwardMemory::Share& memory) {
    const RnnExtents e(args);
    const ForwardStep step = forward_step(args.cell);
    float *hidden = row_at(args.hidden, first, e.units), *cell = row_at(args.final_cell, first, e.units);
    copy_or_clear(hidden, args.initial_hidden, first * e.units, rows * e.units);
    copy_or_clear(cell, args.initial_cell, first * e.units, rows * e.units);
    StepProduct product(rows, e.width, e.units, true, false, e.time);
    product.prepare(hidden, args.weight_hidden.as<float>(), memory.of_states, memory.product);
    for (std::int64_t s = 0; s < e.time; ++s) {
        const std::int64_t t = e.step(s);
        product.run();
        for (std::int64_t r = 0; r < rows; ++r) {
            const std::int64_t place = (first + r) * e.time + t;
            const ForwardRow row{.gates = row_at(args.gates, place, e.width),
                                 .of_state = memory.of_states + r * e.width,
                                 .bias = bias,
                                 .hidden = hidden + r * e.units,
                                 .memory = cell ? cell + r * e.units : nullptr,
                                 .previous_hidden = row_at(args.previous_hidden, place, e.units),
                                 .previous_cell = row_at(args.previous_cell, place, e.units),
                                 .candidate = row_at(args.candidate, place, e.units),
                                 .y = row_at(args.y, place, e.units)};
            if (e.counts(first + r, t)) {
                step(row, e.units);
                continue;
            }
            copy(row.previous_hidden, row.hidden, e.units);
            copy(row.previous_cell, row.memory, e.units);
            clear(row.gates, e.width);
            clear(row.candidate, e.units);
            clear(row.y, e.units);
        }
    }
}

void forward(const RnnForward& args, KernelContext& context) {
    project_inputs(args, context);
    Pieces pieces(context.workspace);
    const ForwardMemory memory = forward_memory(args, pieces);
    const RnnExtents e(args);
    const Shares shares(e);
    clear(memory.no_bias, args.bias_hidden ? 0 : e.width);
    const float* bias = args.bias_hidden ? args.bias_hidden.as<float>() : memory.no_bias;
    shares.run([&](std::int64_t i) {
        forward_share(args, shares.first(i), shares.rows(i), bias, memory.shares[static_cast<std::size_t>(i)]);
    });
}

// Backward. -----------------------------------------------------------------------------------------------------------

struct BackwardMemory {
    float *of_inputs, *of_states;  // [batch, time, width]: the gradients of W x + b and of V h + d
    float* no_dy;
    struct Share {
        float* compact;            // [rows, width]: the gradients of V h + d of one step
        float *dhidden, *dmemory;  // [rows, units]
        void* product;
    };
    std::vector<Share> shares = {};
};

BackwardMemory backward_memory(const RnnBackward& args, Pieces& pieces) {
    const RnnExtents e(args);
    const Shares shares(e);
    const SerialScope serial;
    const std::int64_t sums = e.batch * e.time * e.width;
    BackwardMemory memory{pieces.take(sums), nullptr, nullptr};
    memory.of_states = args.cell == RnnCell::gru ? pieces.take(sums) : memory.of_inputs;
    memory.no_dy = pieces.take(args.dy ? 0 : e.units);
    for (std::int64_t i = 0; i < shares.count; ++i) {
        const std::int64_t rows = shares.rows(i);
        const StepProduct product(rows, e.units, e.width, false, true, e.time);
        memory.shares.push_back({pieces.take(rows * e.width), pieces.take(rows * e.units), pieces.take(rows * e.units),
                                 pieces.take_bytes(product.workspace_bytes())});
    }
    return memory;
}

void backward_share(const RnnBackward& args, std::int64_t first, std::int64_t rows, const BackwardMemory& all,
                    const BackwardMemory::Share& memory) {
    const RnnExtents e(args);
    const BackwardStep step = backward_step(args.cell);
    copy_or_clear(memory.dhidden, args.dhidden, first * e.units, rows * e.units);
    copy_or_clear(memory.dmemory, args.dfinal_cell, first * e.units, rows * e.units);
    StepProduct product(rows, e.units, e.width, false, true, e.time);
    product.prepare(memory.compact, args.weight_hidden.as<float>(), memory.dhidden, memory.product);
    for (std::int64_t s = e.time; s-- > 0;) {
        const std::int64_t t = e.step(s);
        for (std::int64_t r = 0; r < rows; ++r) {
            const std::int64_t place = (first + r) * e.time + t;
            const BackwardRow row{.gates = row_at(args.gates, place, e.width),
                                  .previous_hidden = row_at(args.previous_hidden, place, e.units),
                                  .previous_cell = row_at(args.previous_cell, place, e.units),
                                  .candidate = row_at(args.candidate, place, e.units),
                                  .dy = args.dy ? row_at(args.dy, place, e.units) : all.no_dy,
                                  .dhidden = memory.dhidden + r * e.units,
                                  .dmemory = memory.dmemory + r * e.units,
                                  .of_inputs = all.of_inputs + place * e.width,
                                  .of_states = all.of_states + place * e.width,
                                  .compact = memory.compact + r * e.width};
            if (e.counts(first + r, t)) {
                step(row, e.units);
                continue;
            }
            clear(row.of_inputs, e.width);
            clear(row.of_states, e.width);
            clear(row.compact, e.width);
        }
        product.run();
    }
    copy(row_at(args.dinitial_hidden, first, e.units), memory.dhidden, rows * e.units);
    copy(row_at(args.dinitial_cell, first, e.units), memory.dmemory, rows * e.units);
}

void backward(const RnnBackward& args, KernelContext& context) {
    Pieces pieces(context.workspace);
    const BackwardMemory memory = backward_memory(args, pieces);
    const RnnExtents e(args);
    const Shares shares(e);
    clear(memory.no_dy, args.dy ? 0 : e.units);
    shares.run([&](std::int64_t i) {
        backward_share(args, shares.first(i), shares.rows(i), memory, memory.shares[static_cast<std::size_t>(i)]);
    });
    const View of_inputs(memory.of_inputs, args.gates.shape, DType::f32),
        of_states(memory.of_states, args.gates.shape, DType::f32);
    finish_gradients(args, of_inputs, of_states, context);
}

}  // namespace

void add_cpu(KernelTable<RnnForward>& table) {
    table.add({.name = "cpu",
               .priority = priority::fast,
               .supports = [](const RnnForward& args) { return only_f32(args.x.dtype); },
               .workspace_bytes =
                   [](const RnnForward& args) {
                       Pieces pieces(nullptr);
                       forward_memory(args, pieces);
                       return pieces.used();
                   },
               .run = forward});
}

void add_cpu(KernelTable<RnnBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::fast,
               .supports = [](const RnnBackward& args) { return only_f32(args.x.dtype); },
               .workspace_bytes =
                   [](const RnnBackward& args) {
                       Pieces pieces(nullptr);
                       backward_memory(args, pieces);
                       return pieces.used();
                   },
               .run = backward});
}

}  // namespace heddle::kernels
