#include "kernels/dispatch.h"
#include "kernels/matmul/extents.h"
#include "kernels/matmul/implementations.h"

// All sums in f64.
namespace heddle::kernels {
namespace {

template <class T>
void multiply(const Matmul& args) {
    const MatmulExtents extents(args);
    const auto [batch, m, n, k, a_step, b_step] = extents;
    for (std::int64_t p = 0; p < batch; ++p) {
        const T* a = args.a.as<T>() + p * a_step;
        const T* b = args.b.as<T>() + p * b_step;
        T* c = args.c.as<T>() + p * m * n;
        for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < n; ++j) {
                double sum = 0;
                for (std::int64_t l = 0; l < k; ++l)
                    sum += double(args.transpose_a ? a[l * m + i] : a[i * k + l]) *
                           double(args.transpose_b ? b[j * k + l] : b[l * n + j]);
                double value = args.alpha * sum;
                if (args.bias) value += args.bias.as<T>()[j];
                if (args.accumulate) value += c[i * n + j];
                if (args.activation == FusedActivation::relu && value < 0) value = 0;
                c[i * n + j] = static_cast<T>(value);
            }
    }
}

template <class T>
void gradient(const BiasGradient& args) {
    const std::int64_t n = args.dy.shape.back(), count = args.dy.elements();
    for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::int64_t i = j; i < count; i += n) {
            const bool passes = args.activation == FusedActivation::none || args.y.as<T>()[i] > 0;
            const T value = passes ? args.dy.as<T>()[i] : T(0);
            if (args.masked) args.masked.as<T>()[i] = value;
            sum += value;
        }
        if (args.dbias) args.dbias.as<T>()[j] = static_cast<T>(sum);
    }
}

}  // namespace

void add_reference(KernelTable<Matmul>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Matmul& args) { return float_or_double(args.c.dtype); },
               .run =
                   [](const Matmul& args, KernelContext&) {
                       with_float_type(args.c.dtype, [&](auto zero) { multiply<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<BiasGradient>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const BiasGradient& args) { return float_or_double(args.dy.dtype); },
               .run =
                   [](const BiasGradient& args, KernelContext&) {
                       with_float_type(args.dy.dtype, [&](auto zero) { gradient<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
