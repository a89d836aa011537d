#include "kernels/loss/loss.h"
#include "kernels/native_registry.h"
#include "kernels/simt/native.h"

// Cross-entropy. A row belongs to a group of lanes and stays in their registers while it is short, to a block where it
// is long (which reads it a second time, from cache). The floor is the bytes: the logits once (dense labels too), and
// once more for the gradient that is written.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int short_threads = 128, block_threads = 256;
constexpr int longest_in_registers = 1024;  // classes, 32 a lane

/// The labels of all rows after smoothing: q_c = keep * label_c + share.
template <class T>
struct Targets {
    const T* dense = nullptr;  // or
    const void* sparse = nullptr;
    DType dtype = DType::i32;  // of the sparse ones
    std::int64_t ignored = no_ignored_label;
    float keep = 1, share = 0;
};

/// One row of them.
template <class T>
struct Target {
    const T* dense;
    std::int64_t label;  // where sparse
    bool ignored;
    float keep, share;

    __device__ float operator()(std::int64_t c) const {
        if (dense) return keep * to_f32(dense[c]) + share;
        return c == label ? keep + share : share;
    }
};

template <class T>
__device__ Target<T> target_of(const Targets<T>& targets, std::int64_t row, std::int64_t classes) {
    Target<T> target{nullptr, 0, false, targets.keep, targets.share};
    if (targets.dense) {
        target.dense = targets.dense + row * classes;
        return target;
    }
    if (targets.dtype == DType::i64)
        target.label = static_cast<const std::int64_t*>(targets.sparse)[row];
    else if (targets.dtype == DType::u8)
        target.label = static_cast<const std::uint8_t*>(targets.sparse)[row];
    else
        target.label = static_cast<const std::int32_t*>(targets.sparse)[row];
    target.ignored = target.label == targets.ignored;
    return target;
}

/// Sums that a row's loss is made of, with d_c = x_c - the largest x.
struct Sums {
    float powers = 0;     // sum of exp(d_c)
    float total = 0;      // sum of q_c
    float distances = 0;  // sum of q_c d_c where q_c is not 0

    template <class T>
    __device__ void add(float d, const Target<T>& target, std::int64_t c) {
        const float q = target(c);
        powers += expf(d);
        total += q;
        if (q != 0) distances += q * d;
    }
};

/// The loss; sparse targets have a total of 1.
template <class T>
__device__ float loss_of(const Sums& sums, float log_sum, const Target<T>& target) {
    if (target.ignored) return 0;
    return (target.dense ? sums.total : 1.0f) * log_sum - sums.distances;
}

/// Lane groups of `width` (a power of two); all lanes of the warp call it.
template <class Op>
__device__ inline float reduce_group(float value, Op op, int width) {
    for (int offset = width / 2; offset > 0; offset /= 2) value = op(value, __shfl_xor_sync(all_lanes, value, offset));
    return value;
}

/// A lane's part of a row: classes lane, lane + width, ...; -inf beyond the end.
template <int per_lane>
struct ShortRow {
    float value[per_lane];
    float largest = -INFINITY;

    template <class T>
    __device__ void load(const T* x, int classes, int lane, int width, bool inside) {
        HEDDLE_UNROLL
        for (int i = 0; i < per_lane; ++i) {
            const int c = lane + i * width;
            value[i] = inside && c < classes ? to_f32(x[c]) : -INFINITY;
            largest = Max{}(largest, value[i]);
        }
        largest = reduce_group(largest, Max{}, width);
    }
};

template <class T, int per_lane>
__global__ void entropy_short_rows(const T* x, Targets<T> targets, float* loss, float* log_sums, std::int64_t rows,
                                   int classes, int width) {
    const int lane = static_cast<int>(threadIdx.x) % width;
    const std::int64_t row =
        static_cast<std::int64_t>(blockIdx.x) * (short_threads / width) + static_cast<int>(threadIdx.x) / width;
    const bool inside = row < rows;
    ShortRow<per_lane> part;
    part.load(x + row * classes, classes, lane, width, inside);
    Target<T> target{};
    if (inside) target = target_of(targets, row, classes);
    Sums sums;
    HEDDLE_UNROLL
    for (int i = 0; i < per_lane; ++i) {
        const int c = lane + i * width;
        if (inside && c < classes) sums.add(part.value[i] - part.largest, target, c);
    }
    sums.powers = reduce_group(sums.powers, Sum{}, width);
    sums.total = reduce_group(sums.total, Sum{}, width);
    sums.distances = reduce_group(sums.distances, Sum{}, width);
    if (lane != 0 || !inside) return;
    log_sums[row] = logf(sums.powers);
    loss[row] = loss_of(sums, log_sums[row], target);
}

template <class T>
__device__ float largest_of(const T* x, std::int64_t classes) {
    float largest = -INFINITY;
    for (std::int64_t c = threadIdx.x; c < classes; c += block_threads) largest = Max{}(largest, to_f32(x[c]));
    return block_reduce(largest, Max{}, -INFINITY);
}

template <class T>
__global__ void entropy_long_rows(const T* x, Targets<T> targets, float* loss, float* log_sums, std::int64_t classes) {
    const std::int64_t row = blockIdx.x;
    x += row * classes;
    const float largest = largest_of(x, classes);
    const Target<T> target = target_of(targets, row, classes);
    Sums sums;
    for (std::int64_t c = threadIdx.x; c < classes; c += block_threads) sums.add(to_f32(x[c]) - largest, target, c);
    sums.powers = block_reduce(sums.powers, Sum{}, 0.0f);
    sums.total = block_reduce(sums.total, Sum{}, 0.0f);
    sums.distances = block_reduce(sums.distances, Sum{}, 0.0f);
    if (threadIdx.x != 0) return;
    log_sums[row] = logf(sums.powers);
    loss[row] = loss_of(sums, log_sums[row], target);
}

/// What multiplies a row's gradient.
struct Factor {
    const float* dloss;
    bool same;
    float scale;

    __device__ float operator()(std::int64_t row) const { return dloss[same ? 0 : row] * scale; }
};

template <class T, int per_lane>
__global__ void gradient_short_rows(const T* x, Targets<T> targets, const float* log_sums, Factor factor, T* dx,
                                    std::int64_t rows, int classes, int width) {
    const int lane = static_cast<int>(threadIdx.x) % width;
    const std::int64_t row =
        static_cast<std::int64_t>(blockIdx.x) * (short_threads / width) + static_cast<int>(threadIdx.x) / width;
    const bool inside = row < rows;
    ShortRow<per_lane> part;
    part.load(x + row * classes, classes, lane, width, inside);
    Target<T> target{};
    if (inside) target = target_of(targets, row, classes);
    float total = 1;
    if (targets.dense) {  // the same for all threads
        total = 0;
        HEDDLE_UNROLL
        for (int i = 0; i < per_lane; ++i) {
            const int c = lane + i * width;
            if (inside && c < classes) total += target(c);
        }
        total = reduce_group(total, Sum{}, width);
    }
    if (!inside) return;
    const float log_sum = log_sums[row], by = factor(row);
    HEDDLE_UNROLL
    for (int i = 0; i < per_lane; ++i) {
        const int c = lane + i * width;
        if (c >= classes) continue;
        const float power = expf(part.value[i] - part.largest - log_sum);
        dx[row * classes + c] = from_f32<T>(target.ignored ? 0.0f : (power * total - target(c)) * by);
    }
}

template <class T>
__global__ void gradient_long_rows(const T* x, Targets<T> targets, const float* log_sums, Factor factor, T* dx,
                                   std::int64_t classes) {
    const std::int64_t row = blockIdx.x;
    x += row * classes;
    dx += row * classes;
    const float largest = largest_of(x, classes);
    const Target<T> target = target_of(targets, row, classes);
    float total = 1;
    if (target.dense) {
        total = 0;
        for (std::int64_t c = threadIdx.x; c < classes; c += block_threads) total += target(c);
        total = block_reduce(total, Sum{}, 0.0f);
    }
    const float log_sum = log_sums[row], by = factor(row);
    for (std::int64_t c = threadIdx.x; c < classes; c += block_threads) {
        const float power = expf(to_f32(x[c]) - largest - log_sum);
        dx[c] = from_f32<T>(target.ignored ? 0.0f : (power * total - target(c)) * by);
    }
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

/// How short rows are laid out: lanes a row and blocks.
struct ShortRows {
    int width = 1;
    dim3 grid;

    ShortRows(std::int64_t rows, std::int64_t classes) {
        while (width < warp_size && width < classes) width *= 2;
        const std::int64_t groups = short_threads / width;
        grid = dim3(static_cast<unsigned>((rows + groups - 1) / groups));
    }
};

template <class T>
void forward_of(const CrossEntropyForward& args, KernelContext& context) {
    const std::int64_t classes = args.logits.shape.back(), rows = args.log_sum.elements();
    const T* x = args.logits.as<T>();
    float *loss = args.loss.as<float>(), *log_sums = args.log_sum.as<float>();
    const Targets<T> targets = targets_of<T>(args);
    if (classes > longest_in_registers) {
        launch(entropy_long_rows<T>, dim3(static_cast<unsigned>(rows)), dim3(block_threads), 0, context, x, targets,
               loss, log_sums, classes);
        return;
    }
    const ShortRows cut(rows, classes);
    const auto kernel = classes <= 32    ? entropy_short_rows<T, 1>
                        : classes <= 128 ? entropy_short_rows<T, 4>
                                         : entropy_short_rows<T, 32>;
    launch(kernel, cut.grid, dim3(short_threads), 0, context, x, targets, loss, log_sums, rows,
           static_cast<int>(classes), cut.width);
}

template <class T>
void backward_of(const CrossEntropyBackward& args, KernelContext& context) {
    const std::int64_t classes = args.logits.shape.back(), rows = args.log_sum.elements();
    const T* x = args.logits.as<T>();
    T* dx = args.dlogits.as<T>();
    const float* log_sums = args.log_sum.as<float>();
    const Factor factor{args.dloss.as<float>(), args.dloss.elements() == 1, args.scale};
    const Targets<T> targets = targets_of<T>(args);
    if (classes > longest_in_registers) {
        launch(gradient_long_rows<T>, dim3(static_cast<unsigned>(rows)), dim3(block_threads), 0, context, x, targets,
               log_sums, factor, dx, classes);
        return;
    }
    const ShortRows cut(rows, classes);
    const auto kernel = classes <= 32    ? gradient_short_rows<T, 1>
                        : classes <= 128 ? gradient_short_rows<T, 4>
                                         : gradient_short_rows<T, 32>;
    launch(kernel, cut.grid, dim3(short_threads), 0, context, x, targets, log_sums, factor, dx, rows,
           static_cast<int>(classes), cut.width);
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
