#include <cmath>
#include <limits>

#include "kernels/dispatch.h"
#include "kernels/element_types.h"
#include "kernels/elementwise/implementations.h"
#include "kernels/strides.h"

namespace heddle::kernels {
namespace {

/// Floating types compute in double, integers in 64 bits: the result is then cut to the dtype, which is to wrap around.
template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
    if (exponent < 0) return base == 1 ? 1 : (base == -1 ? (exponent % 2 ? -1 : 1) : 0);
    std::uint64_t result = 1, square = static_cast<std::uint64_t>(base);
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1) result *= square;
        square *= square;
    }
    return static_cast<std::int64_t>(result);
}

std::int64_t arithmetic(BinaryOp op, std::int64_t a, std::int64_t b) {
    const auto ua = static_cast<std::uint64_t>(a), ub = static_cast<std::uint64_t>(b);
    switch (op) {
        case BinaryOp::add:
            return static_cast<std::int64_t>(ua + ub);
        case BinaryOp::subtract:
            return static_cast<std::int64_t>(ua - ub);
        case BinaryOp::multiply:
            return static_cast<std::int64_t>(ua * ub);
        case BinaryOp::divide:
            return b == 0 ? 0 : (b == -1 ? static_cast<std::int64_t>(0 - ua) : a / b);
        case BinaryOp::maximum:
            return std::max(a, b);
        case BinaryOp::minimum:
            return std::min(a, b);
        default:
            return integer_power(a, b);
    }
}

double arithmetic(BinaryOp op, double a, double b) {
    switch (op) {
        case BinaryOp::add:
            return a + b;
        case BinaryOp::subtract:
            return a - b;
        case BinaryOp::multiply:
            return a * b;
        case BinaryOp::divide:
            return a / b;
        case BinaryOp::maximum:
            return std::isnan(a) || std::isnan(b) ? std::numeric_limits<double>::quiet_NaN() : std::max(a, b);
        case BinaryOp::minimum:
            return std::isnan(a) || std::isnan(b) ? std::numeric_limits<double>::quiet_NaN() : std::min(a, b);
        default:
            return std::pow(a, b);
    }
}

template <class W>
bool comparison(BinaryOp op, W a, W b) {
    switch (op) {
        case BinaryOp::equal:
            return a == b;
        case BinaryOp::not_equal:
            return a != b;
        case BinaryOp::less:
            return a < b;
        case BinaryOp::less_equal:
            return a <= b;
        case BinaryOp::greater:
            return a > b;
        case BinaryOp::greater_equal:
            return a >= b;
        case BinaryOp::logical_and:
            return a != 0 && b != 0;
        default:
            return a != 0 || b != 0;
    }
}

template <class T>
void store(BinaryOp op, T a, T b, const View& y, std::int64_t place) {
    const auto wide_a = static_cast<Wide<T>>(a), wide_b = static_cast<Wide<T>>(b);
    if (gives_boolean(op))
        y.as<std::uint8_t>()[place] = comparison(op, wide_a, wide_b);
    else
        y.as<T>()[place] = static_cast<T>(arithmetic(op, wide_a, wide_b));
}

void run_binary(const Binary& args, KernelContext&) {
    const Strides a_strides = broadcast_strides(args.a.shape, args.y.shape),
                  b_strides = broadcast_strides(args.b.shape, args.y.shape);
    with_number_type(args.a.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < args.y.elements(); ++i) {
            const Index index = unravel(i, args.y.shape);
            store(args.op, args.a.as<T>()[offset_of(index, a_strides)], args.b.as<T>()[offset_of(index, b_strides)],
                  args.y, i);
        }
    });
}

void run_scalar_binary(const ScalarBinary& args, KernelContext&) {
    with_number_type(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const T scalar =
            args.x.dtype == DType::boolean ? static_cast<T>(args.scalar != 0) : static_cast<T>(args.scalar);
        for (std::int64_t i = 0; i < args.y.elements(); ++i) {
            const T x = args.x.as<T>()[i];
            store(args.op, args.scalar_first ? scalar : x, args.scalar_first ? x : scalar, args.y, i);
        }
    });
}

void run_scale_add(const ScaleAdd& args, KernelContext&) {
    with_float_type(args.x.dtype, [&](auto zero) {
        with_float_type(args.y.dtype, [&](auto wide) {
            using To = decltype(wide);
            for (std::int64_t i = 0; i < args.y.elements(); ++i) {
                const double scaled = double(args.alpha) * double(args.x.as<decltype(zero)>()[i]);
                To& y = args.y.as<To>()[i];
                y = static_cast<To>(args.beta == 0 ? scaled : scaled + double(args.beta) * double(y));
            }
        });
    });
}

Support numbers(DType dtype) {
    if (dtype != DType::f16 && dtype != DType::bf16) return Support::yes();
    return Support::no(fmt::format("dtype {} (storage only)", to_string(dtype)));
}

}  // namespace

void add_reference(KernelTable<Binary>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Binary& args) { return numbers(args.a.dtype); },
               .run = run_binary});
}

void add_reference(KernelTable<ScalarBinary>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const ScalarBinary& args) { return numbers(args.x.dtype); },
               .run = run_scalar_binary});
}

void add_reference(KernelTable<ScaleAdd>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports =
                   [](const ScaleAdd& args) {
                       const Support x = float_or_double(args.x.dtype);
                       return x ? float_or_double(args.y.dtype) : x;
                   },
               .run = run_scale_add});
}

}  // namespace heddle::kernels
