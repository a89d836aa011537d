#include "kernels/tuning.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/config.h"
#include "core/detail/text_file.h"
#include "core/env.h"
#include "core/error.h"
#include "core/parallel.h"
#include "kernels/call_key.h"
#include "kernels/detail/tuning_index.h"
#include "kernels/machine.h"

namespace heddle {
namespace {

constexpr const char* format = "heddle tuning 2";

std::string hexadecimal(std::uint64_t value) { return fmt::format("{:016x}", value); }

std::uint64_t parse_key(const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    check(error == std::errc() && end == text.data() + text.size(), "\"key\": expected 16 digits, got \"{}\"", text);
    return value;
}

/// Keys of different kinds of device, and of different numbers of threads, stand in one map.
std::uint64_t whole_key(std::uint64_t key, DeviceKind device, int threads) {
    CallKey whole;
    whole.add(key);
    whole.add(static_cast<std::uint64_t>(device));
    whole.add(static_cast<std::uint64_t>(threads));
    return whole.value();
}

Tuning from_config(const Config& file) {
    check(file.has("format") && file.at("format").string() == format, "\"format\" is not \"{}\"", format);
    Tuning tuning;
    for (const auto& [device, machine] : file.at("machines").object())
        tuning.machines[Device::parse(device).kind] = machine.string();
    for (const Config& entry : file.at("calls").array())
        tuning.calls.push_back({.operation = entry.at("operation").string(),
                                .device = Device::parse(entry.at("device").string()).kind,
                                .threads = static_cast<int>(entry.at("threads").integer()),
                                .key = parse_key(entry.at("key").string()),
                                .implementation = entry.at("implementation").string(),
                                .call = entry.at("call").string(),
                                .seconds = entry.at("seconds").number(),
                                .by_priority = entry.at("seconds_by_priority").number()});
    return tuning;
}

}  // namespace

void Tuning::merge(const Tuning& other) {
    for (const auto& [device, machine] : other.machines) {
        if (machines.contains(device) && machines[device] != machine)
            std::erase_if(calls, [&](const TunedCall& call) { return call.device == device; });
        machines[device] = machine;
    }
    for (const TunedCall& call : other.calls) {
        std::erase_if(calls, [&](const TunedCall& known) {
            return known.operation == call.operation && known.device == call.device && known.threads == call.threads &&
                   known.key == call.key;
        });
        calls.push_back(call);
    }
}

void Tuning::save(const std::string& path) const {
    Config names;
    for (const auto& [device, machine] : machines) names.set(to_string(device), machine);
    Config::Array entries;
    for (const TunedCall& call : calls)
        entries.push_back(Config()
                              .set("operation", call.operation)
                              .set("device", std::string(to_string(call.device)))
                              .set("threads", call.threads)
                              .set("call", call.call)
                              .set("implementation", call.implementation)
                              .set("seconds", call.seconds)
                              .set("seconds_by_priority", call.by_priority)
                              .set("key", hexadecimal(call.key)));
    const Config file = Config().set("format", format).set("machines", names).set("calls", entries);
    if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty()) {
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        check(!error, "{}: cannot be made a folder: {}", folder.string(), error.message());
    }
    write_file_atomically(path, file.to_json(1) + "\n");
}

Tuning Tuning::load(const std::string& path) {
    const std::string text = detail::read_text_file(path);
    try {
        return from_config(Config::parse(text));
    } catch (const Error& error) {
        fail(fmt::format("{}: not a tuning file: {}; delete it, and heddle tune writes a new one", path, error.what()));
    }
}

std::string Tuning::default_path() {
    if (const auto chosen = env("HEDDLE_TUNING")) return *chosen == "off" ? "" : *chosen;
    const char* cache = std::getenv("XDG_CACHE_HOME");
    if (cache && *cache) return std::string(cache) + "/heddle/tuning.json";
    const char* home = std::getenv("HOME");
    return home && *home ? std::string(home) + "/.cache/heddle/tuning.json" : "";
}

int tuned_threads(DeviceKind device) { return device == DeviceKind::cpu ? thread_count() : 0; }

namespace detail {

TuningIndex::TuningIndex(const Tuning& tuning) : machines_(tuning.machines) {
    for (const TunedCall& call : tuning.calls)
        operations_[call.operation][whole_key(call.key, call.device, call.threads)] = call.implementation;
}

std::string_view TuningIndex::find(std::string_view operation, DeviceKind device, std::uint64_t key) const {
    const auto known = operations_.find(operation);
    if (known == operations_.end()) return {};
    const auto entry = known->second.find(whole_key(key, device, tuned_threads(device)));
    if (entry == known->second.end() || !same_machine(device)) return {};
    return entry->second;
}

bool TuningIndex::same_machine(DeviceKind device) const {
    const auto place = static_cast<std::size_t>(device);
    std::call_once(asked_[place], [&] {
        const auto known = machines_.find(device);
        const std::string there = known == machines_.end() ? "an unknown one" : known->second;
        const std::string here = machine_name({device});
        same_[place] = there == here;
        if (!same_[place])
            std::fprintf(stderr, "heddle: the tuning file was made on another machine (%s; here %s): it is not used\n",
                         there.c_str(), here.c_str());
    });
    return same_[place];
}

const TuningIndex* read_default_tuning() {
    const std::string path = Tuning::default_path();
    std::error_code none;
    // A file that was named must be there; the default one need not.
    const bool named = env("HEDDLE_TUNING").has_value();
    if (path.empty() || (!named && !std::filesystem::exists(path, none))) return nullptr;
    try {
        return new TuningIndex(Tuning::load(path));
    } catch (const Error& error) {
        if (named) throw;
        std::fprintf(stderr, "heddle: %s: it is not used\n", error.what());
        return nullptr;
    }
}

}  // namespace detail
}  // namespace heddle
