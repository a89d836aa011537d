#include "kernels/table.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include "core/allocator.h"
#include "core/check.h"
#include "core/env.h"
#include "core/plugin.h"
#include "kernels/detail/tuning_index.h"

namespace heddle {

using detail::TuningIndex;

namespace {

bool is_operation(const std::string& name) {
    const std::vector<KernelTableBase*> tables = kernel_tables();
    return std::any_of(tables.begin(), tables.end(),
                       [&](const KernelTableBase* table) { return table->operation() == name; });
}

}  // namespace

/// What dispatch asks beside the priorities: HEDDLE_KERNEL and the ForceKernel guards, the tuning, the observer.
struct Dispatch {
    std::mutex mutex;
    struct Forced {
        std::string operation;
        const std::string* name;   // in `names`
        const ForceKernel* guard;  // null: by HEDDLE_KERNEL
    };
    std::vector<Forced> forced;   // the last one of an operation counts
    std::set<std::string> names;  // never freed: a call may be reading one
    std::atomic<bool> any_forced{false};
    std::once_flag tuning_read;
    std::atomic<const TuningIndex*> tuning{nullptr};  // never freed: a call may be reading it
    CallObserver observer;
    std::atomic<bool> observing{false};

    Dispatch() {
        load_plugins();  // before the first choice
        const std::string text = env("HEDDLE_KERNEL").value_or("");
        for (std::size_t start = 0; start < text.size();) {
            const std::size_t end = std::min(text.find(',', start), text.size());
            const std::string item = text.substr(start, end - start);
            const std::size_t equals = item.find('=');
            check(equals != std::string::npos && equals > 0 && equals + 1 < item.size(),
                  "HEDDLE_KERNEL: expected operation=implementation, got \"{}\"", item);
            const std::string operation = item.substr(0, equals);
            check(is_operation(operation), "HEDDLE_KERNEL: there is no operation \"{}\": heddle info lists them",
                  operation);
            force(operation, item.substr(equals + 1), nullptr);
            start = end + 1;
        }
    }

    /// Call with the mutex held.
    void force(std::string operation, std::string name, const ForceKernel* guard) {
        forced.push_back({std::move(operation), &*names.insert(std::move(name)).first, guard});
        any_forced = true;
    }

    static Dispatch& instance() {
        static Dispatch& dispatch = *new Dispatch;
        return dispatch;
    }

    const TuningIndex* current_tuning() {
        std::call_once(tuning_read, [this] { tuning = detail::read_default_tuning(); });
        return tuning;
    }

    /// Call with the mutex held, after a change.
    void update() {
        const TuningIndex* index = current_tuning();
        KernelTableBase::watched = any_forced || observing || (index && !index->empty());
    }
};

std::atomic<bool> KernelTableBase::watched{true};

KernelTableBase::KernelTableBase(const char* operation) : operation_(operation) {}

std::string_view KernelTableBase::forced() const {
    Dispatch& dispatch = Dispatch::instance();
    if (!dispatch.any_forced.load(std::memory_order_relaxed)) return {};
    const std::lock_guard lock(dispatch.mutex);
    const auto last = std::find_if(dispatch.forced.rbegin(), dispatch.forced.rend(),
                                   [&](const Dispatch::Forced& forced) { return forced.operation == operation_; });
    return last == dispatch.forced.rend() ? std::string_view() : std::string_view(*last->name);
}

std::string_view KernelTableBase::tuned(DeviceKind device, std::uint64_t key) const {
    const TuningIndex* index = Dispatch::instance().current_tuning();
    if (!index || index->empty()) return {};
    return index->find(operation_, device, key);
}

void KernelTableBase::observe(Device device, std::uint64_t key, const void* args) const {
    Dispatch& dispatch = Dispatch::instance();
    if (dispatch.observing.load(std::memory_order_acquire)) {
        const std::lock_guard lock(dispatch.mutex);
        if (dispatch.observer) dispatch.observer(*this, device, key, args);
        return;
    }
    static std::once_flag first;  // the flag is true until the environment has been read
    std::call_once(first, [&] {
        const std::lock_guard lock(dispatch.mutex);
        dispatch.update();
    });
}

void KernelTableBase::fail_none(Device device, const std::string& reasons) const {
    fail(fmt::format("{}: no implementation on {} can run this case{}", operation_, device.to_string(),
                     reasons.empty() ? "; none is registered for this device" : reasons));
}

void KernelTableBase::fail_forced(std::string_view name, const std::string& why) const {
    fail(fmt::format("{}: the forced implementation \"{}\" cannot run: {}", operation_, name, why));
}

ForceKernel::ForceKernel(std::string operation, std::string name) {
    Dispatch& dispatch = Dispatch::instance();
    const std::lock_guard lock(dispatch.mutex);
    static_cast<void>(dispatch.current_tuning());  // may throw: before anything is changed
    dispatch.force(std::move(operation), std::move(name), this);
    dispatch.update();
}

ForceKernel::~ForceKernel() {
    Dispatch& dispatch = Dispatch::instance();
    const std::lock_guard lock(dispatch.mutex);
    std::erase_if(dispatch.forced, [&](const Dispatch::Forced& forced) { return forced.guard == this; });
    dispatch.any_forced = !dispatch.forced.empty();
    dispatch.update();
}

void use_tuning(const Tuning& tuning) {
    Dispatch& dispatch = Dispatch::instance();
    std::call_once(dispatch.tuning_read, [] {});  // so that the default is not read later, over this one
    const std::lock_guard lock(dispatch.mutex);
    dispatch.tuning = new TuningIndex(tuning);
    dispatch.update();
}

ObserveCalls::ObserveCalls(CallObserver observer) {
    Dispatch& dispatch = Dispatch::instance();
    const std::lock_guard lock(dispatch.mutex);
    dispatch.observer = std::move(observer);
    dispatch.observing = true;
    dispatch.update();
}

ObserveCalls::~ObserveCalls() {
    Dispatch& dispatch = Dispatch::instance();
    const std::lock_guard lock(dispatch.mutex);
    dispatch.observing = false;
    dispatch.observer = nullptr;
    dispatch.update();
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
