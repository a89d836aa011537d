#include "kernels/conv/winograd_steps.h"

#include <algorithm>

#include "core/parallel.h"
#include "kernels/conv/winograd.h"

namespace heddle::kernels::winograd {
namespace {

/// Gathers one tile, transforms it and scatters the 36 components: component p of channel c to to[p * stride + c].
template <class T, class V>
HEDDLE_INLINE void transform_tile(const Tiles& tiles, std::int64_t index, float* zeros, float* to,
                                  std::int64_t stride) {
    float* from[T::in * T::in];
    tiles.addresses<T::in>(index, zeros, from);
    for (std::int64_t c = 0; c < tiles.channels; c += width_of<V>) {
        transform_2d<T, V>(
            [&](int i, int j) HEDDLE_INLINE_LAMBDA -> const UnalignedOf<V>& { return at<V>(from[i * T::in + j] + c); },
            [&](int i, int j) HEDDLE_INLINE_LAMBDA -> UnalignedOf<V>& { return at<V>(to + (i * 6 + j) * stride + c); });
    }
}

template <class T>
HEDDLE_INLINE void transform_tiles(const Tiles& tiles, std::int64_t first, std::int64_t count, float* zeros, float* to,
                                   std::int64_t stride) {
    with_vectors_of_processor([&]<class V>(std::type_identity<V>) HEDDLE_INLINE_LAMBDA {
        for (std::int64_t t = 0; t < count; ++t)
            transform_tile<T, V>(tiles, first + t, zeros, to + t * tiles.channels, stride);
    });
}

template <class V>
HEDDLE_INLINE void transform_outputs_by(const float* from, std::int64_t stride, const Tiles& tiles, std::int64_t first,
                                        std::int64_t count, const Epilogue& epilogue, float* nowhere) {
    const auto [bias, residual, relu] = epilogue;
    for (std::int64_t t = 0; t < count; ++t) {
        float* to[16];
        tiles.addresses<4>(first + t, nowhere, to);
        const float* addends[16] = {};
        for (int i = 0; residual && i < 16; ++i)
            addends[i] = to[i] == nowhere ? nowhere : residual + (to[i] - tiles.data);
        for (std::int64_t c = 0; c < tiles.channels; c += width_of<V>) {
            UnalignedOf<V> y[16];
            transform_2d<Output, V>(
                [&](int i, int j) HEDDLE_INLINE_LAMBDA -> const UnalignedOf<V>& {
                    return at<V>(from + (i * 6 + j) * stride + t * tiles.channels + c);
                },
                [&](int i, int j) HEDDLE_INLINE_LAMBDA -> UnalignedOf<V>& { return y[i * 4 + j]; });
            const V shift = bias ? V(at<V>(bias + c)) : V{};
            for (int i = 0; i < 16; ++i) {
                V value = y[i] + shift;
                if (residual) value += at<V>(addends[i] + c);
                if (relu) value = value < 0 ? V{} : value;
                at<V>(to[i] + c) = value;
            }
        }
    }
}

}  // namespace

// Against oneDNN's direct convolution on one core, 32 to 256 channels. Pictures of 2x2 (a quarter of their tile): 0.2
// to 0.7 times as fast at any batch; 5x5 (0.39): 0.7 to 0.8; 6x6 and 3x3 (0.56): 0.7 to 1.1; 7x7 (0.77): 1.3 and more.
// The gradient of the weights: 0.7, 1.0, 1.2, 1.5. Pictures of 4x4, by their pixels together: 32: 0.5 (weights: 0.9),
// 128: 0.8 to 0.9 (1.2 to 1.6), 256: 1.2 to 1.4 (1.4 to 2.1); where the matrices of 36 x C x O numbers outgrow the
// second-level cache, 256: 0.6 to 0.8, 512: 1.3.
Support pays(const Shape& results, std::int64_t filters, bool weight_gradient) {
    const std::int64_t pixels = results.elements(0, 3);
    const std::int64_t tiles = results[0] * ((results[1] + 3) / 4) * ((results[2] + 3) / 4);
    if (pixels < (weight_gradient ? 8 : 10) * tiles)
        return Support::no("pictures that leave their tiles too empty to pay");
    const std::int64_t least = weight_gradient ? 128 : filters > 128 * 128 ? 512 : 256;
    return pixels < least ? Support::no("too few pixels to pay") : Support::yes();
}

HEDDLE_SIMD_CLONES void transform_inputs(const Tiles& tiles, std::int64_t first, std::int64_t count, float* zeros,
                                         float* to, std::int64_t stride) {
    transform_tiles<Input>(tiles, first, count, zeros, to, stride);
}

HEDDLE_SIMD_CLONES void transform_output_gradients(const Tiles& tiles, std::int64_t first, std::int64_t count,
                                                   float* zeros, float* to, std::int64_t stride) {
    transform_tiles<OutputGradient>(tiles, first, count, zeros, to, stride);
}

HEDDLE_SIMD_CLONES void transform_outputs(const float* from, std::int64_t stride, const Tiles& tiles,
                                          std::int64_t first, std::int64_t count, const Epilogue& epilogue,
                                          float* nowhere) {
    with_vectors_of_processor([&]<class V>(std::type_identity<V>) HEDDLE_INLINE_LAMBDA {
        transform_outputs_by<V>(from, stride, tiles, first, count, epilogue, nowhere);
    });
}

HEDDLE_SIMD_CLONES void transform_filters(const float* w, std::int64_t outputs, std::int64_t channels, bool turned,
                                          std::int64_t row, float* u) {
    const std::int64_t columns = turned ? channels : outputs, rows = turned ? outputs : channels;
    for (std::int64_t column = 0; column < columns; column += lanes) {
        float gathered[lanes * 9 * lanes];  // row, tap, column
        for (std::int64_t m = 0; m < lanes; ++m)
            for (int tap = 0; tap < 9; ++tap)
                for (std::int64_t n = 0; n < lanes; ++n) {
                    if (turned)
                        gathered[(m * 9 + tap) * lanes + n] = w[((row + m) * 9 + 8 - tap) * channels + column + n];
                    else
                        gathered[(n * 9 + tap) * lanes + m] = w[((column + m) * 9 + tap) * channels + row + n];
                }
        const std::int64_t width = panel_width(column, columns);
        float* to = u + column / panel * panel * rows + column % panel;
        with_vectors_of_processor([&]<class V>(std::type_identity<V>) HEDDLE_INLINE_LAMBDA {
            for (std::int64_t r = 0; r < lanes; ++r)
                for (std::int64_t part = 0; part < lanes; part += width_of<V>)
                    transform_2d<Filter, V>(
                        [&](int i, int j) HEDDLE_INLINE_LAMBDA -> const UnalignedOf<V>& {
                            return at<V>(gathered + (r * 9 + i * 3 + j) * lanes + part);
                        },
                        [&](int i, int j) HEDDLE_INLINE_LAMBDA -> UnalignedOf<V>& {
                            return at<V>(to + (i * 6 + j) * rows * columns + (row + r) * width + part);
                        });
        });
    }
}

HEDDLE_SIMD_CLONES void transform_filter_gradients(const float* du, std::int64_t parts, std::int64_t part_stride,
                                                   std::int64_t outputs, std::int64_t channels, std::int64_t o,
                                                   float* dw) {
    with_vectors_of_processor([&]<class V>(std::type_identity<V>) HEDDLE_INLINE_LAMBDA {
        for (std::int64_t c = 0; c < channels; c += width_of<V>) {
            UnalignedOf<V> u[components];
            for (int p = 0; p < components; ++p) {
                const float* from = du + (p * outputs + o) * channels + c;
                V sum = at<V>(from);
                for (std::int64_t part = 1; part < parts; ++part) sum += at<V>(from + part * part_stride);
                u[p] = sum;
            }
            transform_2d<FilterGradient, V>(
                [&](int i, int j) HEDDLE_INLINE_LAMBDA -> const UnalignedOf<V>& { return u[i * 6 + j]; },
                [&](int i, int j)
                    HEDDLE_INLINE_LAMBDA -> UnalignedOf<V>& { return at<V>(dw + (o * 9 + i * 3 + j) * channels + c); });
        }
    });
}

HEDDLE_SIMD_CLONES void multiply(const Left& l, const float* r, bool panels, float* c, std::int64_t rows,
                                 std::int64_t columns, std::int64_t depth, bool accumulate) {
    for_each_block_of_columns(columns, [&]<class V, int vectors>(std::int64_t column) HEDDLE_INLINE_LAMBDA {
        constexpr std::int64_t height = block_height<V, vectors>;
        const std::int64_t stride = panels ? panel_width(column, columns) : columns;
        const float* right = panels ? r + column / panel * panel * depth + column % panel : r + column;
        for (std::int64_t row = 0; row < rows; row += height) {
            float* to = c + row * columns + column;
            multiply_rows<vectors, height, V>(std::min(height, rows - row),
                                              {l.data + row * l.row_step, l.row_step, l.depth_step}, right, stride,
                                              {accumulate ? to : nullptr, columns}, to, columns, depth);
        }
    });
}

}  // namespace heddle::kernels::winograd
