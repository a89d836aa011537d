#include <algorithm>
#include <numeric>
#include <utility>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/random/bits.h"
#include "kernels/random/implementations.h"
#include "kernels/vector_math.h"

// The bits of a tile of blocks are drawn first, block beside block in a vector; a second loop turns them into values.
namespace heddle::kernels {
namespace {

constexpr std::int64_t tile = 256;       // elements: 1 KiB of bits stays in the first-level cache
constexpr std::int64_t tile_grain = 32;  // tiles per thread: about 8 us

struct Stream {
    std::uint64_t seed, offset;
};

Stream stream_of(const RandomState& state) { return {state.seed, stream_offset(state)}; }

/// The bits of elements `first` .. `first` + tile - 1; `first` is a multiple of 4.
[[gnu::always_inline]] inline void draw(Stream stream, std::int64_t first, std::uint32_t* bits) {
    for (std::int64_t block = 0; block < tile / 4; ++block) {
        const Philox::Block b =
            Philox::block(stream.seed, stream.offset, static_cast<std::uint64_t>(first / 4 + block));
        for (int word = 0; word < 4; ++word) bits[4 * block + word] = b.word[word];
    }
}

/// Calls `body(first, count)` for each tile of `elements`, on the threads.
template <class Body>
void each_tile(std::int64_t elements, const Body& body) {
    parallel_for((elements + tile - 1) / tile, tile_grain, [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t first = from * tile; first < std::min(to * tile, elements); first += tile)
            body(first, std::min(tile, elements - first));
    });
}

HEDDLE_SIMD_CLONES void uniform_tile(Stream stream, std::int64_t first, std::int64_t count, UniformRange<float> range,
                                     float* y) {
    std::uint32_t bits[tile];
    draw(stream, first, bits);
    for (std::int64_t i = 0; i < count; ++i) y[i] = range(bits[i]);
}

void uniform(const RandomUniform& args, KernelContext&) {
    const Stream stream = stream_of(args.state);
    const UniformRange<float> range(args.low, args.high);
    each_tile(args.y.elements(), [&](std::int64_t first, std::int64_t count) {
        uniform_tile(stream, first, count, range, args.y.as<float>() + first);
    });
}

HEDDLE_SIMD_CLONES void normal_tile(Stream stream, std::int64_t first, float mean, float deviation, float* y) {
    std::uint32_t bits[tile];
    draw(stream, first, bits);
    for (std::int64_t i = 0; i < tile; i += 2) {
        const float radius = deviation * __builtin_sqrtf(-2 * vec::log(1 - Philox::uniform(bits[i])));
        const SineCosine angle = sine_cosine(Philox::uniform(bits[i + 1]));
        y[i] = mean + radius * angle.cosine;
        y[i + 1] = mean + radius * angle.sine;
    }
}

struct Logarithm {
    HEDDLE_VECTOR_FUNCTION float operator()(float x) const { return vec::log(x); }
};

HEDDLE_SIMD_CLONES void truncated_tile(Stream stream, std::int64_t first, float mean, float deviation, float* y) {
    std::uint32_t bits[tile];
    draw(stream, first, bits);
    for (std::int64_t i = 0; i < tile; ++i) {
        y[i] = mean + deviation * truncated_deviate(bits[i], Logarithm{});
    }
}

/// For kernels that write whole tiles of f32: the last one passes through a buffer, and so does every one of bf16.
template <class Args, class Kernel>
void run_whole_tiles(const Args& args, const Kernel& kernel) {
    const Stream stream = stream_of(args.state);
    const float mean = static_cast<float>(args.mean), deviation = static_cast<float>(args.deviation);
    each_tile(args.y.elements(), [&](std::int64_t first, std::int64_t count) {
        float buffer[tile];
        if (args.y.dtype == DType::bf16) {
            kernel(stream, first, mean, deviation, buffer);
            return narrow(buffer, args.y.template as<BFloat16>() + first, count);
        }
        float* y = args.y.template as<float>() + first;
        if (count == tile) return kernel(stream, first, mean, deviation, y);
        kernel(stream, first, mean, deviation, buffer);
        std::copy_n(buffer, count, y);
    });
}

HEDDLE_SIMD_CLONES void choose(Stream stream, std::int64_t first, std::int64_t last, std::int64_t* choice) {
    for (std::int64_t i = first; i < last; ++i)
        choice[i] = choose_below(Philox::block(stream.seed, stream.offset, static_cast<std::uint64_t>(i)), i + 1);
}

/// The choices are drawn on all threads, the exchanges follow one another.
void permutation(const RandomPermutation& args, KernelContext& context) {
    const Stream stream = stream_of(args.state);
    const std::int64_t count = args.y.elements();
    auto* choice = static_cast<std::int64_t*>(context.workspace);
    parallel_for(count, 2048, [&](std::int64_t first, std::int64_t last) { choose(stream, first, last, choice); });
    std::int64_t* y = args.y.as<std::int64_t>();
    std::iota(y, y + count, std::int64_t{0});
    for (std::int64_t i = count - 1; i > 0; --i) std::swap(y[i], y[choice[i]]);
}

// `simd`: y may be x, but never overlaps it otherwise.

template <class T>
[[gnu::always_inline]] inline void dropout_tile_in(Stream stream, std::int64_t first, std::int64_t count,
                                                   std::uint32_t threshold, float scale, const T* x, T* y,
                                                   std::uint8_t* mask) {
    std::uint32_t bits[tile];
    draw(stream, first, bits);
    for (std::int64_t i = 0; i < count; ++i) mask[i] = (bits[i] >> 8) >= threshold;
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) store(y[i], (bits[i] >> 8) >= threshold ? load(x[i]) * scale : 0.0f);
}
HEDDLE_SIMD_CLONES void dropout_tile(Stream stream, std::int64_t first, std::int64_t count, std::uint32_t threshold,
                                     float scale, const float* x, float* y, std::uint8_t* mask) {
    dropout_tile_in(stream, first, count, threshold, scale, x, y, mask);
}
HEDDLE_SIMD_CLONES void dropout_tile(Stream stream, std::int64_t first, std::int64_t count, std::uint32_t threshold,
                                     float scale, const BFloat16* x, BFloat16* y, std::uint8_t* mask) {
    dropout_tile_in(stream, first, count, threshold, scale, x, y, mask);
}

void dropout(const DropoutForward& args, KernelContext&) {
    const Stream stream = stream_of(args.state);
    const std::uint32_t threshold = dropout_threshold(args.rate);
    const float scale = static_cast<float>(dropout_scale(args.rate));
    with_f32_or_bf16(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        each_tile(args.y.elements(), [&](std::int64_t first, std::int64_t count) {
            dropout_tile(stream, first, count, threshold, scale, args.x.as<T>() + first, args.y.as<T>() + first,
                         args.mask.as<std::uint8_t>() + first);
        });
    });
}

template <class T>
[[gnu::always_inline]] inline void dropout_backward_in(const std::uint8_t* mask, const T* dy, T* dx, std::int64_t count,
                                                       float scale) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) store(dx[i], mask[i] ? load(dy[i]) * scale : 0.0f);
}
HEDDLE_SIMD_CLONES void dropout_backward_range(const std::uint8_t* mask, const float* dy, float* dx, std::int64_t count,
                                               float scale) {
    dropout_backward_in(mask, dy, dx, count, scale);
}
HEDDLE_SIMD_CLONES void dropout_backward_range(const std::uint8_t* mask, const BFloat16* dy, BFloat16* dx,
                                               std::int64_t count, float scale) {
    dropout_backward_in(mask, dy, dx, count, scale);
}

void dropout_back(const DropoutBackward& args, KernelContext&) {
    const float scale = static_cast<float>(dropout_scale(args.rate));
    with_f32_or_bf16(args.dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        parallel_for(args.dx.elements(), 32768, [&](std::int64_t first, std::int64_t last) {
            dropout_backward_range(args.mask.as<std::uint8_t>() + first, args.dy.as<T>() + first,
                                   args.dx.as<T>() + first, last - first, scale);
        });
    });
}

}  // namespace

void add_cpu(KernelTable<RandomUniform>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const RandomUniform& args) { return only_f32(args.y.dtype); },
               .run = uniform});
}

void add_cpu(KernelTable<RandomNormal>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const RandomNormal& args) { return f32_or_bf16(args.y.dtype); },
               .run = [](const RandomNormal& args, KernelContext&) { run_whole_tiles(args, normal_tile); }});
}

void add_cpu(KernelTable<RandomTruncatedNormal>& table) {
    table.add(
        {.name = "cpu",
         .priority = priority::plain,
         .supports = [](const RandomTruncatedNormal& args) { return f32_or_bf16(args.y.dtype); },
         .run = [](const RandomTruncatedNormal& args, KernelContext&) { run_whole_tiles(args, truncated_tile); }});
}

void add_cpu(KernelTable<RandomPermutation>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const RandomPermutation&) { return Support::yes(); },
               .workspace_bytes =
                   [](const RandomPermutation& args) {
                       return static_cast<std::size_t>(args.y.elements()) * sizeof(std::int64_t);
                   },
               .run = permutation});
}

void add_cpu(KernelTable<DropoutForward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const DropoutForward& args) { return f32_or_bf16(args.y.dtype); },
               .run = dropout});
}

void add_cpu(KernelTable<DropoutBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const DropoutBackward& args) { return f32_or_bf16(args.dx.dtype); },
               .run = dropout_back});
}

}  // namespace heddle::kernels
