#include "kernels/elementwise/native_binary.h"

#include "kernels/native_registry.h"

HEDDLE_KERNELS_BEGIN
namespace {

template <class Args>
void run(DType dtype, const Args& args, KernelContext& context) {
    if (is_floating(dtype))
        with_floating(dtype, [&](auto zero) { run_binary<decltype(zero)>(args, context); });
    else
        run_integers(args, context);
}

/// alpha x + beta y; beta = 0 does not read y.
template <class T>
struct Scaled {
    float alpha, beta;

    __device__ T operator()(T x) const { return from_f32<T>(alpha * to_f32(x)); }
    __device__ T operator()(T x, T y) const { return from_f32<T>(alpha * to_f32(x) + beta * to_f32(y)); }
};

void run_scale_add(const ScaleAdd& args, KernelContext& context) {
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Scaled<T> scaled{args.alpha, args.beta};
        const Dense<T> x{args.x.as<const T>()};
        T* y = args.y.as<T>();
        if (args.beta == 0)
            map<map_width<T>>(context, scaled, y, args.y.elements(), x);
        else
            map<map_width<T>>(context, scaled, y, args.y.elements(), x, Dense<T>{y});
    });
}

}  // namespace

void register_binary() {
    binary().add({.name = "native",
                  .device = backend,
                  .priority = priority::plain,
                  .supports = [](const Binary& args) { return movable(args.a.dtype); },
                  .run = [](const Binary& args, KernelContext& context) { run(args.a.dtype, args, context); }});
    scalar_binary().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports = [](const ScalarBinary& args) { return movable(args.x.dtype); },
         .run = [](const ScalarBinary& args, KernelContext& context) { run(args.x.dtype, args, context); }});
    scale_add().add({.name = "native",
                     .device = backend,
                     .priority = priority::plain,
                     .supports = [](const ScaleAdd& args) { return floating(args.x.dtype); },
                     .run = run_scale_add});
}

HEDDLE_KERNELS_END
