#include <bit>

#include "core/check.h"
#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/matmul/cpu_blocks.h"
#include "kernels/matmul/cpu_small.h"
#include "kernels/matmul/extents.h"
#include "kernels/matmul/implementations.h"
#include "kernels/onednn.h"
#include "kernels/register_block.h"

// Four ways to multiply. oneDNN's two were compared on one core of a Sapphire Rapids Xeon (peak 131 GFLOP/s), oneDNN
// 2.6.3:
//
//   m x n x k, op(b)         dnnl_sgemm   matmul primitive (GFLOP/s)
//   128 x 512 x 784, b^T         110        113   (133 if b came packed; packing it costs more)
//   128 x 784 x 512, b           131        128
//   128 x 512 x 512, b           135        121
//   512 x 512 x 128, a^T b       134        127
//   10 x 512 x 128, a^T b        106         76
//   10 x 64 x 4096, a^T b         70        106
//   8 x 512 x 512, b^T            77         49
//   1 x 512 x 512, b^T            24          9
//   512 x 1 x 512                 36          8
//
// Blocks of registers (cpu_blocks.h) on one core of a Zen 4, operands in its cache, in microseconds: own / dnnl_sgemm /
// PyTorch 1.13's operator (OpenBLAS):
//
//   128 x 10 x 64, b^T, bias     3.4 / 5.3 / 5.5
//   128 x 64 x 10                1.7 / 2.2 / 2.3
//   10 x 64 x 128, a^T           1.6 / 2.1 / 2.2
//   64 x 10 x 512, b^T, bias     7.9 / 13.2 / 8.0
//   64 x 512 x 10                6.7 / 8.7 / 8.4
//   10 x 512 x 64, a^T           6.2 / 7.0 / 6.7
namespace heddle::kernels {
namespace {

/// The products as they are run: if b is the same for a whole batch, the batch of a becomes more rows of one product.
struct Problem : MatmulExtents {
    bool bias, relu;
    DType dtype;

    explicit Problem(const Matmul& args)
        : MatmulExtents(args), bias(args.bias), relu(args.activation == FusedActivation::relu), dtype(args.c.dtype) {
        if (b_step == 0 && a_step != 0 && !args.transpose_a) {
            m *= batch;
            batch = 1;
        }
    }

    /// Loops start at once, sgemm takes 0.3 microseconds to do so and a primitive 2. (oneDNN has none for no products.)
    bool suits_loops() const { return m * n * k < 512 || batch == 0; }

    /// Measured up to this size; beyond it the library's start-up costs count for little. Blocks of AVX2's registers
    /// took 0.7 to 1.6 times sgemm's time (on a Zen 4 held to AVX2), and were left out.
    bool suits_blocks() const {
        return batch == 1 && dtype == DType::f32 && m * n * k <= (1 << 19) && block::has_wide_vectors();
    }

    bool suits_sgemm(const Matmul& args) const {
        if (batch != 1 || dtype != DType::f32) return false;
        if (m == 1 || n == 1 || m * n * k < (1 << 18)) return true;
        // sgemm treats exactly 16 rows differently: on a Zen 4 16 x 1000 x 2048, b^T, takes 3.1 ms, 15 rows 0.6.
        const bool skinny = m <= 15, long_sums = k > 16 * std::max(m, n);
        return !long_sums && (skinny || !args.transpose_b);
    }

    /// The primitive scales the bias together with the product, so with a factor the bias is added afterwards. Its ReLU
    /// turns NaN into 0, which would hide a diverging model, so ReLU is always applied afterwards.
    bool primitive_adds_bias(const Matmul& args) const { return bias && args.alpha == 1; }
};

template <class T>
[[gnu::always_inline]] inline void finish_rows_in(T* c, const T* bias, bool relu, std::int64_t rows, std::int64_t n) {
    const float floor = relu ? 0.0f : -__builtin_inff();
    for (; rows > 0; --rows, c += n) {
        if (bias) {
#pragma GCC ivdep
            for (std::int64_t j = 0; j < n; ++j) {
                const float value = load(c[j]) + load(bias[j]);
                store(c[j], value < floor ? floor : value);
            }
        } else {
            for (std::int64_t j = 0; j < n; ++j) store(c[j], load(c[j]) < floor ? floor : load(c[j]));
        }
    }
}
/// c = activation(c + bias), over rows.
HEDDLE_SIMD_CLONES void finish_rows(float* c, const float* bias, bool relu, std::int64_t rows, std::int64_t n) {
    finish_rows_in(c, bias, relu, rows, n);
}
HEDDLE_SIMD_CLONES void finish_rows(BFloat16* c, const BFloat16* bias, bool relu, std::int64_t rows, std::int64_t n) {
    finish_rows_in(c, bias, relu, rows, n);
}

void finish(const Matmul& args, const Problem& p, bool add_bias) {
    if (!add_bias && !p.relu) return;
    const std::int64_t grain = std::max<std::int64_t>(1, 32768 / p.n);
    with_f32_or_bf16(p.dtype, [&](auto zero) {
        using T = decltype(zero);
        parallel_for(p.batch * p.m, grain, [&](std::int64_t first, std::int64_t last) {
            finish_rows(args.c.as<T>() + first * p.n, add_bias ? args.bias.as<T>() : nullptr, p.relu, last - first,
                        p.n);
        });
    });
}

void run_sgemm(const Matmul& args, const Problem& p) {
    const onednn::ThreadScope scope;
    const auto status =
        dnnl_sgemm(args.transpose_a ? 'T' : 'N', args.transpose_b ? 'T' : 'N', p.m, p.n, p.k, args.alpha,
                   args.a.as<float>(), args.transpose_a ? p.m : p.k, args.b.as<float>(), args.transpose_b ? p.k : p.n,
                   args.accumulate ? 1.0f : 0.0f, args.c.as<float>(), p.n);
    check(status == dnnl_success, "matmul: oneDNN's sgemm failed (status {})", static_cast<int>(status));
    finish(args, p, p.bias);
}

/// [batch, rows, columns], a batch of 1 where one matrix serves all products.
dnnl::memory::desc matrices(std::int64_t batch, std::int64_t rows, std::int64_t columns, bool transposed, DType dtype) {
    const dnnl::memory::dims dims{batch, rows, columns}, strides = transposed
                                                                       ? dnnl::memory::dims{rows * columns, 1, rows}
                                                                       : dnnl::memory::dims{rows * columns, columns, 1};
    return {dims, onednn::type_of(dtype), strides};
}

onednn::Plan make_plan(const Matmul& args, const Problem& p) {
    const onednn::ThreadScope scope;
    const auto a = matrices(p.a_step == 0 || p.batch == 1 ? 1 : p.batch, p.m, p.k, args.transpose_a, p.dtype);
    const auto b = matrices(p.b_step == 0 ? 1 : p.batch, p.k, p.n, args.transpose_b, p.dtype);
    const auto c = matrices(p.batch, p.m, p.n, false, p.dtype);
    dnnl::primitive_attr attributes = onednn::user_scratchpad();
    if (args.alpha != 1) attributes.set_output_scales(0, {args.alpha});
    dnnl::post_ops after;
    if (args.accumulate) after.append_sum(1);
    attributes.set_post_ops(after);

    std::vector<onednn::Plan::Operand> operands{{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c, true}};
    dnnl::matmul::desc descriptor(a, b, c);
    if (p.primitive_adds_bias(args)) {
        const auto bias = matrices(1, 1, p.n, false, p.dtype);
        descriptor = dnnl::matmul::desc(a, b, bias, c);
        operands.push_back({DNNL_ARG_BIAS, bias});
    }
    const dnnl::matmul::primitive_desc description(descriptor, attributes, onednn::engine());
    return {dnnl::matmul(description), description, std::move(operands)};
}

std::shared_ptr<const onednn::Plan> plan_of(const Matmul& args, const Problem& p) {
    static auto& cache = *new PlanCache<onednn::Plan>;  // never destroyed, as oneDNN's engine
    onednn::Key key;
    key << static_cast<std::int64_t>(p.dtype) << p.batch << p.m << p.n << p.k << (p.a_step == 0) << (p.b_step == 0)
        << args.transpose_a << args.transpose_b << p.primitive_adds_bias(args) << args.accumulate
        << std::bit_cast<std::int32_t>(args.alpha);
    return cache.find_or_make(key, [&] { return make_plan(args, p); });
}

void run_primitive(const Matmul& args, const Problem& p, KernelContext& context) {
    const bool adds_bias = p.primitive_adds_bias(args);
    void* const data[] = {args.a.data, args.b.data, args.c.data, args.bias.data};
    plan_of(args, p)->run(std::span(data, adds_bias ? 4 : 3), context.workspace);
    finish(args, p, p.bias && !adds_bias);
}

std::size_t workspace(const Matmul& args) {
    const Problem p(args);
    if (p.suits_loops()) return 0;
    if (p.suits_blocks()) return blocks_workspace_bytes(args, p);
    return p.suits_sgemm(args) ? 0 : plan_of(args, p)->workspace_bytes();
}

void run(const Matmul& args, KernelContext& context) {
    const Problem p(args);
    if (p.suits_loops())
        multiply_small(args, p);
    else if (p.suits_blocks())
        multiply_blocks(args, p, context.workspace);
    else if (p.suits_sgemm(args))
        run_sgemm(args, p);
    else
        run_primitive(args, p, context);
}

}  // namespace

void add_cpu(KernelTable<Matmul>& table) {
    table.add({.name = "cpu",
               .priority = priority::fast,
               .supports = [](const Matmul& args) { return onednn::supports_dtype(args.c.dtype); },
               .workspace_bytes = workspace,
               .run = run});
}

}  // namespace heddle::kernels
