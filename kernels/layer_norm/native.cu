#include "kernels/layer_norm/layer_norm.h"
#include "kernels/native_registry.h"
#include "kernels/simt/columns.h"
#include "kernels/simt/native.h"

// A row belongs to a warp while it is short, to a block where it is long. Forward: x is read once from memory (the
// other two passes find it in the first cache) and y written once: the floor is 2 * elements * size. Backward: dx reads
// x and dy once; the gradients of the vectors are sums over columns and read x and dy once more, in a kernel of their
// own, whose splits a small kernel joins: 5 * elements * size in all.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int warps_per_block = 4;
constexpr int block_threads = 256;
constexpr std::int64_t longest_of_warp = 1024;

struct OfWarp {
    __device__ static float sum(float value) { return warp_reduce(value, Sum{}); }
};
struct OfBlock {
    __device__ static float sum(float value) { return block_reduce(value, Sum{}, 0.0f); }
};

struct Statistics {
    float *mean, *inverse_deviation;
};

/// One group of threads a row: a warp (threadIdx.y counts rows), or the block. y may be x.
template <class T, class Group>
__global__ void normalize_rows(const T* x, const float* scale, const float* offset, float epsilon, T* y,
                               Statistics saved, std::int64_t rows, std::int64_t size) {
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
    if (row >= rows) return;  // whole warps; a block has exactly one row where it reduces as a block
    x += row * size;
    y += row * size;
    const float count = static_cast<float>(size);
    float sum = 0;
    for (std::int64_t c = threadIdx.x; c < size; c += blockDim.x) sum += to_f32(x[c]);
    // About what rounding made of the mean; its small distance from the mean is taken off both moments.
    const float about = Group::sum(sum) / count;
    float distances = 0, squares = 0;
    for (std::int64_t c = threadIdx.x; c < size; c += blockDim.x) {
        const float distance = to_f32(x[c]) - about;
        distances += distance;
        squares += distance * distance;
    }
    const float correction = Group::sum(distances) / count, mean = about + correction;
    const float variance = Group::sum(squares) / count - correction * correction;
    const float inverse_deviation = 1.0f / sqrtf((variance < 0 ? 0.0f : variance) + epsilon);
    for (std::int64_t c = threadIdx.x; c < size; c += blockDim.x) {
        const float normal = (to_f32(x[c]) - about - correction) * inverse_deviation;
        y[c] = from_f32<T>(normal * (scale ? scale[c] : 1.0f) + (offset ? offset[c] : 0.0f));
    }
    if (threadIdx.x != 0) return;
    saved.mean[row] = mean;
    saved.inverse_deviation[row] = inverse_deviation;
}

/// What the backward kernels read.
template <class T>
struct Given {
    const T *x, *dy;
    const float *scale, *mean, *inverse_deviation;  // scale may be null
};

/// dx may be dy: a thread reads an element's dy before it writes its dx, and nobody else reads it.
template <class T, class Group>
__global__ void data_gradient(Given<T> given, T* dx, std::int64_t rows, std::int64_t size) {
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    const T *x = given.x + row * size, *dy = given.dy + row * size;
    dx += row * size;
    const float mean = given.mean[row], inverse_deviation = given.inverse_deviation[row];
    const float count = static_cast<float>(size);
    float sum = 0, product = 0;
    for (std::int64_t c = threadIdx.x; c < size; c += blockDim.x) {
        const float g = to_f32(dy[c]) * (given.scale ? given.scale[c] : 1.0f);
        sum += g;
        product += g * ((to_f32(x[c]) - mean) * inverse_deviation);
    }
    sum = Group::sum(sum) / count;
    product = Group::sum(product) / count;
    for (std::int64_t c = threadIdx.x; c < size; c += blockDim.x) {
        const float g = to_f32(dy[c]) * (given.scale ? given.scale[c] : 1.0f);
        dx[c] = from_f32<T>((g - sum - (to_f32(x[c]) - mean) * inverse_deviation * product) * inverse_deviation);
    }
}

/// Sums over the rows of a split: of dy * n and of dy, [splits, columns] each.
template <class T>
__global__ void vector_gradients(Given<T> given, float* dscale, float* doffset, ColumnTiles tiles) {
    const ColumnPlace place = column_place(tiles, blockIdx.x, blockIdx.y);
    float sums[2] = {0, 0};
    for (std::int64_t row = place.first; row < place.last; row += tiles.lanes) {
        const std::int64_t at = row * tiles.units + place.unit;
        const float dy = to_f32(given.dy[at]);
        sums[0] += dy * ((to_f32(given.x[at]) - given.mean[row]) * given.inverse_deviation[row]);
        sums[1] += dy;
    }
    reduce_lanes(sums, tiles, place, Sum{});
    if (!place.leads) return;
    dscale[blockIdx.y * tiles.units + place.unit] = sums[0];
    doffset[blockIdx.y * tiles.units + place.unit] = sums[1];
}

/// The splits' sums joined; a result that is null is not wanted.
__global__ void join_splits(const float* dscale_parts, const float* doffset_parts, ColumnTiles parts, float* dscale,
                            float* doffset) {
    const ColumnPlace place = column_place(parts, blockIdx.x, 0);
    float sums[2] = {0, 0};
    for (std::int64_t split = place.first; split < place.last; split += parts.lanes) {
        sums[0] += dscale_parts[split * parts.units + place.unit];
        sums[1] += doffset_parts[split * parts.units + place.unit];
    }
    reduce_lanes(sums, parts, place, Sum{});
    if (!place.leads) return;
    if (dscale) dscale[place.unit] = sums[0];
    if (doffset) doffset[place.unit] = sums[1];
}

inline const float* floats(const View& view) { return view ? view.as<float>() : nullptr; }
inline float* writable(const View& view) { return view ? view.as<float>() : nullptr; }

dim3 warp_grid(std::int64_t rows) {
    return dim3(static_cast<unsigned>((rows + warps_per_block - 1) / warps_per_block));
}

template <class T>
void forward_of(const LayerNormForward& args, KernelContext& context) {
    const std::int64_t size = args.x.shape.back(), rows = args.x.elements() / size;
    if (rows == 0) return;
    const Statistics saved{args.mean.as<float>(), args.inverse_deviation.as<float>()};
    if (size <= longest_of_warp)
        launch(normalize_rows<T, OfWarp>, warp_grid(rows), dim3(warp_size, warps_per_block), 0, context, args.x.as<T>(),
               floats(args.scale), floats(args.offset), args.epsilon, args.y.as<T>(), saved, rows, size);
    else
        launch(normalize_rows<T, OfBlock>, dim3(static_cast<unsigned>(rows)), dim3(block_threads), 0, context,
               args.x.as<T>(), floats(args.scale), floats(args.offset), args.epsilon, args.y.as<T>(), saved, rows,
               size);
}

ColumnTiles tiles_of(const LayerNormBackward& args) {
    return column_tiles(args.x.elements() / args.x.shape.back(), args.x.shape.back());
}

bool wants_vectors(const LayerNormBackward& args) { return args.dscale || args.doffset; }

std::size_t workspace(const LayerNormBackward& args) {
    if (!wants_vectors(args)) return 0;
    return 2 * static_cast<std::size_t>(args.x.shape.back()) * tiles_of(args).splits * sizeof(float);
}

template <class T>
void backward_of(const LayerNormBackward& args, KernelContext& context) {
    const std::int64_t size = args.x.shape.back(), rows = args.x.elements() / size;
    const Given<T> given{args.x.as<T>(), args.dy.as<T>(), floats(args.scale), args.mean.as<float>(),
                         args.inverse_deviation.as<float>()};
    if (wants_vectors(args)) {
        const ColumnTiles tiles = tiles_of(args), parts = column_tiles(tiles.splits, size, 1, false);
        auto* dscale = static_cast<float*>(context.workspace);
        float* doffset = dscale + tiles.splits * size;
        launch(vector_gradients<T>, tiles.grid(), dim3(column_block), 0, context, given, dscale, doffset, tiles);
        launch(join_splits, parts.grid(), dim3(column_block), 0, context, dscale, doffset, parts, writable(args.dscale),
               writable(args.doffset));
    }
    if (!args.dx || rows == 0) return;
    if (size <= longest_of_warp)
        launch(data_gradient<T, OfWarp>, warp_grid(rows), dim3(warp_size, warps_per_block), 0, context, given,
               args.dx.as<T>(), rows, size);
    else
        launch(data_gradient<T, OfBlock>, dim3(static_cast<unsigned>(rows)), dim3(block_threads), 0, context, given,
               args.dx.as<T>(), rows, size);
}

/// Vectors are f32, whatever x is.
Support supported(const View& x, std::initializer_list<const View*> vectors) {
    for (const View* view : vectors)
        if (*view && view->dtype != DType::f32)
            return Support::no("vectors of dtype " + std::string(to_string(view->dtype)) + " (only f32)");
    return floating(x.dtype);
}

}  // namespace

void register_layer_norm() {
    layer_norm_forward().add({.name = "native",
                              .device = backend,
                              .priority = priority::plain,
                              .supports =
                                  [](const LayerNormForward& args) {
                                      return supported(args.x, {&args.scale, &args.offset, &args.mean});
                                  },
                              .run =
                                  [](const LayerNormForward& args, KernelContext& context) {
                                      with_floating(args.x.dtype,
                                                    [&](auto zero) { forward_of<decltype(zero)>(args, context); });
                                  }});
    layer_norm_backward().add({.name = "native",
                               .device = backend,
                               .priority = priority::plain,
                               .supports =
                                   [](const LayerNormBackward& args) {
                                       return supported(args.x, {&args.scale, &args.mean, &args.dscale, &args.doffset});
                                   },
                               .workspace_bytes = workspace,
                               .run =
                                   [](const LayerNormBackward& args, KernelContext& context) {
                                       with_floating(args.x.dtype,
                                                     [&](auto zero) { backward_of<decltype(zero)>(args, context); });
                                   }});
}

HEDDLE_KERNELS_END
