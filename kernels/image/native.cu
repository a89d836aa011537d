#include <limits>

#include "kernels/image/image.h"
#include "kernels/native_registry.h"
#include "kernels/simt/native.h"

// Both operations have threads for the elements of the output: neighbouring threads write neighbouring elements of a
// row of width * channels; reads mostly hit the cache. The floor is the bytes of the output, and of the pictures once.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int block_threads = 256;

__device__ inline float pixel_value(std::uint8_t pixel) { return static_cast<float>(pixel); }
__device__ inline float pixel_value(float pixel) { return pixel; }
__device__ inline float pixel_value(__half pixel) { return to_f32(pixel); }
__device__ inline float pixel_value(__nv_bfloat16 pixel) { return to_f32(pixel); }

/// Extents of one picture of the input and of the output.
struct Frames {
    int height, width, channels, out_height, out_width;

    __host__ __device__ int row_length() const { return out_width * channels; }
};

struct BatchPlan {
    Frames frames;
    const std::int64_t* indices;
    const std::int64_t* first;   // null: 0
    const std::int64_t* labels;  // null: none
    std::int64_t* targets;
    const std::int32_t* shifts;  // null: centred
    const std::uint8_t* flips;   // null: none
    const float *mean, *inverse_deviation;
    const std::int32_t* holes;  // null: none
    int hole;
    float scale;
    bool reflect;
};

/// Whether a pixel of the output lies in the square that is cut out.
__device__ inline bool cut_out(const BatchPlan& plan, std::int64_t picture, int row, int column) {
    if (!plan.holes) return false;
    const int down = row - plan.holes[2 * picture], across = column - plan.holes[2 * picture + 1];
    return down >= 0 && down < plan.hole && across >= 0 && across < plan.hole;
}

/// -1: outside.
__device__ inline int source_place(int place, int extent, bool reflect) {
    if (reflect) {
        if (place < 0) return -place;
        return place < extent ? place : 2 * (extent - 1) - place;
    }
    return place >= 0 && place < extent ? place : -1;
}

/// One row of one output picture.
template <class Pixel>
struct SourceRow {
    const Pixel* x;  // null: outside
    int shift;       // of columns
    bool flip;
};

template <class Pixel>
__device__ SourceRow<Pixel> source_row(const Pixel* pictures, const BatchPlan& plan, std::int64_t picture, int row) {
    const Frames& f = plan.frames;
    const int dy = plan.shifts ? plan.shifts[2 * picture] : (f.height - f.out_height) >> 1;
    const int dx = plan.shifts ? plan.shifts[2 * picture + 1] : (f.width - f.out_width) >> 1;
    const int from = source_place(row + dy, f.height, plan.reflect);
    const Pixel* x = from < 0 ? nullptr : pictures + (plan.indices[picture] * f.height + from) * f.width * f.channels;
    return {x, dx, plan.flips && plan.flips[picture] != 0};
}

/// A thread writes V neighbouring elements of a row; `rows` counts those of all pictures. The first threads write the
/// labels. Draws and indices of picture i stand in row begin + i.
template <class T, class Pixel, int V>
__global__ void gather_batch(const Pixel* pictures, BatchPlan plan, T* y, std::int64_t rows) {
    const Frames& f = plan.frames;
    const int per_row = f.row_length() / V;
    const std::int64_t count = rows * per_row, step = static_cast<std::int64_t>(gridDim.x) * block_threads;
    const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x;
    const std::int64_t begin = plan.first ? *plan.first : 0;
    if (plan.labels)
        for (std::int64_t i = thread; i < rows / f.out_height; i += step)
            plan.targets[i] = plan.labels[plan.indices[begin + i]];
    for (std::int64_t i = thread; i < count; i += step) {
        const std::int64_t row = i / per_row, place = row / f.out_height, picture = begin + place;
        const int first = static_cast<int>(i - row * per_row) * V;
        const int row_here = static_cast<int>(row - place * f.out_height);
        const SourceRow<Pixel> source = source_row(pictures, plan, picture, row_here);
        int column = first / f.channels, channel = first - column * f.channels;
        Vector<T, V> result;
        HEDDLE_UNROLL
        for (int v = 0; v < V; ++v) {
            const int unflipped = source.flip ? f.out_width - 1 - column : column;
            const int from = source_place(unflipped + source.shift, f.width, plan.reflect);
            float pixel = 0;
            if (source.x && from >= 0) pixel = pixel_value(source.x[from * f.channels + channel]);
            const float inverse = plan.inverse_deviation ? plan.inverse_deviation[channel] : 1;
            const float term = plan.mean ? 0 - plan.mean[channel] * inverse : 0;
            float value = fmaf(pixel, plan.scale * inverse, term);
            if (cut_out(plan, picture, row_here, column)) value = 0;
            result[v] = from_f32<T>(value);
            if (++channel == f.channels) {
                channel = 0;
                ++column;
            }
        }
        store_vector(y + i * V, result);
    }
}

/// The two places of the input between which a place of the output lies.
struct Between {
    int first, second;
    float weight;  // of the second
};

/// Place (2 index + 1) in / (2 out) - 1/2, as a quotient of integers, so that its fraction is exact but for one
/// rounding.
__device__ inline Between between(int index, int out, int in) {
    const std::int64_t numerator = (2 * static_cast<std::int64_t>(index) + 1) * in - out;
    if (numerator <= 0) return {0, in > 1 ? 1 : 0, 0};
    const auto divisor = static_cast<std::uint32_t>(2 * out);
    std::uint32_t first, rest;
    if (numerator <= std::numeric_limits<std::uint32_t>::max()) {
        first = static_cast<std::uint32_t>(numerator) / divisor;
        rest = static_cast<std::uint32_t>(numerator) - first * divisor;
    } else {
        const std::int64_t quotient = numerator / divisor;
        first = static_cast<std::uint32_t>(quotient);
        rest = static_cast<std::uint32_t>(numerator - quotient * divisor);
    }
    const int place = static_cast<int>(first);
    if (place >= in - 1) return {in - 1, in - 1, 0};
    return {place, place + 1, static_cast<float>(rest) / static_cast<float>(divisor)};
}

/// A thread an element.
template <class T, class Pixel>
__global__ void blend_pixels(const Pixel* x, T* y, Frames f, std::int64_t rows) {
    const int length = f.row_length(), in_length = f.width * f.channels;
    const std::int64_t count = rows * length, step = static_cast<std::int64_t>(gridDim.x) * block_threads;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x; i < count; i += step) {
        const std::int64_t row = i / length, picture = row / f.out_height;
        const int element = static_cast<int>(i - row * length), column = element / f.channels,
                  channel = element - column * f.channels;
        const Between down = between(static_cast<int>(row - picture * f.out_height), f.out_height, f.height),
                      across = between(column, f.out_width, f.width);
        const Pixel* top = x + (picture * f.height + down.first) * in_length + channel;
        const Pixel* bottom = x + (picture * f.height + down.second) * in_length + channel;
        const auto blend = [&](const Pixel* line) {
            const float left = pixel_value(line[across.first * f.channels]),
                        right = pixel_value(line[across.second * f.channels]);
            return (1 - across.weight) * left + across.weight * right;
        };
        y[i] = from_f32<T>((1 - down.weight) * blend(top) + down.weight * blend(bottom));
    }
}

Frames frames_of(const Shape& in, const Shape& out) {
    return {static_cast<int>(in[1]), static_cast<int>(in[2]), static_cast<int>(in[3]), static_cast<int>(out[1]),
            static_cast<int>(out[2])};
}

/// Calls `body(Pixel{})` with what the pictures hold: u8, or the type of y.
template <class T, class Body>
void with_pixel(DType dtype, const Body& body) {
    if (dtype == DType::u8)
        body(std::uint8_t{});
    else
        body(T{});
}

void run_batch(const ImageBatch& args, KernelContext& context) {
    const BatchPlan plan{.frames = frames_of(args.pictures.shape, args.y.shape),
                         .indices = args.indices.as<std::int64_t>(),
                         .first = args.first ? args.first.as<std::int64_t>() : nullptr,
                         .labels = args.labels ? args.labels.as<std::int64_t>() : nullptr,
                         .targets = args.labels ? args.targets.as<std::int64_t>() : nullptr,
                         .shifts = args.shifts ? args.shifts.as<std::int32_t>() : nullptr,
                         .flips = args.flips ? args.flips.as<std::uint8_t>() : nullptr,
                         .mean = args.mean ? args.mean.as<float>() : nullptr,
                         .inverse_deviation = args.inverse_deviation ? args.inverse_deviation.as<float>() : nullptr,
                         .holes = args.holes ? args.holes.as<std::int32_t>() : nullptr,
                         .hole = static_cast<int>(args.hole),
                         .scale = args.scale,
                         .reflect = args.mode == CropPadding::reflect};
    const std::int64_t rows = args.y.shape[0] * args.y.shape[1];
    with_floating(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_pixel<T>(args.pictures.dtype, [&](auto pixel) {
            using Pixel = decltype(pixel);
            constexpr int V = 4;
            const bool vectors = plan.frames.row_length() % V == 0 && is_aligned(args.y.data, V * sizeof(T));
            const auto kernel = vectors ? gather_batch<T, Pixel, V> : gather_batch<T, Pixel, 1>;
            const unsigned blocks = blocks_for(args.y.elements() / (vectors ? V : 1), block_threads);
            launch(kernel, dim3(blocks), dim3(block_threads), 0, context, args.pictures.as<Pixel>(), plan,
                   args.y.as<T>(), rows);
        });
    });
}

void run_resize(const ResizeBilinear& args, KernelContext& context) {
    const std::int64_t rows = args.y.shape[0] * args.y.shape[1];
    with_floating(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_pixel<T>(args.x.dtype, [&](auto pixel) {
            using Pixel = decltype(pixel);
            launch(blend_pixels<T, Pixel>, dim3(blocks_for(args.y.elements(), block_threads)), dim3(block_threads), 0,
                   context, args.x.as<Pixel>(), args.y.as<T>(), frames_of(args.x.shape, args.y.shape), rows);
        });
    });
}

/// Pictures in u8 or the dtype of y, and rows that an int can index.
Support supports(const View& pictures, const View& y) {
    if (pictures.dtype != DType::u8 && pictures.dtype != y.dtype)
        return Support::no("pictures of dtype " + std::string(to_string(pictures.dtype)) + " (only u8 or that of y)");
    constexpr std::int64_t limit = std::int64_t{1} << 28;
    for (const View* view : {&pictures, &y})
        if (view->shape[1] > limit || view->shape[2] * view->shape[3] > limit)
            return Support::no("pictures of " + view->shape.to_string() + ": extents above 2^28");
    return floating(y.dtype);
}

}  // namespace

void register_image() {
    image_batch().add({.name = "native",
                       .device = backend,
                       .priority = priority::plain,
                       .supports = [](const ImageBatch& args) { return supports(args.pictures, args.y); },
                       .run = run_batch});
    resize_bilinear().add({.name = "native",
                           .device = backend,
                           .priority = priority::plain,
                           .supports = [](const ResizeBilinear& args) { return supports(args.x, args.y); },
                           .run = run_resize});
}

HEDDLE_KERNELS_END
