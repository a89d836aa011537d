#include "kernels/elementwise/elementwise.h"
#include "kernels/native_map.h"
#include "kernels/native_registry.h"

// where, fill, clip. The floor is the bytes of the result and of the operands as they stand in memory.
HEDDLE_KERNELS_BEGIN
namespace {

struct Choose {
    template <class T>
    __device__ T operator()(std::uint8_t condition, T yes, T no) const {
        return condition ? yes : no;
    }
};

void run_where(const Where& args, KernelContext& context) {
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int width = map_width<T>;
        const Shape& shape = args.y.shape;
        map<width>(context, Choose{}, args.y.as<T>(), args.y.elements(),
                   Strided<std::uint8_t>::broadcast(args.condition, shape, width),
                   Strided<T>::broadcast(args.a, shape, width), Strided<T>::broadcast(args.b, shape, width));
    });
}

template <class T>
struct Value {
    T value;
    __device__ T operator()() const { return value; }
};

void run_fill(const Fill& args, KernelContext& context) {
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        map<map_width<T>>(context, Value<T>{bits_of<T>(args.value, args.y.dtype)}, args.y.as<T>(), args.y.elements());
    });
}

template <class T>
struct Limit {
    float low, high;

    __device__ T operator()(T x) const {
        const float value = to_f32(x);
        return from_f32<T>(value < low ? low : (value > high ? high : value));
    }
    /// Of dy: where x lies within.
    __device__ T operator()(T x, T dy) const {
        const float value = to_f32(x);
        return value >= low && value <= high ? dy : from_f32<T>(0.0f);
    }
};

void run_clip(const Clip& args, KernelContext& context) {
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Limit<T> limit{static_cast<float>(args.low), static_cast<float>(args.high)};
        map<map_width<T>>(context, limit, args.y.as<T>(), args.y.elements(), Dense<T>{args.x.as<const T>()});
    });
}

void run_clip_backward(const ClipBackward& args, KernelContext& context) {
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Limit<T> limit{static_cast<float>(args.low), static_cast<float>(args.high)};
        map<map_width<T>>(context, limit, args.dx.as<T>(), args.dx.elements(), Dense<T>{args.x.as<const T>()},
                          Dense<T>{args.dy.as<const T>()});
    });
}

}  // namespace

void register_select() {
    where().add({.name = "native",
                 .device = backend,
                 .priority = priority::plain,
                 .supports = [](const Where& args) { return movable(args.y.dtype); },
                 .run = run_where});
    fill().add({.name = "native",
                .device = backend,
                .priority = priority::plain,
                .supports = [](const Fill& args) { return movable(args.y.dtype); },
                .run = run_fill});
    clip().add({.name = "native",
                .device = backend,
                .priority = priority::plain,
                .supports = [](const Clip& args) { return floating(args.x.dtype); },
                .run = run_clip});
    clip_backward().add({.name = "native",
                         .device = backend,
                         .priority = priority::plain,
                         .supports = [](const ClipBackward& args) { return floating(args.x.dtype); },
                         .run = run_clip_backward});
}

HEDDLE_KERNELS_END
