#include "kernels/layer_norm/layer_norm.h"
#include "kernels/native_registry.h"
#include "kernels/simt/columns.h"
#include "kernels/simt/floats.h"
#include "kernels/simt/native.h"
#include "kernels/simt/rows.h"

// Forward: x is read once from memory (later passes over a row find it in registers, in shared memory or in the first
// cache: simt/rows.h) and y written once: the floor is 2 * elements * size. Backward: dx reads x and dy once; the
// gradients of the vectors are sums over columns and read x and dy once more, in a kernel of their own, whose splits a
// small kernel joins: 5 * elements * size in all.
HEDDLE_KERNELS_BEGIN
namespace {

/// An operand of `for_columns`: a vector that is the same for all rows, or a constant if it is absent. Rows may begin
/// anywhere; accesses are wide where the address allows it.
struct Beside {
    const float* data;
    float absent;

    template <int V>
    __device__ Floats<V> at(int, std::int64_t column) const {
        constexpr int part = V < 4 ? V : 4;
        Floats<V> result;
        if (data && reinterpret_cast<std::uintptr_t>(data + column) % (part * sizeof(float)) == 0) {
            load_wide(data + column, result.value);
        } else {
            HEDDLE_UNROLL
            for (int v = 0; v < V; ++v) result[v] = data ? data[column + v] : absent;
        }
        return result;
    }
};

struct Statistics {
    float *mean, *inverse_deviation;
};

/// y may be x.
template <class T, class Row>
__global__ void __launch_bounds__(Row::threads)
    normalize_rows(const T* x, Beside scale, Beside offset, float epsilon, T* y, Statistics saved, RowTiles tiles) {
    Row row(tiles);
    auto values = row.read(x);
    const float count = static_cast<float>(tiles.length);
    float sum = 0;
    for_columns(
        row, [&](auto, float value) { sum += value; }, values);
    // Moments are taken about the rounded mean, and corrected for its small distance from the mean.
    const float about = row.reduce(sum, Sum{}, 0.0f) / count;
    float distances = 0, squares = 0;
    const auto add = [&](auto, float value) {
        const float distance = value - about;
        distances += distance;
        squares += distance * distance;
    };
    for_columns(row, add, values);
    const float correction = row.reduce(distances, Sum{}, 0.0f) / count, mean = about + correction;
    const float variance = row.reduce(squares, Sum{}, 0.0f) / count - correction * correction;
    const float inverse_deviation = 1.0f / sqrtf((variance < 0 ? 0.0f : variance) + epsilon);
    const auto result = [&](auto, float value, float factor, float shift) {
        return (value - about - correction) * inverse_deviation * factor + shift;
    };
    write_columns(row, y, result, values, scale, offset);
    if (!row.leads()) return;
    saved.mean[row.row] = mean;
    saved.inverse_deviation[row.row] = inverse_deviation;
}

/// What the backward kernels read.
template <class T>
struct Given {
    const T *x, *dy;
    Beside scale;
    const float *mean, *inverse_deviation;
};

/// dx may be dy: a thread reads an element's dy before it writes its dx, and nobody else reads it.
template <class T, class Row>
__global__ void __launch_bounds__(Row::threads) data_gradient(Given<T> given, T* dx, RowTiles tiles) {
    Row row(tiles);
    auto values = row.read(given.x), gradients = row.read(given.dy);
    const float mean = row.inside ? given.mean[row.row] : 0,
                inverse_deviation = row.inside ? given.inverse_deviation[row.row] : 0;
    const float count = static_cast<float>(tiles.length);
    float sum = 0, product = 0;
    const auto add = [&](auto, float x, float dy, float scale) {
        const float g = dy * scale;
        sum += g;
        product += g * ((x - mean) * inverse_deviation);
    };
    for_columns(row, add, values, gradients, given.scale);
    sum = row.reduce(sum, Sum{}, 0.0f) / count;
    product = row.reduce(product, Sum{}, 0.0f) / count;
    const auto result = [&](auto, float x, float dy, float scale) {
        return (dy * scale - sum - (x - mean) * inverse_deviation * product) * inverse_deviation;
    };
    write_columns(row, dx, result, values, gradients, given.scale);
}

/// Sums over the rows of a split: of dy * n and of dy, [splits, columns] each. A thread has V columns, and walks down a
/// few rows at a time so that their loads are under way together.
template <class T, int V>
__global__ void vector_gradients(Given<T> given, float* dscale, float* doffset, ColumnTiles tiles) {
    constexpr int batch = V > 1 ? 2 : 4;
    const ColumnPlace place = column_place(tiles, blockIdx.x, blockIdx.y);
    const std::int64_t size = tiles.units * V, column = place.unit * V;
    float products[V] = {}, sums[V] = {};
    for (std::int64_t row = place.first; row < place.last; row += batch * tiles.lanes) {
        Vector<T, V> x[batch], dy[batch];
        HEDDLE_UNROLL
        for (int i = 0; i < batch; ++i) {
            const std::int64_t r = row + i * tiles.lanes;
            if (r >= place.last) break;
            x[i] = load_vector<V>(given.x + r * size + column);
            dy[i] = load_vector<V>(given.dy + r * size + column);
        }
        HEDDLE_UNROLL
        for (int i = 0; i < batch; ++i) {
            const std::int64_t r = row + i * tiles.lanes;
            if (r >= place.last) break;
            const float mean = given.mean[r], inverse_deviation = given.inverse_deviation[r];
            HEDDLE_UNROLL
            for (int v = 0; v < V; ++v) {
                products[v] += to_f32(dy[i][v]) * ((to_f32(x[i][v]) - mean) * inverse_deviation);
                sums[v] += to_f32(dy[i][v]);
            }
        }
    }
    reduce_lanes(products, tiles, place, Sum{});
    reduce_lanes(sums, tiles, place, Sum{});
    if (!place.leads) return;
    store_wide(dscale + blockIdx.y * size + column, products);
    store_wide(doffset + blockIdx.y * size + column, sums);
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

inline float* writable(const View& view) { return view ? view.as<float>() : nullptr; }
inline Beside beside(const View& view, float absent) { return {writable(view), absent}; }

template <class T>
void forward_of(const LayerNormForward& args, KernelContext& context) {
    const std::int64_t size = args.x.shape.back();
    const T* x = args.x.as<T>();
    T* y = args.y.as<T>();
    const Statistics saved{args.mean.as<float>(), args.inverse_deviation.as<float>()};
    const RowPlan plan = plan_rows<T>(args.x.elements() / size, size, 1, {x, y});
    with_row<T>(plan, [&](auto kind) {
        launch(normalize_rows<T, typename decltype(kind)::type>, plan.grid, plan.block, plan.shared_bytes, context, x,
               beside(args.scale, 1), beside(args.offset, 0), args.epsilon, y, saved, plan.tiles);
    });
}

/// How many columns one access of `vector_gradients` moves.
int columns_per_access(const LayerNormBackward& args) {
    const int wide = 16 / static_cast<int>(size_of(args.x.dtype));
    return args.x.shape.back() % wide == 0 && is_aligned(args.x.data) && is_aligned(args.dy.data) ? wide : 1;
}

ColumnTiles tiles_of(const LayerNormBackward& args) {
    const std::int64_t size = args.x.shape.back();
    return column_tiles(args.x.elements() / size, size / columns_per_access(args));
}

bool wants_vectors(const LayerNormBackward& args) { return args.dscale || args.doffset; }

std::size_t workspace(const LayerNormBackward& args) {
    if (!wants_vectors(args)) return 0;
    return 2 * static_cast<std::size_t>(args.x.shape.back()) * tiles_of(args).splits * sizeof(float);
}

template <class T>
void backward_of(const LayerNormBackward& args, KernelContext& context) {
    const std::int64_t size = args.x.shape.back();
    const Given<T> given{args.x.as<T>(), args.dy.as<T>(), beside(args.scale, 1), args.mean.as<float>(),
                         args.inverse_deviation.as<float>()};
    if (wants_vectors(args)) {
        const ColumnTiles tiles = tiles_of(args), parts = column_tiles(tiles.splits, size, 1, false);
        auto* dscale = static_cast<float*>(context.workspace);
        float* doffset = dscale + tiles.splits * size;
        const auto kernel =
            columns_per_access(args) > 1 ? vector_gradients<T, vector_width<T>> : vector_gradients<T, 1>;
        launch(kernel, tiles.grid(), dim3(column_block), 0, context, given, dscale, doffset, tiles);
        launch(join_splits, parts.grid(), dim3(column_block), 0, context, dscale, doffset, parts, writable(args.dscale),
               writable(args.doffset));
    }
    if (!args.dx) return;
    T* dx = args.dx.as<T>();
    const RowPlan plan = plan_rows<T>(args.x.elements() / size, size, 2, {given.x, given.dy, dx});
    with_row<T>(plan, [&](auto kind) {
        launch(data_gradient<T, typename decltype(kind)::type>, plan.grid, plan.block, plan.shared_bytes, context,
               given, dx, plan.tiles);
    });
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
