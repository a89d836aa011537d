#include "kernels/cudnn/run.h"

#include <cuda_runtime_api.h>

#include <array>
#include <vector>

#include "core/check.h"
#include "core/driver/cuda/driver.h"
#include "kernels/cudnn/handles.h"

namespace heddle::cudnn {
namespace {

constexpr std::size_t alignment = 256;
constexpr int most = 16;

std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

std::size_t bytes_of(const View& view) { return static_cast<std::size_t>(view.elements()) * size_of(view.dtype); }

bool overlap(const View& a, const View& b) {
    const auto* first = a.as<const char>();
    const auto* second = b.as<const char>();
    return first < second + bytes_of(b) && second < first + bytes_of(a);
}

/// The operands of a plan and where its results go: each has a place of its own, or an offset in the workspace.
struct Layout {
    std::array<View, most> operands;
    std::array<std::int64_t, most> offset;  // -1: where it is
    int count = 0;
    std::size_t bytes = 0;  // of the workspace, the plan's own at its start

    Layout(const Plan& plan, std::span<const View> views) : bytes(aligned(plan.workspace_bytes())) {
        check(views.size() <= most, "cuDNN: more than {} operands", most);
        for (const View& view : views)
            if (view) operands[static_cast<std::size_t>(count++)] = view;
        check(count == plan.operands(), "cuDNN: {} operands for a plan with {}", count, plan.operands());
        for (int i = 0; i < count; ++i) {
            offset[static_cast<std::size_t>(i)] = -1;
            if (!plan.writes(i) || !needs_place(plan, i)) continue;
            offset[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(bytes);
            bytes += aligned(bytes_of(at(i)));
        }
        if (bytes > 0) bytes += alignment;  // a workspace is aligned less than cuDNN's
    }

    const View& at(int i) const { return operands[static_cast<std::size_t>(i)]; }

    bool needs_place(const Plan& plan, int i) const {
        if (!at(i).data) return true;
        for (int j = 0; j < count; ++j)
            if (!plan.writes(j) && overlap(at(i), at(j))) return true;
        return false;
    }
};

}  // namespace

std::size_t workspace_bytes(const Plan& plan, std::span<const View> operands) { return Layout(plan, operands).bytes; }

void run(const Plan& plan, std::span<const View> operands, KernelContext& context) {
    const Layout layout(plan, operands);
    check(context.workspace_bytes >= layout.bytes, "{}: cuDNN: a workspace of {} bytes, needs {}", context.operation,
          context.workspace_bytes, layout.bytes);
    auto* workspace = reinterpret_cast<char*>(aligned(reinterpret_cast<std::size_t>(context.workspace)));
    std::array<void*, most> pointers{};
    for (int i = 0; i < layout.count; ++i) {
        const std::int64_t offset = layout.offset[static_cast<std::size_t>(i)];
        pointers[static_cast<std::size_t>(i)] = offset < 0 ? layout.at(i).data : workspace + offset;
    }
    const StreamHandle handle(context);
    plan.run(handle.get(), {pointers.data(), static_cast<std::size_t>(layout.count)}, workspace, context.operation);
    for (int i = 0; i < layout.count; ++i) {
        const View& view = layout.at(i);
        if (layout.offset[static_cast<std::size_t>(i)] < 0 || !view.data) continue;
        cuda::CudaDriver& driver = cuda::cuda_driver(context.device);
        driver.errors().check(
            cudaMemcpyAsync(view.data, pointers[static_cast<std::size_t>(i)], bytes_of(view), cudaMemcpyDeviceToDevice,
                            driver.stream_for_launch(context.stream, context.operation)),
            "cudaMemcpyAsync");
    }
}

}  // namespace heddle::cudnn
