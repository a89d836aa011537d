#include "kernels/dispatch.h"
#include "kernels/element_types.h"
#include "kernels/elementwise/implementations.h"
#include "kernels/strides.h"

namespace heddle::kernels {
namespace {

void run_where(const Where& args, KernelContext&) {
    const Shape& shape = args.y.shape;
    const Strides condition = broadcast_strides(args.condition.shape, shape),
                  a = broadcast_strides(args.a.shape, shape), b = broadcast_strides(args.b.shape, shape);
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < args.y.elements(); ++i) {
            const Index index = unravel(i, shape);
            args.y.as<T>()[i] = args.condition.as<bool>()[offset_of(index, condition)]
                                    ? args.a.as<T>()[offset_of(index, a)]
                                    : args.b.as<T>()[offset_of(index, b)];
        }
    });
}

void run_cast(const Cast& args, KernelContext&) {
    with_storage_type(args.x.dtype, [&](auto from) {
        with_storage_type(args.y.dtype, [&](auto to) {
            using From = decltype(from);
            using To = decltype(to);
            for (std::int64_t i = 0; i < args.y.elements(); ++i) args.y.as<To>()[i] = convert<To>(args.x.as<From>()[i]);
        });
    });
}

void run_fill(const Fill& args, KernelContext&) {
    with_storage_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < args.y.elements(); ++i) args.y.as<T>()[i] = convert<T>(args.value);
    });
}

void run_clip(const Clip& args, KernelContext&) {
    with_float_type(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < args.y.elements(); ++i) {
            const double x = double(args.x.as<T>()[i]);
            args.y.as<T>()[i] = static_cast<T>(x < args.low ? args.low : (x > args.high ? args.high : x));
        }
    });
}

void run_clip_backward(const ClipBackward& args, KernelContext&) {
    with_float_type(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < args.dx.elements(); ++i) {
            const double x = double(args.x.as<T>()[i]);
            args.dx.as<T>()[i] = x >= args.low && x <= args.high ? args.dy.as<T>()[i] : T{};
        }
    });
}

}  // namespace

void add_reference(KernelTable<Where>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Where&) { return Support::yes(); },
               .run = run_where});
}

void add_reference(KernelTable<Cast>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Cast&) { return Support::yes(); },
               .run = run_cast});
}

void add_reference(KernelTable<Fill>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Fill&) { return Support::yes(); },
               .run = run_fill});
}

void add_reference(KernelTable<Clip>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Clip& args) { return float_or_double(args.x.dtype); },
               .run = run_clip});
}

void add_reference(KernelTable<ClipBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const ClipBackward& args) { return float_or_double(args.x.dtype); },
               .run = run_clip_backward});
}

}  // namespace heddle::kernels
