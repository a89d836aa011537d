#pragma once

#include <cstring>
#include <tuple>

#include "kernels/element_types.h"
#include "kernels/native_index.h"
#include "kernels/simt/native.h"
#include "kernels/strides.h"
#include "kernels/view.h"

// Kernels whose result is written in order, each element made from elements of some operands. A thread makes as many
// neighbours as one access stores; what an operand's elements are and where they stand is the operand's matter. The
// floor is memory: each operand is read once, the result is written once.
HEDDLE_KERNELS_BEGIN

/// 2048 threads a multiprocessor with 16 bytes each under way hide the latency of memory.
inline constexpr int map_threads = 256;

/// Elements that a thread makes at once where `T` is the widest type: 16 bytes; not more than 8, for short code.
template <class T>
inline constexpr int map_width = vector_width<T> < 8 ? vector_width<T> : 8;

/// An operand of which element i stands at place i.
template <class T>
struct Dense {
    const T* data = nullptr;

    bool allows(int width) const { return is_aligned(data, sizeof(T) * static_cast<std::size_t>(width)); }
    __device__ T at(std::int64_t i) const { return data[i]; }
    template <int width>
    __device__ Vector<T, width> read(std::int64_t i) const {
        return load_vector<width>(data + i);
    }
};

/// For operands that have nothing better: `width` elements one by one.
template <int width, class Operand>
__device__ inline auto read_each(const Operand& operand, std::int64_t i) {
    Vector<decltype(operand.at(i)), width> result;
    HEDDLE_UNROLL
    for (int k = 0; k < width; ++k) result[k] = operand.at(i + k);
    return result;
}

template <class T, int width>
__device__ inline Vector<T, width> repeated(T value) {
    Vector<T, width> result;
    HEDDLE_UNROLL
    for (int k = 0; k < width; ++k) result[k] = value;
    return result;
}

/// An operand of one of several kinds: dense, a number, or walked with strides (broadcast, sliced, permuted).
template <class T>
class Strided {
  public:
    static Strided constant(T value) {
        Strided result(nullptr);
        result.value_ = value;
        result.kind_ = Kind::constant;
        return result;
    }
    static Strided dense(const T* data) { return Strided(data); }
    /// `width`: of the kernel that reads it.
    static Strided walked(const T* data, const Walk& walk, int width) {
        Strided result(data);
        result.walk_ = walk;
        if (walk.has_runs(width, 0))
            result.kind_ = Kind::repeated;
        else if (walk.has_runs(width, 1) && is_aligned(data, sizeof(T) * static_cast<std::size_t>(width)))
            result.kind_ = Kind::runs;
        else
            result.kind_ = Kind::scattered;
        return result;
    }
    /// `from` as if it had the shape `to`, which it broadcasts to.
    static Strided broadcast(const View& from, const Shape& to, int width) {
        const T* data = from.as<const T>();
        if (from.elements() == to.elements()) return dense(data);
        const Strides strides = broadcast_strides(from.shape, to);
        Walk walk;
        for (int axis = 0; axis < to.rank(); ++axis) walk.append(to[axis], strides[static_cast<std::size_t>(axis)]);
        return walked(data, walk, width);
    }

    bool allows(int width) const {
        if (kind_ == Kind::scattered) return walk_.last_extent() >= width;
        return kind_ != Kind::dense || is_aligned(data_, sizeof(T) * static_cast<std::size_t>(width));
    }
    __device__ T at(std::int64_t i) const {
        if (kind_ == Kind::constant) return value_;
        return data_[kind_ == Kind::dense ? i : walk_.offset(i)];
    }
    template <int width>
    __device__ Vector<T, width> read(std::int64_t i) const {
        if (kind_ == Kind::constant) return repeated<T, width>(value_);
        if (kind_ == Kind::dense) return load_vector<width>(data_ + i);
        std::int64_t left;
        const std::int64_t offset = walk_.offset(i, left);
        if (kind_ == Kind::runs) return load_vector<width>(data_ + offset);
        if (kind_ == Kind::repeated) return repeated<T, width>(data_[offset]);
        // The elements lie in one line, or in two: `allows` saw to it.
        const std::int64_t stride = walk_.last_stride(),
                           second = left < width ? walk_.offset(i + left) - left * stride : offset;
        Vector<T, width> result;
        HEDDLE_UNROLL
        for (int k = 0; k < width; ++k) result[k] = data_[(k < left ? offset : second) + k * stride];
        return result;
    }

  private:
    enum class Kind : std::uint8_t { dense, constant, runs, repeated, scattered };
    explicit Strided(const T* data) : data_(data) {}

    const T* data_;
    T value_{};
    Kind kind_ = Kind::dense;
    Walk walk_ = {};
};

/// y[i] = f(operands at i) for i < count. y may be a dense operand.
template <int width, class F, class To, class... Operands>
struct Mapping {
    F f;
    To* y;
    std::int64_t count, vectors;  // the first vectors * width elements are made by vectors, the others one by one
    std::tuple<Operands...> operands;

    __device__ void make_vector(std::int64_t i) const {
        std::apply([&](const Operands&... each) { store(i, each.template read<width>(i)...); }, operands);
    }
    __device__ void make_one(std::int64_t i) const {
        std::apply([&](const Operands&... each) { y[i] = f(each.at(i)...); }, operands);
    }

  private:
    template <class... Read>
    __device__ void store(std::int64_t i, const Read&... read) const {
        Vector<To, width> result;
        HEDDLE_UNROLL
        for (int k = 0; k < width; ++k) result[k] = f(read[k]...);
        store_vector(y + i, result);
    }
};

template <int width, class F, class To, class... Operands>
__global__ void __launch_bounds__(map_threads)
    map_operands(const __grid_constant__ Mapping<width, F, To, Operands...> mapping) {
    const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * map_threads + threadIdx.x,
                       threads = static_cast<std::int64_t>(gridDim.x) * map_threads;
    _Pragma("unroll 1") for (std::int64_t v = thread; v < mapping.vectors; v += threads) mapping.make_vector(v * width);
    _Pragma("unroll 1") for (std::int64_t i = mapping.vectors * width + thread; i < mapping.count; i += threads)
        mapping.make_one(i);
}

template <int width, class F, class To, class... Operands>
void map(KernelContext& context, const F& f, To* y, std::int64_t count, const Operands&... operands) {
    if (count == 0) return;
    const bool vectors = is_aligned(y, sizeof(To) * width) && (operands.allows(width) && ...);
    const std::int64_t steps = vectors ? (count + width - 1) / width : count;
    launch(map_operands<width, F, To, Operands...>, dim3(blocks_for(steps, map_threads)), dim3(map_threads), 0, context,
           Mapping<width, F, To, Operands...>{f, y, count, vectors ? count / width : 0, {operands...}});
}

struct Same {
    template <class T>
    __device__ T operator()(T value) const {
        return value;
    }
};

/// What moves elements takes every dtype that devices have.
inline Support movable(DType dtype) {
    return dtype == DType::f64 ? Support::no("dtype f64 (on the CPU only)") : Support::yes();
}

/// `value` in a dtype, as bits.
template <class T>
T bits_of(double value, DType dtype) {
    T bits{};
    with_storage_type(dtype, [&](auto zero) {
        const auto converted = convert<decltype(zero)>(value);
        if constexpr (sizeof(converted) == sizeof(bits))
            std::memcpy(static_cast<void*>(&bits), &converted, sizeof(bits));
    });
    return bits;
}

HEDDLE_KERNELS_END
