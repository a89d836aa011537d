#include <cub/device/device_radix_sort.cuh>

#include <limits>

#include "kernels/random/sorted_choices.h"
#include "kernels/thrust.h"
#include "kernels/vendor.h"

// random_permutation by Thrust's sort. Sorting random keys, the usual way to shuffle with Thrust, would give another
// permutation than the contract promises on every device; this one gives exactly that. It serves to compare the native
// kernels with, which do without a sort, and is used only when asked for by name. (The order of an epoch is another
// matter: loaders draw it on the host, data/permutation.h.)
HEDDLE_KERNELS_BEGIN
namespace {

/// What thrust::stable_sort_by_key allocates: a second array of keys and of values, and what CUB's sort, which it
/// calls, takes.
std::size_t sort_bytes(const void* memory, std::int64_t count) {
    const std::size_t array = static_cast<std::size_t>(count) * sizeof(std::uint32_t);
    return 2 * whole_pieces(array) + temporary_bytes("random_permutation", memory, [&](void* none, std::size_t& bytes) {
               cub::DoubleBuffer<std::uint32_t> keys, values;
               return cub::DeviceRadixSort::SortPairs(none, bytes, keys, values, count);
           });
}

std::size_t workspace_bytes(const RandomPermutation& args) {
    const std::int64_t n = args.y.elements();
    return 4 * whole_pieces(static_cast<std::size_t>(n) * sizeof(std::uint32_t)) +
           (n > 1 ? sort_bytes(args.y.data, n - 1) : 0);
}

void run(const RandomPermutation& args, KernelContext& context) {
    const std::int64_t n = args.y.elements();
    Pieces pieces(context);
    const SortedChoices arrays{.choice = pieces.take<std::uint32_t>(n),
                               .step = pieces.take<std::uint32_t>(n),
                               .next = pieces.take<std::uint32_t>(n),
                               .first = pieces.take<std::uint32_t>(n)};
    with_thrust(context, ThrustMemory(pieces.rest(), pieces.rest_bytes()), [&](const auto& policy) {
        permute_by_sorting(policy, args.state, arrays, args.y.as<std::int64_t>(), n);
    });
}

Support supports(const RandomPermutation& args) {
    if (args.y.elements() > std::numeric_limits<std::uint32_t>::max()) return Support::no("2^32 elements or more");
    return Support::yes();
}

}  // namespace

void register_thrust_permutation() {
    random_permutation().add({.name = "thrust",
                              .device = backend,
                              .priority = below_native,
                              .supports = supports,
                              .workspace_bytes = workspace_bytes,
                              .run = run});
}

HEDDLE_KERNELS_END
