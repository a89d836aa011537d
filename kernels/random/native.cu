#include <cmath>

#include "kernels/native_map.h"
#include "kernels/native_registry.h"
#include "kernels/random/bits.h"

// A thread makes the four elements of one Philox block. The floor is the bytes of the operands; drawing takes about 20
// instructions an element, for which f32 leaves time and 16 bits just about.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int block_elements = 4;

/// A random stream as kernels see it.
struct Stream {
    std::uint64_t seed, offset;
    const std::uint64_t* device_offset;

    explicit Stream(const RandomState& state)
        : seed(state.seed), offset(state.offset), device_offset(state.device_offset) {}
    /// The offset of this run: read once a thread.
    __device__ std::uint64_t start() const { return offset + (device_offset != nullptr ? *device_offset : 0); }
};

/// The largest number of a dtype below `limit`; f32, f16 or bf16.
float largest_below(float limit, DType dtype) {
    if (dtype == DType::f32) return std::nextafter(limit, -INFINITY);
    float result = 0;
    with_storage_type(dtype, [&](auto zero) {
        if constexpr (sizeof(zero) == 2) {
            auto number = convert<decltype(zero)>(limit);
            if (!(to_float(number) < limit)) {
                if ((number.bits & 0x7FFF) == 0)
                    number.bits = 0x8001;
                else
                    number.bits = static_cast<std::uint16_t>(number.bits + (number.bits & 0x8000 ? 1 : -1));
            }
            result = to_float(number);
        }
    });
    return result;
}

/// f32 in [low, high), rounded to T and kept below `high`.
template <class T>
struct Uniform {
    UniformRange<float> range;
    float last;  // a T

    __device__ void operator()(const Philox::Block& block, T (&value)[block_elements]) const {
        HEDDLE_UNROLL
        for (int k = 0; k < block_elements; ++k) {
            const T rounded = from_f32<T>(range(block.word[k]));
            value[k] = to_f32(rounded) < range.high ? rounded : from_f32<T>(last);
        }
    }
};

/// Box and Muller, on the words of a block in pairs.
template <class T>
struct Normal {
    float mean, deviation;

    __device__ void operator()(const Philox::Block& block, T (&value)[block_elements]) const {
        HEDDLE_UNROLL
        for (int k = 0; k < block_elements; k += 2) {
            const float radius = deviation * sqrtf(-2.0f * logf(1.0f - Philox::uniform(block.word[k])));
            const SineCosine angle = sine_cosine(Philox::uniform(block.word[k + 1]));
            value[k] = from_f32<T>(mean + radius * angle.cosine);
            value[k + 1] = from_f32<T>(mean + radius * angle.sine);
        }
    }
};

struct NaturalLogarithm {
    __device__ float operator()(float x) const { return logf(x); }
};

template <class T>
struct TruncatedNormal {
    float mean, deviation;

    __device__ void operator()(const Philox::Block& block, T (&value)[block_elements]) const {
        HEDDLE_UNROLL
        for (int k = 0; k < block_elements; ++k)
            value[k] = from_f32<T>(mean + deviation * truncated_deviate(block.word[k], NaturalLogarithm{}));
    }
};

template <class T, class Distribution>
__global__ void __launch_bounds__(map_threads)
    fill_randomly(Stream stream, Distribution distribution, T* y, std::int64_t count, bool aligned) {
    const std::uint64_t start = stream.start();
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * map_threads;
    for (std::int64_t block = static_cast<std::int64_t>(blockIdx.x) * map_threads + threadIdx.x;
         block * block_elements < count; block += step) {
        Vector<T, block_elements> values;
        distribution(Philox::block(stream.seed, start, static_cast<std::uint64_t>(block)), values.element);
        const std::int64_t first = block * block_elements;
        if (aligned && first + block_elements <= count) {
            store_vector(y + first, values);
        } else {
            HEDDLE_UNROLL
            for (int k = 0; k < block_elements; ++k)
                if (first + k < count) y[first + k] = values[k];
        }
    }
}

template <class T, class Distribution>
void run_fill(const RandomState& state, const Distribution& distribution, const View& y, KernelContext& context) {
    const std::int64_t count = y.elements();
    launch(fill_randomly<T, Distribution>, dim3(blocks_for((count + block_elements - 1) / block_elements, map_threads)),
           dim3(map_threads), 0, context, Stream(state), distribution, y.as<T>(), count,
           is_aligned(y.data, sizeof(T) * block_elements));
}

/// Keeps x with the scale, or drops it.
template <class T>
struct Dropped {
    float scale;

    __device__ T operator()(bool keep, T x) const { return from_f32<T>(keep ? to_f32(x) * scale : 0.0f); }
    __device__ T operator()(std::uint8_t mask, T dy) const { return (*this)(mask != 0, dy); }
};

template <class T>
__global__ void __launch_bounds__(map_threads)
    drop(Stream stream, std::uint32_t threshold, Dropped<T> dropped, const T* x, T* y, std::uint8_t* mask,
         std::int64_t count, bool aligned) {
    const std::uint64_t start = stream.start();
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * map_threads;
    for (std::int64_t block = static_cast<std::int64_t>(blockIdx.x) * map_threads + threadIdx.x;
         block * block_elements < count; block += step) {
        const Philox::Block bits = Philox::block(stream.seed, start, static_cast<std::uint64_t>(block));
        const std::int64_t first = block * block_elements;
        if (aligned && first + block_elements <= count) {
            auto values = load_vector<block_elements>(x + first);
            Vector<std::uint8_t, block_elements> kept;
            HEDDLE_UNROLL
            for (int k = 0; k < block_elements; ++k) {
                kept[k] = (bits.word[k] >> 8) >= threshold;
                values[k] = dropped(kept[k], values[k]);
            }
            store_vector(y + first, values);
            store_vector(mask + first, kept);
        } else {
            HEDDLE_UNROLL
            for (int k = 0; k < block_elements; ++k)
                if (first + k < count) {
                    const bool keep = (bits.word[k] >> 8) >= threshold;
                    mask[first + k] = keep;
                    y[first + k] = dropped(keep, x[first + k]);
                }
        }
    }
}

void run_uniform(const RandomUniform& args, KernelContext& context) {
    with_floating(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        const UniformRange<float> range(args.low, args.high);
        run_fill<T>(args.state, Uniform<T>{range, largest_below(range.high, args.y.dtype)}, args.y, context);
    });
}

template <template <class> class Distribution, class Args>
void run_normal(const Args& args, KernelContext& context) {
    with_floating(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Distribution<T> distribution{static_cast<float>(args.mean), static_cast<float>(args.deviation)};
        run_fill<T>(args.state, distribution, args.y, context);
    });
}

void run_dropout(const DropoutForward& args, KernelContext& context) {
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const std::int64_t count = args.y.elements();
        const bool aligned = is_aligned(args.x.data, sizeof(T) * block_elements) &&
                             is_aligned(args.y.data, sizeof(T) * block_elements) &&
                             is_aligned(args.mask.data, block_elements);
        launch(drop<T>, dim3(blocks_for((count + block_elements - 1) / block_elements, map_threads)), dim3(map_threads),
               0, context, Stream(args.state), dropout_threshold(args.rate),
               Dropped<T>{static_cast<float>(dropout_scale(args.rate))}, args.x.as<const T>(), args.y.as<T>(),
               args.mask.as<std::uint8_t>(), count, aligned);
    });
}

void run_dropout_backward(const DropoutBackward& args, KernelContext& context) {
    with_floating(args.dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        map<map_width<T>>(context, Dropped<T>{static_cast<float>(dropout_scale(args.rate))}, args.dx.as<T>(),
                          args.dx.elements(), Dense<std::uint8_t>{args.mask.as<const std::uint8_t>()},
                          Dense<T>{args.dy.as<const T>()});
    });
}

}  // namespace

void register_random() {
    random_uniform().add({.name = "native",
                          .device = backend,
                          .priority = priority::plain,
                          .supports = [](const RandomUniform& args) { return floating(args.y.dtype); },
                          .run = run_uniform});
    random_normal().add({.name = "native",
                         .device = backend,
                         .priority = priority::plain,
                         .supports = [](const RandomNormal& args) { return floating(args.y.dtype); },
                         .run = run_normal<Normal, RandomNormal>});
    random_truncated_normal().add({.name = "native",
                                   .device = backend,
                                   .priority = priority::plain,
                                   .supports = [](const RandomTruncatedNormal& args) { return floating(args.y.dtype); },
                                   .run = run_normal<TruncatedNormal, RandomTruncatedNormal>});
    dropout_forward().add({.name = "native",
                           .device = backend,
                           .priority = priority::plain,
                           .supports = [](const DropoutForward& args) { return floating(args.x.dtype); },
                           .run = run_dropout});
    dropout_backward().add({.name = "native",
                            .device = backend,
                            .priority = priority::plain,
                            .supports = [](const DropoutBackward& args) { return floating(args.dx.dtype); },
                            .run = run_dropout_backward});
}

HEDDLE_KERNELS_END
