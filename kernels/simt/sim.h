#pragma once

// The simulator's side of the vocabulary (see simt.h): what nvcc knows by itself, for the host's compiler.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include "core/device.h"
#include "kernels/simt/runtime.h"
#include "kernels/table.h"

#define HEDDLE_KERNELS_BEGIN namespace heddle::kernels::sim {
#define HEDDLE_KERNELS_END }
/// A shared array `T name dims` of the block: HEDDLE_SHARED(float, tile, [32][33]). NaN in every element.
#define HEDDLE_SHARED(T, name, ...)                                                              \
    using name##_shared_type = std::type_identity_t<T> __VA_ARGS__;                              \
    static constexpr ::heddle::simt::SharedArray name##_shared_array{#name, __FILE__, __LINE__}; \
    auto& name = *static_cast<name##_shared_type*>(                                              \
        ::heddle::simt::shared_array(name##_shared_array, sizeof(name##_shared_type), alignof(name##_shared_type)))
/// `T* name` at the start of the block's dynamic shared memory (the `shared_bytes` of the launch), aligned to 128.
#define HEDDLE_SHARED_DYNAMIC(T, name) T* name = static_cast<T*>(::heddle::simt::shared_dynamic())
#define HEDDLE_UNROLL
/// Last in a parameter list, and in the call that it is passed on to: where the kernel calls, for reports.
#define HEDDLE_CALLER , ::heddle::simt::Location caller = ::heddle::simt::Location::current()
#define HEDDLE_PASS_CALLER , caller
/// As the only parameter.
#define HEDDLE_ONLY_CALLER ::heddle::simt::Location caller = ::heddle::simt::Location::current()

// Shared memory that the simulator does not know of would be neither shared nor checked.
#undef __shared__
#define __shared__ static_assert(false, "shared memory is declared with HEDDLE_SHARED or HEDDLE_SHARED_DYNAMIC");
#undef __launch_bounds__
#define __launch_bounds__(...)

#include "kernels/simt/builtins.h"
#include "kernels/simt/sim_atomics.h"
#include "kernels/simt/sim_block.h"
#include "kernels/simt/sim_half.h"
#include "kernels/simt/sim_math.h"
#include "kernels/simt/sim_memory.h"
#include "kernels/simt/sim_warp.h"

HEDDLE_KERNELS_BEGIN

/// The device whose kernels this build makes.
inline constexpr DeviceKind backend = DeviceKind::sim;

/// Queues the grid on the context's stream. A grid with a zero extent is no work. Throws `Error` that names the
/// operation where a GPU would refuse the launch; what is found wrong in the kernel surfaces when the stream runs.
template <class... Parameters, class... Args>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            const KernelContext& context, Args&&... args) {
    static_assert((!std::is_reference_v<Parameters> && ...), "kernels take their arguments by value");
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    const simt::Launch launch{context.operation, grid, block, shared_bytes};
    simt::check_launch(launch);
    driver(context.device)
        .launch(context.stream, context.operation,
                [launch, kernel, arguments = std::tuple<Parameters...>(static_cast<Parameters>(args)...)] {
                    simt::run_grid(launch, kernel, arguments);
                });
}

HEDDLE_KERNELS_END
