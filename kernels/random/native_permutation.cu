#include "kernels/native_registry.h"
#include "kernels/random/bits.h"
#include "kernels/simt/native.h"

// The Fisher-Yates shuffle, all exchanges in parallel. Step i (from n - 1 down to 1) exchanges y[i] with y[c(i)],
// c(i) <= i, after which y[i] is final: it is the value that c(i) held before the step. Place p holds the value p until
// the first step i > p with c(i) = p, which stores there the value of place i. So the last write to c(i) before step i
// is by the smallest i' > i with c(i') = c(i), and it stored the value of place i', for which the smallest i'' > i'
// with c(i'') = i' has to be found, and so on until a place that no step has written. Each i follows such a chain, of
// some log n links, independently. Steps with the same choice form an unordered list (some log n of them), which is
// searched.
//
// The floor is 8 n bytes; these kernels read and write about 100 n, mostly at random addresses.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int threads = 256;
using Link = unsigned long long;
constexpr Link none = ~Link{0};

__device__ std::uint64_t start_of(std::uint64_t offset, const std::uint64_t* device_offset) {
    return offset + (device_offset != nullptr ? *device_offset : 0);
}

__device__ std::int64_t choice(std::uint64_t seed, std::uint64_t start, std::int64_t i) {
    return choose_below(Philox::block(seed, start, static_cast<std::uint64_t>(i)), i + 1);
}

__global__ void __launch_bounds__(threads) clear_lists(Link* head, std::int64_t count) {
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
    if (i < count) head[i] = none;
}

__global__ void __launch_bounds__(threads)
    list_choices(std::uint64_t seed, std::uint64_t offset, const std::uint64_t* device_offset, Link* head, Link* next,
                 std::int64_t count) {
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
    if (i == 0 || i >= count) return;
    next[i] = atomicExch(head + choice(seed, start_of(offset, device_offset), i), static_cast<Link>(i));
}

/// The smallest i' > i of the list of `place`; `none` is the largest of all.
__device__ Link first_after(std::int64_t i, std::int64_t place, const Link* head, const Link* next) {
    Link smallest = none;
    for (Link each = head[place]; each != none; each = next[each])
        if (each > static_cast<Link>(i) && each < smallest) smallest = each;
    return smallest;
}

__global__ void __launch_bounds__(threads)
    follow_chains(std::uint64_t seed, std::uint64_t offset, const std::uint64_t* device_offset, const Link* head,
                  const Link* next, std::int64_t* y, std::int64_t count) {
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
    if (i >= count) return;
    std::int64_t place = i == 0 ? 0 : choice(seed, start_of(offset, device_offset), i);
    for (Link step = first_after(i, place, head, next); step != none;) {
        place = static_cast<std::int64_t>(step);
        step = first_after(place, place, head, next);
    }
    y[i] = place;
}

void run(const RandomPermutation& args, KernelContext& context) {
    const std::int64_t count = args.y.elements();
    Link *head = static_cast<Link*>(context.workspace), *next = head + count;
    const dim3 grid(static_cast<unsigned>((count + threads - 1) / threads)), block(threads);
    const RandomState& state = args.state;
    launch(clear_lists, grid, block, 0, context, head, count);
    launch(list_choices, grid, block, 0, context, state.seed, state.offset, state.device_offset, head, next, count);
    launch(follow_chains, grid, block, 0, context, state.seed, state.offset, state.device_offset, head, next,
           args.y.as<std::int64_t>(), count);
}

}  // namespace

void register_permutation() {
    random_permutation().add({.name = "native",
                              .device = backend,
                              .priority = priority::plain,
                              .supports = [](const RandomPermutation&) { return Support::yes(); },
                              .workspace_bytes =
                                  [](const RandomPermutation& args) {
                                      return 2 * static_cast<std::size_t>(args.y.elements()) * sizeof(Link);
                                  },
                              .run = run});
}

HEDDLE_KERNELS_END
