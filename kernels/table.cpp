#include "kernels/table.h"

#include <atomic>
#include <map>
#include <mutex>

#include "core/allocator.h"
#include "core/check.h"
#include "core/env.h"
#include "core/plugin.h"

namespace heddle {
namespace {

// HEDDLE_KERNEL and the ForceKernel guards. The flag lets dispatch skip the lock while nothing is forced.
struct Forced {
    std::mutex mutex;
    std::multimap<std::string, std::string, std::less<>> names;
    std::atomic<bool> any{false};

    Forced() {
        load_plugins();  // before the first choice
        const std::string text = env("HEDDLE_KERNEL").value_or("");
        for (std::size_t start = 0; start < text.size();) {
            const std::size_t end = std::min(text.find(',', start), text.size());
            const std::string item = text.substr(start, end - start);
            const std::size_t equals = item.find('=');
            check(equals != std::string::npos && equals > 0 && equals + 1 < item.size(),
                  "HEDDLE_KERNEL: expected operation=implementation, got \"{}\"", item);
            names.emplace(item.substr(0, equals), item.substr(equals + 1));
            start = end + 1;
        }
        any = !names.empty();
    }
};

Forced& forced_kernels() {
    static Forced& forced = *new Forced;
    return forced;
}

}  // namespace

KernelTableBase::KernelTableBase(const char* operation) : operation_(operation) {}

std::string_view KernelTableBase::forced() const {
    Forced& forced = forced_kernels();
    if (!forced.any.load(std::memory_order_relaxed)) return {};
    const std::lock_guard lock(forced.mutex);
    const auto [first, last] = forced.names.equal_range(operation_);
    return first == last ? std::string_view() : std::string_view(std::prev(last)->second);
}

void KernelTableBase::fail_none(Device device, const std::string& reasons) const {
    fail(fmt::format("{}: no implementation on {} can run this case{}", operation_, device.to_string(),
                     reasons.empty() ? "; none is registered for this device" : reasons));
}

void KernelTableBase::fail_forced(std::string_view name, const std::string& why) const {
    fail(fmt::format("{}: the forced implementation \"{}\" cannot run: {}", operation_, name, why));
}

ForceKernel::ForceKernel(std::string operation, std::string name) : operation_(std::move(operation)) {
    Forced& forced = forced_kernels();
    const std::lock_guard lock(forced.mutex);
    forced.names.emplace(operation_, std::move(name));
    forced.any = true;
}

ForceKernel::~ForceKernel() {
    Forced& forced = forced_kernels();
    const std::lock_guard lock(forced.mutex);
    const auto [first, last] = forced.names.equal_range(operation_);
    if (first != last) forced.names.erase(std::prev(last));
    forced.any = !forced.names.empty();
}

namespace {

Allocator& workspace_memory(Device device) {
    const auto& own = PrivateMemory::current(device);
    return own ? *own : allocator(device);
}

}  // namespace

void* allocate_workspace(Device device, StreamId stream, std::size_t bytes) {
    return workspace_memory(device).allocate(bytes, stream, "workspace");
}

void free_workspace(Device device, void* memory) { workspace_memory(device).free(memory); }

}  // namespace heddle
