#include "kernels/elementwise/elementwise.h"
#include "kernels/native_map.h"
#include "kernels/native_registry.h"

// y = x in another dtype. The floor is elements * (size of x + size of y) bytes.
HEDDLE_KERNELS_BEGIN
namespace {

/// Stored as 0 or 1.
struct Boolean {
    std::uint8_t value;
};

/// A number as the arithmetic sees it.
template <class T>
__device__ auto opened(T value) {
    if constexpr (std::is_same_v<T, Boolean>)
        return value.value;
    else if constexpr (std::is_integral_v<T>)
        return value;
    else
        return to_f32(value);
}

template <class To>
struct Conversion {
    template <class From>
    __device__ To operator()(From from) const {
        const auto value = opened(from);
        if constexpr (std::is_same_v<To, Boolean>)
            return Boolean{static_cast<std::uint8_t>(value != 0)};  // NaN is true
        else if constexpr (std::is_integral_v<To>)
            return static_cast<To>(value);
        else
            return from_f32<To>(static_cast<float>(value));
    }
};

/// Calls `body(T{})` with what elements are stored as on a device.
template <class Body>
void with_stored_type(DType dtype, const Body& body) {
    switch (dtype) {
        case DType::i32:
            return body(std::int32_t{});
        case DType::i64:
            return body(std::int64_t{});
        case DType::u8:
            return body(std::uint8_t{});
        case DType::boolean:
            return body(Boolean{});
        default:
            return with_floating(dtype, body);
    }
}

void run(const Cast& args, KernelContext& context) {
    const std::int64_t count = args.y.elements();
    if (args.x.dtype == args.y.dtype)
        return with_bits_type(args.x.dtype, [&](auto zero) {
            using T = decltype(zero);
            map<map_width<T>>(context, Same{}, args.y.as<T>(), count, Dense<T>{args.x.as<const T>()});
        });
    with_stored_type(args.x.dtype, [&](auto from) {
        with_stored_type(args.y.dtype, [&](auto to) {
            using From = decltype(from);
            using To = decltype(to);
            using Wider = std::conditional_t<(sizeof(From) > sizeof(To)), From, To>;
            if constexpr (!std::is_same_v<From, To>)
                map<map_width<Wider>>(context, Conversion<To>{}, args.y.as<To>(), count,
                                      Dense<From>{args.x.as<const From>()});
        });
    });
}

}  // namespace

void register_cast() {
    cast().add({.name = "native",
                .device = backend,
                .priority = priority::plain,
                .supports =
                    [](const Cast& args) {
                        const Support from = movable(args.x.dtype);
                        return from ? movable(args.y.dtype) : from;
                    },
                .run = run});
}

HEDDLE_KERNELS_END
