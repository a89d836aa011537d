#include <cmath>
#include <numeric>
#include <utility>

#include "kernels/dispatch.h"
#include "kernels/random/bits.h"
#include "kernels/random/implementations.h"

namespace heddle::kernels {
namespace {

Philox::Block block_of(const RandomState& state, std::int64_t element) {
    return Philox::block(state.seed, stream_offset(state), static_cast<std::uint64_t>(element / 4));
}

std::uint32_t bits_of(const RandomState& state, std::int64_t element) {
    return block_of(state, element).word[element % 4];
}

template <class T>
void uniform(const RandomUniform& args) {
    const UniformRange<T> range(args.low, args.high);
    for (std::int64_t i = 0; i < args.y.elements(); ++i) args.y.as<T>()[i] = range(bits_of(args.state, i));
}

template <class T>
void normal(const RandomNormal& args) {
    for (std::int64_t i = 0; i < args.y.elements(); ++i) {
        const Philox::Block block = block_of(args.state, i);
        const std::int64_t pair = i % 4 / 2 * 2;
        const double u = 1 - double(Philox::uniform(block.word[pair]));  // in (0, 1]
        const double angle = 2 * M_PI * double(Philox::uniform(block.word[pair + 1]));
        const double z = std::sqrt(-2 * std::log(u)) * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
        args.y.as<T>()[i] = static_cast<T>(args.mean + args.deviation * z);
    }
}

/// Newton's method from 0: erf is concave above 0 and convex below, so the steps never pass the solution.
double inverse_erf(double p) {
    double x = 0;
    for (int i = 0; i < 30; ++i) x -= (std::erf(x) - p) * (std::sqrt(M_PI) / 2) * std::exp(x * x);
    return x;
}

template <class T>
void truncated_normal(const RandomTruncatedNormal& args) {
    for (std::int64_t i = 0; i < args.y.elements(); ++i) {
        const double p = within_two_deviations * double(symmetric_uniform(bits_of(args.state, i)));
        args.y.as<T>()[i] = static_cast<T>(args.mean + args.deviation * std::sqrt(2.0) * inverse_erf(p));
    }
}

void permutation(const RandomPermutation& args, KernelContext&) {
    std::int64_t* y = args.y.as<std::int64_t>();
    const std::int64_t count = args.y.elements();
    std::iota(y, y + count, std::int64_t{0});
    for (std::int64_t i = count - 1; i > 0; --i) {
        const Philox::Block block =
            Philox::block(args.state.seed, stream_offset(args.state), static_cast<std::uint64_t>(i));
        std::swap(y[i], y[choose_below(block, i + 1)]);
    }
}

template <class T>
void dropout(const DropoutForward& args) {
    const T scale = static_cast<T>(dropout_scale(args.rate));
    for (std::int64_t i = 0; i < args.y.elements(); ++i) {
        const bool keep = (bits_of(args.state, i) >> 8) >= dropout_threshold(args.rate);
        args.mask.as<std::uint8_t>()[i] = keep;
        args.y.as<T>()[i] = keep ? args.x.as<T>()[i] * scale : T(0);
    }
}

template <class T>
void dropout(const DropoutBackward& args) {
    const T scale = static_cast<T>(dropout_scale(args.rate));
    for (std::int64_t i = 0; i < args.dx.elements(); ++i)
        args.dx.as<T>()[i] = args.mask.as<std::uint8_t>()[i] ? args.dy.as<T>()[i] * scale : T(0);
}

}  // namespace

void add_reference(KernelTable<RandomUniform>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const RandomUniform& args) { return float_or_double(args.y.dtype); },
               .run =
                   [](const RandomUniform& args, KernelContext&) {
                       with_float_type(args.y.dtype, [&](auto zero) { uniform<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<RandomNormal>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const RandomNormal& args) { return float_or_double(args.y.dtype); },
               .run =
                   [](const RandomNormal& args, KernelContext&) {
                       with_float_type(args.y.dtype, [&](auto zero) { normal<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<RandomTruncatedNormal>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const RandomTruncatedNormal& args) { return float_or_double(args.y.dtype); },
               .run =
                   [](const RandomTruncatedNormal& args, KernelContext&) {
                       with_float_type(args.y.dtype, [&](auto zero) { truncated_normal<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<RandomPermutation>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const RandomPermutation&) { return Support::yes(); },
               .run = permutation});
}

void add_reference(KernelTable<DropoutForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const DropoutForward& args) { return float_or_double(args.y.dtype); },
               .run =
                   [](const DropoutForward& args, KernelContext&) {
                       with_float_type(args.y.dtype, [&](auto zero) { dropout<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<DropoutBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const DropoutBackward& args) { return float_or_double(args.dx.dtype); },
               .run =
                   [](const DropoutBackward& args, KernelContext&) {
                       with_float_type(args.dx.dtype, [&](auto zero) { dropout<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
