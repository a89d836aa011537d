#include <limits>

#include "kernels/loss/labels.h"
#include "kernels/loss/loss.h"
#include "kernels/native_registry.h"
#include "kernels/simt/floats.h"
#include "kernels/simt/native.h"

// Losses of each element alone, and the search for a label out of range. The floor is the bytes, each once.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int block_threads = 256;
constexpr float least_probability = probability_margin, greatest_probability = 1 - probability_margin;

/// NaN stays NaN.
__device__ inline float clip_probability(float p) {
    if (p < least_probability) return least_probability;
    return p > greatest_probability ? greatest_probability : p;
}

/// The kind is the same for all threads: a branch costs nothing beside the memory.
__device__ inline float point_loss(PointLoss kind, float delta, float p, float t) {
    const float d = p - t, distance = fabsf(d);
    switch (kind) {
        case PointLoss::mse:
            return d * d;
        case PointLoss::mae:
            return distance;
        case PointLoss::huber:
            return distance <= delta ? 0.5f * d * d : delta * (distance - 0.5f * delta);
        case PointLoss::bce_with_logits:
            return (p < 0 ? 0 : p) - p * t + log1pf(expf(-fabsf(p)));
        case PointLoss::bce:
            break;
    }
    const float clipped = clip_probability(p);
    return -(t * logf(clipped) + (1 - t) * log1pf(-clipped));
}

__device__ inline float point_gradient(PointLoss kind, float delta, float p, float t) {
    const float d = p - t;
    switch (kind) {
        case PointLoss::mse:
            return 2 * d;
        case PointLoss::mae:
            return d > 0 ? 1.0f : (d < 0 ? -1.0f : d);
        case PointLoss::huber:
            return d < -delta ? -delta : (d > delta ? delta : d);
        case PointLoss::bce_with_logits: {
            const float power = expf(-fabsf(p)), small = power / (1 + power);
            return (p > 0 ? 1 - small : small) - t;
        }
        case PointLoss::bce:
            break;
    }
    return p >= least_probability && p <= greatest_probability ? d / (p * (1 - p)) : 0;
}

/// `count` is a multiple of V.
template <class T, int V>
__global__ void point_losses(PointLoss kind, float delta, const T* p, const T* t, float* loss, std::int64_t count) {
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * block_threads * V;
    for (std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x) * V; i < count;
         i += step) {
        const Vector<T, V> prediction = load_vector<V>(p + i), target = load_vector<V>(t + i);
        float result[V];
        HEDDLE_UNROLL
        for (int v = 0; v < V; ++v) result[v] = point_loss(kind, delta, to_f32(prediction[v]), to_f32(target[v]));
        store_wide(loss + i, result);
    }
}

/// dloss: one for each element, or the same one for all.
template <class T, int V>
__global__ void point_gradients(PointLoss kind, float delta, const T* p, const T* t, const float* dloss, bool same,
                                float scale, T* dp, std::int64_t count) {
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * block_threads * V;
    const float shared_factor = same ? *dloss * scale : 0;
    for (std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x) * V; i < count;
         i += step) {
        const Vector<T, V> prediction = load_vector<V>(p + i), target = load_vector<V>(t + i);
        float factor[V];
        if (!same) load_wide(dloss + i, factor);
        Vector<T, V> result;
        HEDDLE_UNROLL
        for (int v = 0; v < V; ++v) {
            const float gradient = point_gradient(kind, delta, to_f32(prediction[v]), to_f32(target[v]));
            result[v] = from_f32<T>(gradient * (same ? shared_factor : factor[v] * scale));
        }
        store_vector(dp + i, result);
    }
}

/// Launches `vectors` for as many elements as make vectors, where all addresses are aligned, and `singles` for the
/// rest; both are called with an offset and a count.
template <int V, class Vectors, class Singles>
void in_vectors(std::int64_t count, bool aligned, const Vectors& vectors, const Singles& singles) {
    const std::int64_t whole = aligned ? count / V * V : 0;
    if (whole > 0) vectors(blocks_for(whole / V, block_threads), whole);
    if (whole < count) singles(blocks_for(count - whole, block_threads), whole, count - whole);
}

template <class T>
void losses_of(const PointLossForward& args, KernelContext& context) {
    constexpr int V = vector_width<T>;
    const T *p = args.prediction.as<T>(), *t = args.target.as<T>();
    float* loss = args.loss.as<float>();
    in_vectors<V>(
        args.loss.elements(), is_aligned(p) && is_aligned(t) && is_aligned(loss),
        [&](unsigned blocks, std::int64_t count) {
            launch(point_losses<T, V>, dim3(blocks), dim3(block_threads), 0, context, args.kind, args.delta, p, t, loss,
                   count);
        },
        [&](unsigned blocks, std::int64_t first, std::int64_t count) {
            launch(point_losses<T, 1>, dim3(blocks), dim3(block_threads), 0, context, args.kind, args.delta, p + first,
                   t + first, loss + first, count);
        });
}

template <class T>
void gradients_of(const PointLossBackward& args, KernelContext& context) {
    constexpr int V = vector_width<T>;
    const T *p = args.prediction.as<T>(), *t = args.target.as<T>();
    const float* dloss = args.dloss.as<float>();
    T* dp = args.dprediction.as<T>();
    const bool same = args.dloss.elements() == 1;
    in_vectors<V>(
        args.dprediction.elements(), is_aligned(p) && is_aligned(t) && is_aligned(dp) && (same || is_aligned(dloss)),
        [&](unsigned blocks, std::int64_t count) {
            launch(point_gradients<T, V>, dim3(blocks), dim3(block_threads), 0, context, args.kind, args.delta, p, t,
                   dloss, same, args.scale, dp, count);
        },
        [&](unsigned blocks, std::int64_t first, std::int64_t count) {
            launch(point_gradients<T, 1>, dim3(blocks), dim3(block_threads), 0, context, args.kind, args.delta,
                   p + first, t + first, same ? dloss : dloss + first, same, args.scale, dp + first, count);
        });
}

struct Min {
    template <class T>
    __device__ T operator()(T a, T b) const {
        return b < a ? b : a;
    }
};

constexpr std::int64_t no_row = std::numeric_limits<std::int64_t>::max();

/// Each block leaves its first bad row in `first`, or no_row; the only block of a launch writes the result itself.
template <class Label>
__global__ void first_bad_labels(const Label* labels, std::int64_t rows, std::int64_t classes, std::int64_t ignored,
                                 std::int64_t* first) {
    std::int64_t bad = no_row;
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * block_threads;
    for (std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x; row < rows;
         row += step) {
        const std::int64_t label = labels[row];
        if (label != ignored && (label < 0 || label >= classes)) bad = row < bad ? row : bad;
    }
    bad = block_reduce(bad, Min{}, no_row);
    if (threadIdx.x != 0) return;
    first[blockIdx.x] = gridDim.x == 1 && bad == no_row ? -1 : bad;
}

__global__ void first_of_blocks(const std::int64_t* first, int blocks, std::int64_t* result) {
    std::int64_t bad = no_row;
    for (int i = static_cast<int>(threadIdx.x); i < blocks; i += block_threads) bad = first[i] < bad ? first[i] : bad;
    bad = block_reduce(bad, Min{}, no_row);
    if (threadIdx.x == 0) *result = bad == no_row ? -1 : bad;
}

/// Few labels are one block's work; at least one block writes that there is no bad row.
unsigned label_blocks(const LabelRange& args) {
    const std::int64_t rows = args.labels.elements();
    return rows <= 16 * block_threads ? 1 : blocks_for(rows, 4 * block_threads, 132 * 4);
}

template <class Label>
void search(const LabelRange& args, KernelContext& context) {
    const unsigned blocks = label_blocks(args);
    auto* result = args.result.as<std::int64_t>();
    auto* partial = static_cast<std::int64_t*>(context.workspace);
    launch(first_bad_labels<Label>, dim3(blocks), dim3(block_threads), 0, context, args.labels.as<Label>(),
           args.labels.elements(), args.classes, args.ignore_index, blocks > 1 ? partial : result);
    if (blocks > 1)
        launch(first_of_blocks, dim3(1), dim3(block_threads), 0, context, partial, static_cast<int>(blocks), result);
}

/// One dtype for predictions and targets; losses in f32.
Support supports(const View& prediction, const View& wide) {
    if (wide.dtype != DType::f32)
        return Support::no("losses of dtype " + std::string(to_string(wide.dtype)) + " (only f32)");
    return floating(prediction.dtype);
}

}  // namespace

void register_point_losses() {
    point_loss_forward().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports = [](const PointLossForward& args) { return supports(args.prediction, args.loss); },
         .run =
             [](const PointLossForward& args, KernelContext& context) {
                 with_floating(args.prediction.dtype, [&](auto zero) { losses_of<decltype(zero)>(args, context); });
             }});
    point_loss_backward().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports = [](const PointLossBackward& args) { return supports(args.prediction, args.dloss); },
         .run =
             [](const PointLossBackward& args, KernelContext& context) {
                 with_floating(args.prediction.dtype, [&](auto zero) { gradients_of<decltype(zero)>(args, context); });
             }});
    label_range().add({.name = "native",
                       .device = backend,
                       .priority = priority::plain,
                       .supports = [](const LabelRange&) { return Support::yes(); },
                       .workspace_bytes =
                           [](const LabelRange& args) {
                               const unsigned blocks = label_blocks(args);
                               return blocks > 1 ? blocks * sizeof(std::int64_t) : std::size_t{0};
                           },
                       .run =
                           [](const LabelRange& args, KernelContext& context) {
                               if (args.labels.dtype == DType::i64) return search<std::int64_t>(args, context);
                               if (args.labels.dtype == DType::u8) return search<std::uint8_t>(args, context);
                               search<std::int32_t>(args, context);
                           }});
}

HEDDLE_KERNELS_END
