#include "core/check.h"
#include "core/export.h"
#include "kernels/simt/builtins.h"
#include "kernels/simt/scheduler.h"

HEDDLE_API constinit thread_local uint3 threadIdx{}, blockIdx{};
HEDDLE_API constinit thread_local dim3 blockDim{}, gridDim{};

namespace heddle::simt {

HEDDLE_API void check_launch(const Launch& launch) {
    const dim3 grid = launch.grid, block = launch.block;
    const auto text = [](dim3 size) { return fmt::format("({}, {}, {})", size.x, size.y, size.z); };
    const std::uint64_t threads = static_cast<std::uint64_t>(block.x) * block.y * block.z;
    check(threads > 0 && block.x <= 1024 && block.y <= 1024 && block.z <= 64 && threads <= most_threads,
          "{}: a block of {} threads (at most (1024, 1024, 64), {} in all)", launch.operation, text(block),
          most_threads);
    check(grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x < 1u << 31 && grid.y < 1u << 16 && grid.z < 1u << 16,
          "{}: a grid of {} blocks (at most (2147483647, 65535, 65535))", launch.operation, text(grid));
    check(launch.shared_bytes <= shared_bytes_limit, "{}: {} bytes of dynamic shared memory (at most {})",
          launch.operation, launch.shared_bytes, shared_bytes_limit);
}

HEDDLE_API void run_grid(const Launch& launch, void (*thread)(const void*), const void* call) {
    check_launch(launch);
    Scheduler::of_this_os_thread().run(launch, thread, call);
}

}  // namespace heddle::simt
