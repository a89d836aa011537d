#include <cub/device/device_radix_sort.cuh>

#include "kernels/cub.h"
#include "kernels/reduce/reduce.h"
#include "kernels/reduce/sorted_rows.h"
#include "kernels/vendor.h"

// top_k by CUB's radix sort, for a k that is a large part of the rows (k = n sorts). CUB orders floats by their bits,
// NaN included, so it is given our own keys; a radix sort is stable, as the contract demands for equal elements. One
// sort takes all rows, and one instantiation all types.
HEDDLE_KERNELS_BEGIN
namespace {

/// Below one element in this many, a selection, which reads a row a few times, beats a sort, which reads and writes it
/// several times.
constexpr std::int64_t most_selective = 8;
constexpr std::int64_t most_elements = std::int64_t{1} << 28;  // 6 GiB of workspace

struct Sizes {
    std::int64_t rows, n, k;

    explicit Sizes(const TopK& args)
        : rows(args.x.shape.elements(0, args.x.shape.rank() - 1)), n(args.x.shape.back()), k(args.k) {}
    std::uint32_t elements() const { return static_cast<std::uint32_t>(rows * n); }
};

using Keys = cub::DoubleBuffer<std::uint64_t>;
using Places = cub::DoubleBuffer<std::uint32_t>;

cudaError_t sort(const Sizes& s, Keys& keys, Places& places, void* temporary, std::size_t& bytes, cudaStream_t stream) {
    return cub::DeviceRadixSort::SortPairs(temporary, bytes, keys, places, s.elements(), 0, row_key_bits(s.rows),
                                           stream);
}

unsigned blocks_of(std::uint32_t count) { return (count + row_threads - 1) / row_threads; }

template <class T>
void find_top(const TopK& args, KernelContext& context) {
    const Sizes s(args);
    const std::uint32_t elements = s.elements(), n = static_cast<std::uint32_t>(s.n),
                        k = static_cast<std::uint32_t>(s.k);
    Pieces pieces(context);
    auto *keys_in = pieces.take<std::uint64_t>(elements), *keys_out = pieces.take<std::uint64_t>(elements);
    auto *places_in = pieces.take<std::uint32_t>(elements), *places_out = pieces.take<std::uint32_t>(elements);
    const T* x = args.x.as<T>();
    launch(make_row_keys<T>, dim3(blocks_of(elements)), dim3(row_threads), 0, context, x, keys_in, places_in, n,
           elements);
    Keys keys(keys_in, keys_out);
    Places places(places_in, places_out);
    std::size_t bytes = pieces.rest_bytes();
    const cudaError_t error = sort(s, keys, places, pieces.rest(), bytes, stream_of(context));
    if (error != cudaSuccess) fail_launch(context, error);
    const std::uint32_t wanted = static_cast<std::uint32_t>(s.rows) * k;
    launch(write_first_of_rows<T>, dim3(blocks_of(wanted)), dim3(row_threads), 0, context, x, places.Current(),
           args.values.as<T>(), args.indices.as<std::int64_t>(), n, k, wanted);
}

void run(const TopK& args, KernelContext& context) {
    if (args.x.dtype == DType::i32) return find_top<std::int32_t>(args, context);
    with_floating(args.x.dtype, [&](auto zero) { find_top<decltype(zero)>(args, context); });
}

Support supports(const TopK& args) {
    if (args.x.dtype == DType::i64) return Support::no("dtype i64: its keys leave no room for the row's number");
    if (const Support support = floating_or_integer(args.x.dtype); !support) return support;
    const Sizes s(args);
    if (s.k == 0 || s.rows == 0) return Support::no("nothing is taken");
    if (s.rows * s.n > most_elements)
        return Support::no("more than 2^28 elements: the sort would take 24 bytes for each");
    if (s.k * most_selective < s.n)
        return Support::no("k = " + std::to_string(s.k) + " of " + std::to_string(s.n) +
                           ": a sort of whole rows pays from one in 8 on");
    return Support::yes();
}

std::size_t workspace_bytes(const TopK& args) {
    const Sizes s(args);
    const std::size_t temporary = temporary_bytes("top_k", args.x.data, [&](void* none, std::size_t& bytes) {
        Keys keys;
        Places places;
        return sort(s, keys, places, none, bytes, nullptr);
    });
    return 2 * (whole_pieces(s.elements() * sizeof(std::uint64_t)) +
                whole_pieces(s.elements() * sizeof(std::uint32_t))) +
           temporary;
}

}  // namespace

void register_cub_top_k() {
    top_k().add({.name = "cub",
                 .device = backend,
                 .priority = priority::fast,
                 .supports = supports,
                 .workspace_bytes = workspace_bytes,
                 .run = run});
}

HEDDLE_KERNELS_END
