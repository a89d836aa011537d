#include "kernels/copy/copy.h"
#include "kernels/native_map.h"
#include "kernels/native_registry.h"

// pad, and slice_backward, which is a padding with zeros, also between the elements if steps are larger than 1.
// The floor is the bytes of both sides.
HEDDLE_KERNELS_BEGIN
namespace {

/// An axis of the outer side, and the part of it that the inner side fills.
struct PadAxis {
    Divisor64 outer;  // extents
    std::int64_t inner;
    std::int64_t start;   // where the inner side's first element stands
    std::int64_t stride;  // of the inner side
    Divisor64 step;       // from one element of the inner side to the next
    bool reversed;        // which goes backwards
    bool whole;           // both sides are the same along this axis
};

template <class T>
class Padded {
  public:
    Padded(const T* data, PadMode mode, T value) : data_(data), mode_(mode), value_(value) {}

    /// Adds an axis inside the previous ones. Two that are whole are merged; so, with a constant, is a whole axis
    /// inside any other.
    void append(std::int64_t outer, std::int64_t inner, std::int64_t start, std::int64_t step) {
        const bool whole = outer == inner && start == 0 && step == 1;
        if (whole && rank_ > 0) {
            PadAxis& last = axes_[rank_ - 1];
            if (last.whole || (mode_ == PadMode::constant && last_step_ == 1)) {
                last = {Divisor64(last_outer_ *= outer),
                        last.inner * inner,
                        last.start * inner,
                        1,
                        Divisor64(1),
                        false,
                        last.whole};
                return;
            }
        }
        last_outer_ = outer;
        last_step_ = step;
        axes_[rank_++] = {Divisor64(outer), inner, start, 1, Divisor64(step < 0 ? -step : step), step < 0, whole};
    }
    /// After the last axis: the strides, and whether vectors are wholly inside or outside.
    void finish(int width) {
        if (rank_ == 0) append(1, 1, 0, 1);
        std::int64_t stride = 1;
        for (int axis = rank_ - 1; axis >= 0; --axis) {
            axes_[axis].stride = stride;
            stride *= axes_[axis].inner;
        }
        const PadAxis& last = axes_[rank_ - 1];
        runs_ = last_outer_ % width == 0 && last.inner % width == 0 && last.start % width == 0 && last_step_ == 1 &&
                (last.whole || mode_ == PadMode::constant) &&
                is_aligned(data_, sizeof(T) * static_cast<std::size_t>(width));
    }

    bool allows(int) const { return true; }
    __device__ T at(std::int64_t i) const {
        const std::int64_t place = source(i);
        return place >= 0 ? data_[place] : value_;
    }
    template <int width>
    __device__ Vector<T, width> read(std::int64_t i) const {
        if (!runs_) return read_each<width>(*this, i);
        const std::int64_t place = source(i);
        return place >= 0 ? load_vector<width>(data_ + place) : repeated<T, width>(value_);
    }

  private:
    /// Where element i of the outer side comes from; -1: from nowhere.
    __device__ std::int64_t source(std::int64_t i) const {
        std::int64_t place = 0;
        bool inside = true;
        _Pragma("unroll 1") for (int axis = rank_ - 1; axis >= 0; --axis) {
            const PadAxis& a = axes_[axis];
            const std::int64_t rest = axis > 0 ? a.outer.divide(i) : 0, at = i - rest * a.outer.divisor();
            std::int64_t from = a.reversed ? a.start - at : at - a.start;
            if (mode_ == PadMode::edge) {
                from = from < 0 ? 0 : (from >= a.inner ? a.inner - 1 : from);
            } else if (mode_ == PadMode::reflect) {
                from = from < 0 ? -from : (from >= a.inner ? 2 * (a.inner - 1) - from : from);
            } else {
                const std::int64_t step = a.step.divide(from < 0 ? 0 : from);
                inside = inside && from >= 0 && step * a.step.divisor() == from && step < a.inner;
                from = step;
            }
            place += from * a.stride;
            i = rest;
        }
        return inside ? place : -1;
    }

    const T* data_;
    PadMode mode_;
    T value_;
    bool runs_ = false;
    int rank_ = 0;
    std::int64_t last_outer_ = 1, last_step_ = 1;
    PadAxis axes_[Shape::max_rank] = {};
};

void run_pad(const Pad& args, KernelContext& context) {
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int width = map_width<T>;
        Padded<T> padded(args.x.as<const T>(), args.mode, bits_of<T>(args.value, args.y.dtype));
        for (int axis = 0; axis < args.y.shape.rank(); ++axis)
            padded.append(args.y.shape[axis], args.x.shape[axis], args.before[static_cast<std::size_t>(axis)], 1);
        padded.finish(width);
        map<width>(context, Same{}, args.y.as<T>(), args.y.elements(), padded);
    });
}

void run_slice_backward(const SliceBackward& args, KernelContext& context) {
    with_bits_type(args.dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int width = map_width<T>;
        Padded<T> padded(args.dy.as<const T>(), PadMode::constant, T{});
        for (int axis = 0; axis < args.dx.shape.rank(); ++axis) {
            const auto a = static_cast<std::size_t>(axis);
            padded.append(args.dx.shape[axis], args.dy.shape[axis], args.starts[a], args.steps[a]);
        }
        padded.finish(width);
        map<width>(context, Same{}, args.dx.as<T>(), args.dx.elements(), padded);
    });
}

}  // namespace

void register_pad() {
    pad().add({.name = "native",
               .device = backend,
               .priority = priority::plain,
               .supports = [](const Pad& args) { return movable(args.x.dtype); },
               .run = run_pad});
    slice_backward().add({.name = "native",
                          .device = backend,
                          .priority = priority::plain,
                          .supports = [](const SliceBackward& args) { return movable(args.dx.dtype); },
                          .run = run_slice_backward});
}

HEDDLE_KERNELS_END
