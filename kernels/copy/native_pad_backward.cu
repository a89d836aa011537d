#include "kernels/copy/copy.h"
#include "kernels/native_map.h"
#include "kernels/native_registry.h"

// pad_backward. Of a constant padding it is a slice; else each element of dx collects its copies, its own place first.
// The floor is the bytes of both sides.
HEDDLE_KERNELS_BEGIN
namespace {

struct Border {
    Divisor64 inner;  // extent of dx
    std::int64_t before, after;
    std::int64_t stride;  // of dy
};

template <class T>
class Collected {
  public:
    Collected(const PadBackward& args) : dy_(args.dy.as<const T>()), edge_(args.mode == PadMode::edge) {
        const Strides strides = dense_strides(args.dy.shape);
        for (int axis = 0; axis < args.dx.shape.rank(); ++axis) {
            const auto a = static_cast<std::size_t>(axis);
            const std::int64_t inner = args.dx.shape[axis], outer = args.dy.shape[axis], before = args.before[a];
            if (outer == 1) continue;
            axes_[rank_++] = {Divisor64(inner), before, outer - inner - before, strides[a]};
        }
    }

    bool allows(int) const { return true; }
    __device__ T at(std::int64_t i) const {
        std::int64_t all = 1, place = 0, rest = i;
        _Pragma("unroll 1") for (int axis = rank_ - 1; axis >= 0; --axis) {
            const Border& b = axes_[axis];
            const std::int64_t outer = b.inner.divide(rest), at = rest - outer * b.inner.divisor();
            all *= copies(b, at);
            place += position(b, at, 0) * b.stride;
            rest = outer;
        }
        if (all == 1) return dy_[place];
        float sum = 0;
        for (std::int64_t copy = 0; copy < all; ++copy) sum += to_f32(dy_[place_of(i, copy)]);
        return from_f32<T>(sum);
    }
    template <int width>
    __device__ Vector<T, width> read(std::int64_t i) const {
        return read_each<width>(*this, i);
    }

  private:
    /// The position of copy number `copy` of element i: copies are numbered along the last axis first.
    __device__ std::int64_t place_of(std::int64_t i, std::int64_t copy) const {
        std::int64_t place = 0;
        _Pragma("unroll 1") for (int axis = rank_ - 1; axis >= 0; --axis) {
            const Border& b = axes_[axis];
            const std::int64_t outer = b.inner.divide(i), at = i - outer * b.inner.divisor(), own = copies(b, at);
            place += position(b, at, copy % own) * b.stride;
            copy /= own;
            i = outer;
        }
        return place;
    }
    /// How often element `at` of an axis occurs in the padded one.
    __device__ std::int64_t copies(const Border& b, std::int64_t at) const {
        const std::int64_t behind = b.inner.divisor() - 1 - at;
        if (edge_) return 1 + (at == 0 ? b.before : 0) + (behind == 0 ? b.after : 0);
        return 1 + (at > 0 && at <= b.before ? 1 : 0) + (behind > 0 && behind <= b.after ? 1 : 0);
    }
    /// The position of the `copy`-th of them: its own place, then (edge) those in front and behind, or
    /// (reflection) its images in front and behind.
    __device__ std::int64_t position(const Border& b, std::int64_t at, std::int64_t copy) const {
        if (copy == 0) return b.before + at;
        if (edge_) return at == 0 && copy <= b.before ? copy - 1 : b.before + at + copy - (at == 0 ? b.before : 0);
        if (copy == 1 && at > 0 && at <= b.before) return b.before - at;
        return b.before + 2 * (b.inner.divisor() - 1) - at;
    }

    const T* dy_;
    bool edge_;
    int rank_ = 0;
    Border axes_[Shape::max_rank] = {};
};

void run(const PadBackward& args, KernelContext& context) {
    with_floating(args.dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int width = map_width<T>;
        if (args.mode != PadMode::constant)
            return map<width>(context, Same{}, args.dx.as<T>(), args.dx.elements(), Collected<T>(args));
        const Strides strides = dense_strides(args.dy.shape);
        Walk walk;
        std::int64_t first = 0;
        for (int axis = 0; axis < args.dx.shape.rank(); ++axis) {
            const auto a = static_cast<std::size_t>(axis);
            first += args.before[a] * strides[a];
            walk.append(args.dx.shape[axis], strides[a]);
        }
        map<width>(context, Same{}, args.dx.as<T>(), args.dx.elements(),
                   Strided<T>::walked(args.dy.as<const T>() + first, walk, width));
    });
}

}  // namespace

void register_pad_backward() {
    pad_backward().add({.name = "native",
                        .device = backend,
                        .priority = priority::plain,
                        .supports = [](const PadBackward& args) { return floating(args.dx.dtype); },
                        .run = run});
}

HEDDLE_KERNELS_END
