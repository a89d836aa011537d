#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/device.h"
#include "core/driver/driver.h"
#include "core/export.h"
#include "kernels/call_key.h"

namespace heddle {

/// Whether an implementation can run a case; if not, why not.
class Support {
  public:
    static Support yes() { return {}; }
    static Support no(std::string reason) {
        Support support;
        support.ok_ = false;
        support.reason_ = std::move(reason);
        return support;
    }
    explicit operator bool() const { return ok_; }
    const std::string& reason() const { return reason_; }

  private:
    bool ok_ = true;
    std::string reason_;
};

/// What a kernel may use while it runs.
struct KernelContext {
    Device device = {};
    StreamId stream = 0;
    const char* operation = "";  ///< for messages and profilers
    void* workspace = nullptr;   ///< as many bytes as `workspace_bytes` asked for, 64-byte aligned, not initialised
    std::size_t workspace_bytes = 0;
};

/// One way to compute an operation.
template <class Args>
struct Implementation {
    const char* name = "";                ///< "reference", "cpu", "native", "cudnn", ...
    DeviceKind device = DeviceKind::cpu;  ///< where it runs
    int priority = 0;                     ///< among those that support a case the highest wins
    Support (*supports)(const Args&) = nullptr;
    std::size_t (*workspace_bytes)(const Args&) = nullptr;  ///< may be null: none
    void (*run)(const Args&, KernelContext&) = nullptr;
    const char* operation = "";  ///< of the table; `KernelTable::add` fills it in
};

/// Usual priorities. `reference` runs what nothing else supports (f64). On a GPU `plain` is for implementations that
/// have not been proven on a real one.
namespace priority {
inline constexpr int reference = 0;
inline constexpr int plain = 10;
inline constexpr int fast = 20;
}  // namespace priority

/// What dispatch decides, and by which rule.
struct Choice {
    enum class Rule { forced, tuned, priority } rule = Rule::priority;
    std::string name = {};   ///< of the implementation; empty where none can run
    std::string error = {};  ///< why none can
};

/// What all tables have in common: the name of the operation and of its implementations.
class HEDDLE_API KernelTableBase {
  public:
    explicit KernelTableBase(const char* operation);
    KernelTableBase(const KernelTableBase&) = delete;
    KernelTableBase& operator=(const KernelTableBase&) = delete;

    const char* operation() const { return operation_; }
    struct Entry {
        std::string name;
        DeviceKind device;
        int priority;
    };
    virtual std::vector<Entry> entries() const = 0;

  protected:
    ~KernelTableBase() = default;
    /// False where priorities alone decide and nobody observes: all that dispatch has to ask then. (True at first: what
    /// the environment says is read at the first call.)
    static std::atomic<bool> watched;
    /// The name that a scope guard or HEDDLE_KERNEL forces for this operation; empty where none does.
    std::string_view forced() const;
    /// The name that the tuning file gives for a call (kernels/tuning.h); empty where it has none.
    std::string_view tuned(DeviceKind device, std::uint64_t key) const;
    /// Tells the observer, where there is one.
    void observe(Device device, std::uint64_t key, const void* args) const;
    [[noreturn]] void fail_none(Device device, const std::string& reasons) const;
    [[noreturn]] void fail_forced(std::string_view name, const std::string& why) const;

  private:
    friend struct Dispatch;
    const char* operation_;
};

/// The implementations of one operation: one instance per process, behind an exported accessor function.
/// Implementations are added at load time, by the library, a device's library, or a user's program; adding is not safe
/// while operations run on the same kind of device.
template <class Args>
class KernelTable final : public KernelTableBase {
  public:
    using KernelTableBase::KernelTableBase;

    /// Keeps the entries sorted by priority. An entry of the same name and device is replaced.
    void add(Implementation<Args> implementation) {
        implementation.operation = operation();
        auto& known = of(implementation.device);
        for (auto& other : known)
            if (std::string_view(other.name) == implementation.name) {
                other = implementation;
                return;
            }
        auto place = known.begin();
        while (place != known.end() && place->priority >= implementation.priority) ++place;
        known.insert(place, implementation);
    }

    /// Those of one kind of device, the preferred one first.
    std::span<const Implementation<Args>> implementations(DeviceKind device) const { return of(device); }

    const Implementation<Args>* find(std::string_view name, DeviceKind device) const {
        for (const auto& implementation : of(device))
            if (name == implementation.name) return &implementation;
        return nullptr;
    }

    /// The implementation for a case: a forced name, else what the tuning file names, else the highest priority that
    /// supports it. Throws `Error` where a forced one cannot run it, or none can, with the reasons.
    const Implementation<Args>& choose(const Args& args, Device device) const {
        if (watched.load(std::memory_order_relaxed)) [[unlikely]]
            if (const auto* implementation = choose_watched(args, device)) return *implementation;
        for (const auto& implementation : of(device.kind))
            if (implementation.supports(args)) return implementation;
        std::string reasons;
        for (const auto& implementation : of(device.kind))
            reasons += std::string("; ") + implementation.name + ": " + implementation.supports(args).reason();
        fail_none(device, reasons);
    }

    /// What `choose` would do, without a word to the observer.
    Choice explain(const Args& args, Device device) const {
        try {
            if (const auto* implementation = choose_forced(args, device))
                return {Choice::Rule::forced, implementation->name};
        } catch (const std::exception& error) {
            return {Choice::Rule::forced, "", error.what()};
        }
        if (const auto* implementation = choose_tuned(args, device, key(args)))
            return {Choice::Rule::tuned, implementation->name};
        for (const auto& implementation : of(device.kind))
            if (implementation.supports(args)) return {Choice::Rule::priority, implementation.name};
        return {Choice::Rule::priority, "", "no implementation supports it"};
    }

    /// Tells calls apart (kernels/call_key.h); 0 where the operation cannot be tuned.
    std::uint64_t key(const Args& args) const { return call_key(args); }

    std::vector<Entry> entries() const override {
        std::vector<Entry> result;
        for (const auto& known : implementations_)
            for (const auto& implementation : known)
                result.push_back({implementation.name, implementation.device, implementation.priority});
        return result;
    }

  private:
    /// nullptr: the priorities decide. (Virtual, so that the code stands with the table, not with every call.)
    virtual const Implementation<Args>* choose_watched(const Args& args, Device device) const {
        const std::uint64_t call = key(args);
        observe(device, call, &args);
        if (const auto* implementation = choose_forced(args, device)) return implementation;
        return choose_tuned(args, device, call);
    }

    const Implementation<Args>* choose_forced(const Args& args, Device device) const {
        const std::string_view name = forced();
        if (name.empty()) return nullptr;
        const auto* implementation = find(name, device.kind);
        if (!implementation) fail_forced(name, "there is no such implementation on " + device.to_string());
        if (const Support support = implementation->supports(args); !support) fail_forced(name, support.reason());
        return implementation;
    }

    const Implementation<Args>* choose_tuned(const Args& args, Device device, std::uint64_t call) const {
        const std::string_view name = call == 0 ? std::string_view() : tuned(device.kind, call);
        if (name.empty()) return nullptr;
        const auto* implementation = find(name, device.kind);
        return implementation && implementation->supports(args) ? implementation : nullptr;
    }

    std::vector<Implementation<Args>>& of(DeviceKind kind) { return implementations_[static_cast<std::size_t>(kind)]; }
    const std::vector<Implementation<Args>>& of(DeviceKind kind) const {
        return implementations_[static_cast<std::size_t>(kind)];
    }

    std::array<std::vector<Implementation<Args>>, 3> implementations_;  // by kind of device
};

/// Forces the implementation `name` of `operation` while it lives (all threads). The same as
/// HEDDLE_KERNEL=operation=name[,operation=name...] for the whole process.
class HEDDLE_API ForceKernel {
  public:
    ForceKernel(std::string operation, std::string name);
    ~ForceKernel();
    ForceKernel(const ForceKernel&) = delete;
    ForceKernel& operator=(const ForceKernel&) = delete;
};

/// Every table of the process, in a fixed order: for tests, benchmarks, `heddle info` and the support table.
HEDDLE_API std::vector<KernelTableBase*> kernel_tables();

/// Chooses an implementation and runs it with a workspace from the device's allocator.
HEDDLE_API void* allocate_workspace(Device device, StreamId stream, std::size_t bytes);
HEDDLE_API void free_workspace(Device device, void* memory);

template <class Args>
void run_implementation(const Implementation<Args>& implementation, const Args& args, Device device, StreamId stream) {
    struct Workspace {
        Device device;
        void* memory = nullptr;
        ~Workspace() {
            if (memory) free_workspace(device, memory);
        }
    } workspace{device};
    const std::size_t bytes = implementation.workspace_bytes ? implementation.workspace_bytes(args) : 0;
    if (bytes > 0) workspace.memory = allocate_workspace(device, stream, bytes);
    KernelContext context{device, stream, implementation.operation, workspace.memory, bytes};
    implementation.run(args, context);
}

}  // namespace heddle
