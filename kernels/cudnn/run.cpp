#include "kernels/cudnn/run.h"

#include <cuda_runtime_api.h>

#include <array>

#include "core/check.h"
#include "core/driver/cuda/driver.h"
#include "kernels/cudnn/handles.h"

namespace heddle::cudnn {
namespace {

constexpr std::size_t alignment = 256;
constexpr std::size_t most = 16;

std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

std::size_t bytes_of(const View& view) { return static_cast<std::size_t>(view.elements()) * size_of(view.dtype); }

bool overlap(const View& a, const View& b) {
    const auto* first = a.as<const char>();
    const auto* second = b.as<const char>();
    return first < second + bytes_of(b) && second < first + bytes_of(a);
}

/// An operand, and where the plan finds it: at its own address, or at `offset` of the workspace.
struct Place {
    View view = {};
    std::size_t offset = 0;
    bool in_workspace = false;

    void* address(char* workspace) const { return in_workspace ? workspace + offset : view.data; }
};

struct Layout {
    std::array<Place, most> places;
    std::size_t count = 0;
    std::size_t bytes = 0;  // of the workspace, the plan's own at its start

    Layout(const Plan& plan, std::span<const View> views) : bytes(aligned(plan.workspace_bytes())) {
        check(views.size() <= most, "cuDNN: more than {} operands", most);
        for (const View& view : views)
            if (view) places[count++].view = view;
        check(count == static_cast<std::size_t>(plan.operands()), "cuDNN: {} operands for a plan with {}", count,
              plan.operands());
        for (std::size_t i = 0; i < count; ++i) {
            Place& place = places[i];
            place.in_workspace = !place.view.data || (plan.writes(i) && lies_in_one_read(plan, place.view));
            if (!place.in_workspace) continue;
            place.offset = bytes;
            bytes += aligned(bytes_of(place.view));
        }
        if (bytes > 0) bytes += alignment;  // a workspace is aligned less than cuDNN's
    }

    bool lies_in_one_read(const Plan& plan, const View& result) const {
        for (std::size_t i = 0; i < count; ++i)
            if (!plan.writes(i) && overlap(result, places[i].view)) return true;
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
    cuda::CudaDriver& driver = cuda::cuda_driver(context.device);
    const cudaStream_t stream = driver.stream_for_launch(context.stream, context.operation);
    std::array<void*, most> pointers{};
    for (std::size_t i = 0; i < layout.count; ++i) {
        const Place& place = layout.places[i];
        pointers[i] = place.address(workspace);
        if (!place.view.data && !plan.writes(i))
            driver.errors().check(cudaMemsetAsync(pointers[i], 0, bytes_of(place.view), stream), "cudaMemsetAsync");
    }
    {
        const StreamHandle handle(context);
        plan.run(handle.get(), {pointers.data(), layout.count}, workspace, context.operation);
    }
    for (std::size_t i = 0; i < layout.count; ++i) {
        const Place& place = layout.places[i];
        if (!place.in_workspace || !place.view.data) continue;
        driver.errors().check(
            cudaMemcpyAsync(place.view.data, pointers[i], bytes_of(place.view), cudaMemcpyDeviceToDevice, stream),
            "cudaMemcpyAsync");
    }
}

}  // namespace heddle::cudnn
