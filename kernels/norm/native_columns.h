#pragma once

#include "kernels/activation.h"
#include "kernels/norm/norm.h"
#include "kernels/simt/columns.h"
#include "kernels/simt/global.h"
#include "kernels/simt/native.h"

// What the batch norm kernels share. x is a matrix [rows, channels]; a thread has the V channels of one vector and
// walks down the rows of its split, a few rows at a time so that their loads are under way together.
HEDDLE_KERNELS_BEGIN
namespace {

/// How many channels one access moves: a vector where rows are whole vectors and all addresses are aligned.
inline int channels_per_access(const View& x, std::initializer_list<const View*> others) {
    const int wide = 16 / static_cast<int>(size_of(x.dtype));
    if (x.shape.back() % wide != 0 || !is_aligned(x.data)) return 1;
    for (const View* view : others)
        if (*view && !is_aligned(view->data)) return 1;
    return wide;
}

inline ColumnTiles tiles_of(const View& x, int V) {
    const std::int64_t channels = x.shape.back();
    return column_tiles(channels > 0 ? x.elements() / channels : 0, channels / V);
}

/// Channel vectors and statistics are f32, whatever x is.
inline Support only_wide(const View& x, std::initializer_list<const View*> vectors) {
    for (const View* view : vectors)
        if (*view && view->dtype != DType::f32)
            return Support::no("channel vectors of dtype " + std::string(to_string(view->dtype)) + " (only f32)");
    return floating(x.dtype);
}

inline const float* floats(const View& view) { return view ? view.as<float>() : nullptr; }

__device__ inline float at_or(const float* vector, std::int64_t channel, float absent) {
    return vector ? vector[channel] : absent;
}

/// y = activation((x - mean) * factor + shift + residual), by channel.
template <int V>
struct Affine {
    float mean[V], factor[V], shift[V];
};

/// Applies it to the rows of a thread's place. residual may be null; y may be x or residual.
template <class T, int V>
__device__ void apply_affine(const T* x, const T* residual, T* y, const Affine<V>& affine, bool relu,
                             const ColumnTiles& tiles, const ColumnPlace& place) {
    constexpr int batch = V > 4 ? 2 : 4;
    const std::int64_t row_length = tiles.units * V;
    for (std::int64_t row = place.first; row < place.last; row += batch * tiles.lanes) {
        Vector<T, V> values[batch], added[batch];
        HEDDLE_UNROLL
        for (int i = 0; i < batch; ++i) {
            const std::int64_t r = row + i * tiles.lanes, at = r * row_length + place.unit * V;
            if (r >= place.last) break;
            values[i] = load_vector<V>(x + at);
            if (residual) added[i] = load_vector<V>(residual + at);
        }
        HEDDLE_UNROLL
        for (int i = 0; i < batch; ++i) {
            const std::int64_t r = row + i * tiles.lanes;
            if (r >= place.last) break;
            Vector<T, V> result;
            HEDDLE_UNROLL
            for (int v = 0; v < V; ++v) {
                float value = (to_f32(values[i][v]) - affine.mean[v]) * affine.factor[v] + affine.shift[v];
                if (residual) value += to_f32(added[i][v]);
                if (relu && value < 0) value = 0;
                result[v] = from_f32<T>(value);
            }
            store_vector_global(y + r * row_length + place.unit * V, result);
        }
    }
}

/// The dtype and V of a launch as template arguments: calls `body(T{}, constant)` with constant() = V.
template <class Body>
void with_access(DType dtype, int V, const Body& body) {
    with_floating(dtype, [&](auto zero) {
        using T = decltype(zero);
        if (V > 1)
            body(zero, std::integral_constant<int, vector_width<T>>{});
        else
            body(zero, std::integral_constant<int, 1>{});
    });
}

}  // namespace
HEDDLE_KERNELS_END
