#include <thrust/iterator/counting_iterator.h>
#include <thrust/transform.h>

#include "kernels/copy/copy.h"
#include "kernels/copy/native_indices.h"
#include "kernels/thrust.h"
#include "kernels/vendor.h"

// gather by thrust::transform, as a user of Thrust would write it, to compare the native kernel with. It moves single
// elements, where the native kernel moves 16 bytes of a row at once, so it is used only when asked for by name.
HEDDLE_KERNELS_BEGIN
namespace {

template <class T>
struct Taken {
    const T* x;
    GatherSource source;
    T missing;

    __device__ T operator()(std::int64_t i) const {
        const std::int64_t from = source(i);
        return from < 0 ? missing : x[from];
    }
};

void run(const Gather& args, KernelContext& context) {
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        const auto places = thrust::make_counting_iterator(std::int64_t{0});
        const Taken<T> taken{args.x.as<const T>(), GatherSource(args), missing<T>(args.y.dtype)};
        with_thrust(context, ThrustMemory(nullptr, 0), [&](const auto& policy) {
            thrust::transform(policy, places, places + args.y.elements(), args.y.as<T>(), taken);
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
