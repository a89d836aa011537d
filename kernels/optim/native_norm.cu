#include "kernels/native_registry.h"
#include "kernels/optim/native_tensors.h"

// The norm of all gradients: a sum in f64 for each chunk, then one block that adds the chunks' sums. The floor is the
// bytes of the gradients.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int chunk_elements = 32 * block_threads;

__device__ inline double squared(float value) { return static_cast<double>(value) * static_cast<double>(value); }

template <class T>
__global__ void squares_of_chunks(TensorChunks<1> chunks, double* sums) {
    constexpr int V = vector_width<T>;
    const Chunk chunk = chunk_of_block(chunks, chunk_elements);
    const T* x = static_cast<const T*>(chunks.data[0][chunk.tensor]) + chunk.first;
    const int thread = static_cast<int>(threadIdx.x);
    const std::int64_t whole = reinterpret_cast<std::uintptr_t>(x) % 16 == 0 ? chunk.count / V * V : 0;
    double sum = 0;
    for (std::int64_t i = thread * V; i < whole; i += block_threads * V) {
        const Vector<T, V> loaded = load_vector<V>(x + i);
        HEDDLE_UNROLL
        for (int v = 0; v < V; ++v) sum += squared(to_f32(loaded[v]));
    }
    for (std::int64_t i = whole + thread; i < chunk.count; i += block_threads) sum += squared(to_f32(x[i]));
    sum = block_reduce(sum, Sum{}, 0.0);
    if (thread == 0) sums[blockIdx.x] = sum;
}

__global__ void root_of_sums(const double* sums, std::int64_t count, float* result) {
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < count; i += block_threads) sum += sums[i];
    sum = block_reduce(sum, Sum{}, 0.0);
    if (threadIdx.x == 0) *result = static_cast<float>(sqrt(sum));
}

std::int64_t chunk_count(const GradientNorm& args) {
    std::int64_t count = 0;
    for (const View& gradient : args.gradients) count += (gradient.elements() + chunk_elements - 1) / chunk_elements;
    return count;
}

void run(const GradientNorm& args, KernelContext& context) {
    auto* sums = static_cast<double*>(context.workspace);
    std::int64_t count = 0;
    if (!args.gradients.empty())
        with_floating(args.gradients.front().dtype, [&](auto zero) {
            const TensorList* const lists[1] = {&args.gradients};
            for_all_chunks(lists, chunk_elements, [&](const TensorChunks<1>& chunks) {
                launch(squares_of_chunks<decltype(zero)>, dim3(static_cast<unsigned>(chunks.blocks)),
                       dim3(block_threads), 0, context, chunks, sums + count);
                count += chunks.blocks;
            });
        });
    launch(root_of_sums, dim3(1), dim3(block_threads), 0, context, sums, count, args.result.as<float>());
}

Support supports(const GradientNorm& args) {
    for (const View& gradient : args.gradients)
        if (gradient.dtype != args.gradients.front().dtype) return Support::no("gradients of several dtypes");
    return args.gradients.empty() ? Support::yes() : floating(args.gradients.front().dtype);
}

}  // namespace

void register_gradient_norm() {
    gradient_norm().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports = supports,
         .workspace_bytes =
             [](const GradientNorm& args) { return static_cast<std::size_t>(chunk_count(args)) * sizeof(double); },
         .run = run});
}

HEDDLE_KERNELS_END
