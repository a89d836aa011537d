#pragma once

#include "core/driver/driver.h"
#include "kernels/matmul/matmul.h"
#include "kernels/rnn/extents.h"

// What does not depend on the state, one product over all steps each: the host's side, for devices.
namespace heddle::kernels {

template <class Args>
void run_on(KernelTable<Args>& table, const Args& args, const KernelContext& context) {
    run_implementation(table.choose(args, context.device), args, context.device, context.stream);
}

/// A tensor [batch, time, n] as the matrix of its steps.
inline View as_rows(const View& view) {
    return {view.data, Shape{view.shape[0] * view.shape[1], view.shape[2]}, view.dtype};
}

/// gates = x Wᵀ + b.
inline void project_inputs(const RnnForward& args, const KernelContext& context) {
    run_on(matmul(),
           Matmul{.a = as_rows(args.x),
                  .b = args.weight_input,
                  .bias = args.bias_input,
                  .transpose_b = true,
                  .c = as_rows(args.gates)},
           context);
}

/// The gradients of x, weights and biases. `of_inputs`, `of_states` [batch, time, gates * units]: the gradients of the
/// gates' sums W x + b and V h + d; the same memory where they are the same.
inline void finish_gradients(const RnnBackward& args, const View& of_inputs, const View& of_states,
                             const KernelContext& context) {
    const auto product = [&](const View& a, const View& b, bool transpose_a, const View& c) {
        if (c) run_on(matmul(), Matmul{.a = as_rows(a), .b = b, .transpose_a = transpose_a, .c = c}, context);
    };
    product(of_inputs, args.weight_input, false, args.dx ? as_rows(args.dx) : View());
    product(of_inputs, as_rows(args.x), true, args.dweight_input);
    product(of_states, as_rows(args.previous_hidden), true, args.dweight_hidden);
    const bool same = of_inputs.data == of_states.data && args.dbias_input && args.dbias_hidden;
    if (args.dbias_input) run_on(bias_gradient(), BiasGradient{.dy = of_inputs, .dbias = args.dbias_input}, context);
    if (args.dbias_hidden && !same)
        run_on(bias_gradient(), BiasGradient{.dy = of_states, .dbias = args.dbias_hidden}, context);
    if (same)
        driver(context.device)
            .copy(args.dbias_hidden.data, args.dbias_input.data,
                  static_cast<std::size_t>(args.dbias_input.elements()) * size_of(args.dbias_input.dtype),
                  CopyKind::device_to_device, context.stream);
}

}  // namespace heddle::kernels
