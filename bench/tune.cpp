#include "bench/tune.h"

#include <algorithm>

#include "core/check.h"

namespace heddle::bench {
namespace {

const Contender* timed(const CaseResult& result, const std::string& name) {
    for (const Contender& c : result.contenders)
        if (c.name == name && c.state == Contender::State::ranked && c.timing) return &c;
    return nullptr;
}

/// The first by priority that supports the case: what runs without a tuning.
std::string by_priority(const cases::CaseSet& set, std::size_t index, DeviceKind device, DType dtype) {
    for (const auto& entry : set.table().entries())  // sorted by priority within a device
        if (entry.device == device && set.offer(index, entry.name, device, dtype)) return entry.name;
    return "";
}

std::size_t supporting(const cases::CaseSet& set, std::size_t index, DeviceKind device, DType dtype) {
    const auto entries = set.table().entries();
    return static_cast<std::size_t>(std::count_if(entries.begin(), entries.end(), [&](const auto& entry) {
        return entry.device == device && entry.name != "reference" && set.offer(index, entry.name, device, dtype);
    }));
}

}  // namespace

CallRecorder::CallRecorder(const std::vector<std::unique_ptr<cases::CaseSet>>& sets, DeviceKind device)
    : sets_([&] {
          std::map<const KernelTableBase*, cases::CaseSet*> result;
          for (const auto& set : sets) result[&set->table()] = set.get();
          return result;
      }()),
      observe_([this, device](const KernelTableBase& table, Device where, std::uint64_t key, const void* args) {
          if (where.kind != device || key == 0) return;
          const auto [place, is_new] = places_.try_emplace({&table, key}, calls_.size());
          if (is_new) {
              cases::CaseSet* set = sets_.at(&table);
              calls_.push_back({.set = set, .key = key, .dims = set->dims_of(args)});
          }
          ++calls_[place->second].count;
      }) {}

Finding tune(const SeenCall& call, const Options& options) {
    cases::CaseSet& set = *call.set;
    Finding finding{.operation = set.table().operation(), .count = call.count};
    if (!call.dims) {
        finding.note = "its arguments have no numbers in heddle bench";
        return finding;
    }
    const cases::Dims dims = cases::complete(finding.operation.c_str(), set.dims(), *call.dims);
    const std::size_t index = set.add("tuned", dims);
    finding.call = cases::describe(set.dims(), dims);
    std::optional<DType> dtype;
    for (const DType candidate : {DType::f32, DType::bf16, DType::f16})
        if (set.key(index, candidate) == call.key) dtype = candidate;
    if (!dtype) {
        finding.note = "its arguments are not those of heddle bench's case";
        return finding;
    }
    finding.call += fmt::format(", {}", to_string(*dtype));
    const DeviceKind device = options.device.kind;
    if (supporting(set, index, device, *dtype) < 2) {
        finding.note = "one implementation";
        return finding;
    }
    finding.result = run({.set = &set, .index = index, .name = finding.call, .dims = dims, .dtype = *dtype}, options);
    finding.usual = by_priority(set, index, device, *dtype);
    const Contender* best = winner(finding.result);
    const Contender* known = timed(finding.result, finding.usual);
    if (!best) {
        finding.note = "no implementation is right";
        return finding;
    }
    if (known && best->timing->median + std::max(best->timing->spread, known->timing->spread) > known->timing->median)
        best = known;
    finding.choice = TunedCall{.operation = finding.operation,
                               .device = device,
                               .threads = tuned_threads(device),
                               .key = call.key,
                               .implementation = best->name,
                               .call = finding.call,
                               .seconds = best->timing->median,
                               .by_priority = known ? known->timing->median : best->timing->median};
    return finding;
}

}  // namespace heddle::bench
