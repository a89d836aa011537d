#include "kernels/cudnn/plans.h"

#include "core/check.h"
#include "core/driver/cuda/current.h"
#include "core/driver/cuda/devices.h"
#include "core/driver/cuda/undisturbed.h"
#include "kernels/cudnn/handles.h"
#include "kernels/cudnn/library.h"

namespace heddle::cudnn {
namespace {

constexpr int no_device = -1;
DescribedDevice described;  // what plan_for_described_device was told
int described_capability = 0;

int ordinal_of(const void* memory) {
    if (described) return no_device;
    const std::vector<int>& ordinals = cuda::devices().ordinals;
    return ordinals.size() == 1 ? ordinals.front() : cuda::ordinal_of(memory);
}

Planned make_plan(int ordinal, const std::function<void(Graph&)>& describe, DType dtype) {
    Planned result;
    if (!library().file) {
        result.why = library().file.why();
        return result;
    }
    if (ordinal == no_device && !described) {
        result.why = "the result does not lie on a GPU";
        return result;
    }
    Graph graph(dtype);
    describe(graph);
    if (described) {
        result.plan = graph.plan({nullptr, described, described_capability}, result.why);
        return result;
    }
    const cuda::Current current(ordinal);
    const cuda::Undisturbed undisturbed;  // kernels are loaded while a graph may be being captured
    try {
        const PlanningHandle handle(ordinal);
        result.plan = graph.plan({handle.get(), nullptr, compute_capability(ordinal)}, result.why);
    } catch (const Error& error) {
        result.why = error.what();
    }
    return result;
}

}  // namespace

Plans::Entry& Plans::entry(int ordinal, const kernels::PlanKey& key) {
    {
        const std::shared_lock lock(mutex_);
        const auto device = entries_.find(ordinal);
        if (device != entries_.end())
            if (const auto known = device->second.find(key); known != device->second.end()) return *known->second;
    }
    const std::lock_guard lock(mutex_);
    auto& added = entries_[ordinal][key];
    if (!added) added = std::make_unique<Entry>();
    return *added;
}

const Planned& Plans::find(const View& result, const kernels::PlanKey& key,
                           const std::function<void(Graph&)>& describe) {
    const int ordinal = ordinal_of(result.data);
    Entry& known = entry(ordinal, key);
    std::call_once(known.once, [&] { known.planned = make_plan(ordinal, describe, result.dtype); });
    return known.planned;
}

void plan_for_described_device(const std::string& properties, int compute_capability) {
    described = describe_device(properties);
    described_capability = compute_capability;
}

Support usable(std::span<const View> operands) {
    for (const View& view : operands) {
        if (!view) continue;
        if (view.dtype != DType::f32 && view.dtype != DType::f16 && view.dtype != DType::bf16)
            return Support::no(fmt::format("expected f32, f16 or bf16, got {}", view.dtype));
        if (view.elements() == 0) return Support::no("a tensor without elements");
        if (reinterpret_cast<std::uintptr_t>(view.data) % 16 != 0)
            return Support::no("an address that is not a multiple of 16 bytes");
        for (const std::int64_t extent : view.shape)
            if (extent > INT32_MAX) return Support::no("an extent beyond 2^31");
    }
    return Support::yes();
}

}  // namespace heddle::cudnn
