#include <thrust/gather.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>

#include "kernels/copy/copy.h"
#include "kernels/copy/native_indices.h"
#include "kernels/thrust.h"
#include "kernels/vendor.h"

// gather by thrust::gather, as a user of Thrust would write it, to compare the native kernel with. It moves single
// elements, where the native kernel moves 16 bytes of a row at once, so it is used only when asked for by name.
HEDDLE_KERNELS_BEGIN
namespace {

void run(const Gather& args, KernelContext& context) {
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        const auto map =
            thrust::make_transform_iterator(thrust::make_counting_iterator(std::int64_t{0}), GatherSource(args));
        with_thrust(context, ThrustMemory(nullptr, 0), [&](const auto& policy) {
            thrust::gather(policy, map, map + args.y.elements(), args.x.as<const T>(), args.y.as<T>());
        });
    });
}

}  // namespace

void register_thrust_gather() {
    gather().add({.name = "thrust",
                  .device = backend,
                  .priority = below_native,
                  .supports = [](const Gather& args) { return movable(args.x.dtype); },
                  .run = run});
}

HEDDLE_KERNELS_END
