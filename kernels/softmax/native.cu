#include "kernels/native_registry.h"
#include "kernels/simt/native.h"
#include "kernels/simt/rows.h"
#include "kernels/softmax/softmax.h"

// Each kernel reads its operands once from memory, and later passes over a row find them in registers, in shared memory
// or in the first cache (simt/rows.h): the floor is (reads + writes of the operation) * elements * size.
HEDDLE_KERNELS_BEGIN
namespace {

template <class T, bool log, class Row>
__global__ void __launch_bounds__(Row::threads) softmax_rows(const T* x, T* y, RowTiles tiles) {
    Row row(tiles);
    auto logits = row.read(x);
    float largest = -INFINITY;
    for_columns(
        row, [&](auto, float value) { largest = Max{}(largest, value); }, logits);
    largest = row.reduce(largest, Max{}, -INFINITY);
    float sum = 0;
    const auto add = [&](auto, float& value) {
        const float power = expf(value - largest);
        if constexpr (!log) value = power;  // for the last pass, where the row keeps it
        sum += power;
    };
    for_columns(row, add, logits);
    sum = row.reduce(sum, Sum{}, 0.0f);
    const float scale = 1.0f / sum, log_sum = logf(sum);
    const auto result = [&](auto, float value) {
        if constexpr (log)
            return (value - largest) - log_sum;  // largest + log_sum would round away the latter
        else
            return (Row::keeps ? value : expf(value - largest)) * scale;
    };
    write_columns(row, y, result, logits);
}

template <class T, bool log, class Row>
__global__ void __launch_bounds__(Row::threads) softmax_backward_rows(const T* y, const T* dy, T* dx, RowTiles tiles) {
    Row row(tiles);
    auto values = row.read(y), gradients = row.read(dy);
    float sum = 0;
    const auto add = [&](auto, float value, float gradient) { sum += log ? gradient : gradient * value; };
    for_columns(row, add, values, gradients);
    sum = row.reduce(sum, Sum{}, 0.0f);
    const auto result = [&](auto, float value, float gradient) {
        return log ? gradient - expf(value) * sum : value * (gradient - sum);
    };
    write_columns(row, dx, result, values, gradients);
}

template <class T, bool log>
void forward_of(const SoftmaxForward& args, KernelContext& context) {
    const std::int64_t classes = args.x.shape.back(), rows = classes > 0 ? args.x.elements() / classes : 0;
    const T* x = args.x.as<T>();
    T* y = args.y.as<T>();
    const RowPlan plan = plan_rows<T>(rows, classes, 1, {x, y});
    with_row<T>(plan, [&](auto kind) {
        launch(softmax_rows<T, log, typename decltype(kind)::type>, plan.grid, plan.block, plan.shared_bytes, context,
               x, y, plan.tiles);
    });
}

template <class T, bool log>
void backward_of(const SoftmaxBackward& args, KernelContext& context) {
    const std::int64_t classes = args.y.shape.back(), rows = classes > 0 ? args.y.elements() / classes : 0;
    const T *y = args.y.as<T>(), *dy = args.dy.as<T>();
    T* dx = args.dx.as<T>();
    const RowPlan plan = plan_rows<T>(rows, classes, 2, {y, dy, dx});
    with_row<T>(plan, [&](auto kind) {
        launch(softmax_backward_rows<T, log, typename decltype(kind)::type>, plan.grid, plan.block, plan.shared_bytes,
               context, y, dy, dx, plan.tiles);
    });
}

}  // namespace

void register_softmax() {
    softmax_forward().add({.name = "native",
                           .device = backend,
                           .priority = priority::plain,
                           .supports = [](const SoftmaxForward& args) { return floating(args.x.dtype); },
                           .run =
                               [](const SoftmaxForward& args, KernelContext& context) {
                                   with_floating(args.x.dtype, [&](auto zero) {
                                       using T = decltype(zero);
                                       args.log ? forward_of<T, true>(args, context)
                                                : forward_of<T, false>(args, context);
                                   });
                               }});
    softmax_backward().add({.name = "native",
                            .device = backend,
                            .priority = priority::plain,
                            .supports = [](const SoftmaxBackward& args) { return floating(args.y.dtype); },
                            .run =
                                [](const SoftmaxBackward& args, KernelContext& context) {
                                    with_floating(args.y.dtype, [&](auto zero) {
                                        using T = decltype(zero);
                                        args.log ? backward_of<T, true>(args, context)
                                                 : backward_of<T, false>(args, context);
                                    });
                                }});
}

HEDDLE_KERNELS_END
