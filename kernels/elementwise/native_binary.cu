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

struct ScaledWide {
    double alpha, beta;

    __device__ double operator()(float x) const { return alpha * static_cast<double>(x); }
    __device__ double operator()(float x, double y) const { return alpha * static_cast<double>(x) + beta * y; }
};

template <class T, class To, class F>
void scale_add_by(const F& scaled, const ScaleAdd& args, KernelContext& context) {
    constexpr int width = map_width<To>;
    const Dense<T> x{args.x.as<const T>()};
    To* y = args.y.as<To>();
    if (args.beta == 0)
        map<width>(context, scaled, y, args.y.elements(), x);
    else
        map<width>(context, scaled, y, args.y.elements(), x, Dense<To>{y});
}

void run_scale_add(const ScaleAdd& args, KernelContext& context) {
    if (args.y.dtype == DType::f64)
        return scale_add_by<float, double>(ScaledWide{double{args.alpha}, double{args.beta}}, args, context);
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        scale_add_by<T, T>(Scaled<T>{args.alpha, args.beta}, args, context);
    });
}

Support supports_scale_add(const ScaleAdd& args) {
    if (args.y.dtype != args.x.dtype && !(args.x.dtype == DType::f32 && args.y.dtype == DType::f64))
        return Support::no("a sum in " + std::string(to_string(args.y.dtype)) + " of " +
                           std::string(to_string(args.x.dtype)));
    return floating(args.x.dtype);
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
                     .supports = supports_scale_add,
                     .run = run_scale_add});
}

HEDDLE_KERNELS_END
