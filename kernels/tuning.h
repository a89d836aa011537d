#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/export.h"

namespace heddle {

class KernelTableBase;

/// A call, and the implementation that was measured to be the fastest of those that give the right result.
struct TunedCall {
    std::string operation = {};
    DeviceKind device = DeviceKind::cpu;
    int threads = 0;        ///< of the CPU; 0 on other devices
    std::uint64_t key = 0;  ///< kernels/call_key.h
    std::string implementation = {};
    std::string call = {};   ///< for people: "n=128 h=32 w=32 ..., f32"
    double seconds = 0;      ///< of that implementation
    double by_priority = 0;  ///< of the one that would run otherwise
};

/// What `heddle tune` found, kept in a JSON file. Numbers hold for one machine: `machines` names it by kind of device
/// (`machine_name` in kernels/machine.h), and what was found on another machine is not used. On the CPU a call counts
/// for the number of threads that it was measured with.
struct HEDDLE_API Tuning {
    std::map<DeviceKind, std::string> machines = {};
    std::vector<TunedCall> calls = {};

    /// Adds the calls of `other`, in place of known ones; those of a device on another machine are dropped.
    void merge(const Tuning& other);
    void save(const std::string& path) const;
    /// Throws `Error` that names the file and what is wrong with it.
    static Tuning load(const std::string& path);
    /// HEDDLE_TUNING; else tuning.json in the folder heddle of XDG_CACHE_HOME or ~/.cache; empty for "off" or where
    /// none of the variables is set.
    static std::string default_path();
};

/// What `TunedCall::threads` is for a call made here and now: the CPU's `thread_count()`, 0 on other devices.
HEDDLE_API int tuned_threads(DeviceKind device);

/// Makes dispatch follow this tuning, in place of an earlier one (all threads). The default file, where it exists, is
/// read at the first operation, unless this comes first.
HEDDLE_API void use_tuning(const Tuning& tuning);

/// A call that dispatch was asked about: the table, the device, its key and its arguments.
using CallObserver =
    std::function<void(const KernelTableBase& table, Device device, std::uint64_t key, const void* args)>;

/// While it lives, `observer` hears of every call of every thread, before it runs. One at a time; the observer must not
/// run operations.
class HEDDLE_API ObserveCalls {
  public:
    explicit ObserveCalls(CallObserver observer);
    ~ObserveCalls();
    ObserveCalls(const ObserveCalls&) = delete;
    ObserveCalls& operator=(const ObserveCalls&) = delete;
};

}  // namespace heddle
