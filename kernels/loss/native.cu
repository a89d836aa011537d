#include "kernels/loss/loss.h"
#include "kernels/native_registry.h"
#include "kernels/simt/native.h"
#include "kernels/simt/rows.h"

// Cross-entropy. Each kernel reads the logits once from memory, and later passes over a row find them in registers, in
// shared memory or in the first cache (simt/rows.h). The floor is the bytes: the logits once (dense labels too), and
// once more for the gradient that is written.
HEDDLE_KERNELS_BEGIN
namespace {

/// The labels of all rows after smoothing: q_c = keep * label_c + share.
template <class T>
struct Targets {
    const T* dense = nullptr;  // or
    const void* sparse = nullptr;
    DType dtype = DType::i32;  // of the sparse ones
    std::int64_t ignored = no_ignored_label;
    float keep = 1, share = 0;
};

/// One row of them: an operand of `for_columns`, whose elements are q_c.
template <class T>
struct Target {
    const T* dense;
    std::int64_t label;  // where sparse
    bool ignored, outside;
    float keep, share;

    template <int V>
    __device__ Floats<V> at(int slot, std::int64_t column) const {
        Floats<V> q;
        if (dense) {
            q = InMemory<T>{dense}.template at<V>(slot, column);
            HEDDLE_UNROLL
            for (int v = 0; v < V; ++v) q[v] = keep * q[v] + share;
        } else {
            HEDDLE_UNROLL
            for (int v = 0; v < V; ++v) q[v] = column + v == label ? keep + share : share;
        }
        return q;
    }
};

/// All threads call it.
template <class T, class Row>
__device__ Target<T> target_of(const Targets<T>& targets, Row& row, std::int64_t classes) {
    Target<T> target{nullptr, 0, false, false, targets.keep, targets.share};
    if (targets.dense) {  // the same for all threads
        target.dense = row.find(targets.dense);
        return target;
    }
    if (!row.inside) return target;
    if (targets.dtype == DType::i64)
        target.label = static_cast<const std::int64_t*>(targets.sparse)[row.row];
    else if (targets.dtype == DType::u8)
        target.label = static_cast<const std::uint8_t*>(targets.sparse)[row.row];
    else
        target.label = static_cast<const std::int32_t*>(targets.sparse)[row.row];
    target.ignored = target.label == targets.ignored;
    target.outside = !target.ignored && (target.label < 0 || target.label >= classes);
    return target;
}

/// The largest logit of the row.
template <class Row, class Operand>
__device__ float largest_of(const Row& row, Operand& logits) {
    float largest = -INFINITY;
    for_columns(
        row, [&](auto, float value) { largest = Max{}(largest, value); }, logits);
    return row.reduce(largest, Max{}, -INFINITY);
}

/// The loss of a sparse target, from its own distance (its logit minus the largest) and the sum of all distances. A
/// weight of 0 contributes 0 even if the distance is infinite.
template <class T>
__device__ float sparse_loss(const Target<T>& target, float log_sum, float own_distance, float distances) {
    if (target.keep != 0) log_sum -= target.keep * own_distance;
    if (target.share != 0) log_sum -= target.share * distances;
    return log_sum;
}

template <class T, class Row>
__global__ void __launch_bounds__(Row::threads)
    entropy_rows(const T* x, Targets<T> targets, float* loss, float* log_sums, RowTiles tiles) {
    Row row(tiles);
    auto logits = row.read(x);
    const Target<T> target = target_of(targets, row, tiles.length);
    const float largest = largest_of(row, logits);
    // Of exp(d_c) and, of dense targets, of q_c and of q_c d_c where q_c is not 0; of sparse ones, of d_c.
    float powers = 0, total = 0, distances = 0;
    const auto add_dense = [&](auto, float value, float q) {
        const float d = value - largest;
        powers += expf(d);
        total += q;
        if (q != 0) distances += q * d;
    };
    const auto add_sparse = [&](auto, float value) {
        const float d = value - largest;
        powers += expf(d);
        distances += d;
    };
    if (targets.dense)  // the same for all threads
        for_columns(row, add_dense, logits, target);
    else
        for_columns(row, add_sparse, logits);
    powers = row.reduce(powers, Sum{}, 0.0f);
    distances = row.reduce(distances, Sum{}, 0.0f);
    if (targets.dense) total = row.reduce(total, Sum{}, 0.0f);
    if (!row.leads()) return;
    const float log_sum = logf(powers);
    log_sums[row.row] = log_sum;
    if (targets.dense)
        loss[row.row] = total * log_sum - distances;
    else if (target.ignored)
        loss[row.row] = 0;
    else if (target.outside)
        loss[row.row] = NAN;
    else
        loss[row.row] =
            sparse_loss(target, log_sum, to_f32(x[row.row * tiles.length + target.label]) - largest, distances);
}

/// What multiplies a row's gradient.
struct Factor {
    const float* dloss;
    bool same;
    float scale;

    __device__ float operator()(std::int64_t row) const { return dloss[same ? 0 : row] * scale; }
};

template <class T, class Row>
__global__ void __launch_bounds__(Row::threads)
    gradient_rows(const T* x, Targets<T> targets, const float* log_sums, Factor factor, T* dx, RowTiles tiles) {
    Row row(tiles);
    auto logits = row.read(x);
    const Target<T> target = target_of(targets, row, tiles.length);
    const float largest = largest_of(row, logits);
    float total = 1;
    if (targets.dense) {  // the same for all threads
        total = 0;
        for_columns(
            row, [&](auto, float q) { total += q; }, target);
        total = row.reduce(total, Sum{}, 0.0f);
    }
    const float log_sum = row.inside ? log_sums[row.row] : 0;
    const float by = !row.inside ? 0 : target.outside ? NAN : factor(row.row);
    const auto gradient = [&](auto, float value, float q) {
        return target.ignored ? 0.0f : (expf(value - largest - log_sum) * total - q) * by;
    };
    write_columns(row, dx, gradient, logits, target);
}

template <class T, class Args>
Targets<T> targets_of(const Args& args) {
    Targets<T> targets;
    if (is_floating(args.labels.dtype))
        targets.dense = args.labels.template as<T>();
    else
        targets.sparse = args.labels.data;
    targets.dtype = args.labels.dtype;
    targets.ignored = args.ignore_index;
    targets.keep = 1 - args.label_smoothing;
    targets.share = args.label_smoothing / static_cast<float>(args.logits.shape.back());
    return targets;
}

/// `dx`: the logits where there is no gradient.
template <class T>
RowPlan plan_of(std::int64_t rows, std::int64_t classes, const Targets<T>& targets, const T* x, const T* dx) {
    return plan_rows<T>(rows, classes, targets.dense ? 2 : 1, {x, dx, targets.dense ? targets.dense : x});
}

template <class T>
void forward_of(const CrossEntropyForward& args, KernelContext& context) {
    const T* x = args.logits.as<T>();
    const Targets<T> targets = targets_of<T>(args);
    const RowPlan plan = plan_of(args.log_sum.elements(), args.logits.shape.back(), targets, x, x);
    with_row<T>(plan, [&](auto kind) {
        launch(entropy_rows<T, typename decltype(kind)::type>, plan.grid, plan.block, plan.shared_bytes, context, x,
               targets, args.loss.as<float>(), args.log_sum.as<float>(), plan.tiles);
    });
}

template <class T>
void backward_of(const CrossEntropyBackward& args, KernelContext& context) {
    const T* x = args.logits.as<T>();
    T* dx = args.dlogits.as<T>();
    const Targets<T> targets = targets_of<T>(args);
    const Factor factor{args.dloss.as<float>(), args.dloss.elements() == 1, args.scale};
    const RowPlan plan = plan_of(args.log_sum.elements(), args.logits.shape.back(), targets, x, dx);
    with_row<T>(plan, [&](auto kind) {
        launch(gradient_rows<T, typename decltype(kind)::type>, plan.grid, plan.block, plan.shared_bytes, context, x,
               targets, args.log_sum.as<float>(), factor, dx, plan.tiles);
    });
}

/// Labels as the logits where dense; the rest in f32.
template <class Args>
Support supports(const Args& args, std::initializer_list<const View*> wide) {
    if (is_floating(args.labels.dtype) && args.labels.dtype != args.logits.dtype)
        return Support::no("dense labels of dtype " + std::string(to_string(args.labels.dtype)) +
                           " (only that of the logits)");
    for (const View* view : wide)
        if (view->dtype != DType::f32)
            return Support::no("losses and sums of dtype " + std::string(to_string(view->dtype)) + " (only f32)");
    return floating(args.logits.dtype);
}

}  // namespace

void register_cross_entropy() {
    cross_entropy_forward().add({.name = "native",
                                 .device = backend,
                                 .priority = priority::plain,
                                 .supports =
                                     [](const CrossEntropyForward& args) {
                                         return supports(args, {&args.loss, &args.log_sum});
                                     },
                                 .run =
                                     [](const CrossEntropyForward& args, KernelContext& context) {
                                         with_floating(args.logits.dtype,
                                                       [&](auto zero) { forward_of<decltype(zero)>(args, context); });
                                     }});
    cross_entropy_backward().add({.name = "native",
                                  .device = backend,
                                  .priority = priority::plain,
                                  .supports =
                                      [](const CrossEntropyBackward& args) {
                                          return supports(args, {&args.log_sum, &args.dloss});
                                      },
                                  .run =
                                      [](const CrossEntropyBackward& args, KernelContext& context) {
                                          with_floating(args.logits.dtype,
                                                        [&](auto zero) { backward_of<decltype(zero)>(args, context); });
                                      }});
}

HEDDLE_KERNELS_END
