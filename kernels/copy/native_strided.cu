#include "kernels/copy/copy.h"
#include "kernels/native_map.h"
#include "kernels/native_registry.h"

// slice, broadcast_to: y is written in order, x is walked. The floor is the bytes of y, and those of x that are read.
HEDDLE_KERNELS_BEGIN
namespace {

void run_slice(const Slice& args, KernelContext& context) {
    const Shape &from = args.x.shape, &to = args.y.shape;
    const Strides strides = dense_strides(from);
    Walk walk;
    std::int64_t first = 0;
    for (int axis = 0; axis < to.rank(); ++axis) {
        const auto a = static_cast<std::size_t>(axis);
        first += args.starts[a] * strides[a];
        walk.append(to[axis], args.steps[a] * strides[a]);
    }
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int width = map_width<T>;
        map<width>(context, Same{}, args.y.as<T>(), args.y.elements(),
                   Strided<T>::walked(args.x.as<const T>() + first, walk, width));
    });
}

void run_broadcast_to(const BroadcastTo& args, KernelContext& context) {
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int width = map_width<T>;
        map<width>(context, Same{}, args.y.as<T>(), args.y.elements(),
                   Strided<T>::broadcast(args.x, args.y.shape, width));
    });
}

}  // namespace

void register_strided() {
    slice().add({.name = "native",
                 .device = backend,
                 .priority = priority::plain,
                 .supports = [](const Slice& args) { return movable(args.x.dtype); },
                 .run = run_slice});
    broadcast_to().add({.name = "native",
                        .device = backend,
                        .priority = priority::plain,
                        .supports = [](const BroadcastTo& args) { return movable(args.x.dtype); },
                        .run = run_broadcast_to});
}

HEDDLE_KERNELS_END
