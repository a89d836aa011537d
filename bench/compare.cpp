#include "bench/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "bench/text.h"

namespace heddle::bench {
namespace {

using State = Contender::State;
constexpr double least_share = 0.05;

/// Operation, case, numbers, type, implementation.
using Key = std::tuple<std::string, std::string, std::string, std::string, std::string>;

std::string numbers(const cases::Dims& dims) {
    std::string text;
    for (const auto& [name, value] : dims.values()) text += fmt::format("{}={} ", name, value);
    return text;
}

std::map<Key, const Contender*> judged(const Report& report) {
    std::map<Key, const Contender*> all;
    for (const CaseResult& r : report.cases)
        for (const Contender& c : r.contenders)
            if (c.state == State::ranked || c.state == State::wrong)
                all[{r.operation, r.name, numbers(r.dims), std::string(heddle::to_string(r.dtype)), c.name}] = &c;
    return all;
}

std::size_t timed_in_both(const std::map<Key, const Contender*>& a, const std::map<Key, const Contender*>& b) {
    return static_cast<std::size_t>(std::count_if(a.begin(), a.end(), [&](const auto& entry) {
        const auto other = b.find(entry.first);
        return other != b.end() && entry.second->timing && other->second->timing;
    }));
}

double size_of_change(const Change& c) {
    return c.before > 0 && c.after > 0 ? std::abs(std::log(c.after / c.before)) : HUGE_VAL;
}

const char* word(Change::Kind kind) {
    switch (kind) {
        case Change::Kind::faster:
            return "faster";
        case Change::Kind::slower:
            return "SLOWER";
        case Change::Kind::became_wrong:
            return "now WRONG";
        case Change::Kind::became_right:
            return "now right";
        case Change::Kind::appeared:
            return "new";
        case Change::Kind::vanished:
            return "gone";
    }
    return "";
}

}  // namespace

std::vector<Change> compare(const Report& before, const Report& after) {
    const auto old = judged(before), now = judged(after);
    std::vector<Change> changes;
    const auto add = [&](Change::Kind kind, const Key& key, double a = 0, double b = 0) {
        changes.push_back({kind, std::get<0>(key), std::get<1>(key), std::get<3>(key), std::get<4>(key), a, b});
    };
    for (const auto& [key, a] : old) {
        const auto found = now.find(key);
        if (found == now.end()) {
            add(Change::Kind::vanished, key);
            continue;
        }
        const Contender& b = *found->second;
        if (a->state != b.state) {
            add(b.state == State::wrong ? Change::Kind::became_wrong : Change::Kind::became_right, key);
            continue;
        }
        if (!a->timing || !b.timing) continue;
        const double x = a->timing->median, y = b.timing->median, difference = std::abs(y - x);
        if (difference > least_share * std::min(x, y) && difference > std::max(a->timing->spread, b.timing->spread))
            add(y < x ? Change::Kind::faster : Change::Kind::slower, key, x, y);
    }
    for (const auto& [key, b] : now)
        if (!old.contains(key)) add(Change::Kind::appeared, key);
    std::stable_sort(changes.begin(), changes.end(),
                     [](const Change& a, const Change& b) { return size_of_change(a) > size_of_change(b); });
    return changes;
}

std::string compare_text(const Report& before, const Report& after) {
    std::string text;
    if (before.machine != after.machine || before.threads != after.threads || before.device != after.device)
        text += fmt::format("different machines: {} ({}, {} threads) and {} ({}, {} threads)\n", before.machine,
                            before.device, before.threads, after.machine, after.device, after.threads);
    if (before.commit != after.commit)
        text += fmt::format("commits: {} and {}\n", before.commit.empty() ? "unknown" : before.commit,
                            after.commit.empty() ? "unknown" : after.commit);
    const std::vector<Change> changes = compare(before, after);
    std::size_t moved = 0;
    for (const Change& c : changes) {
        const bool timed = c.kind == Change::Kind::faster || c.kind == Change::Kind::slower;
        moved += timed;
        text += fmt::format("{:<10} {} {}, {}, {}", word(c.kind), c.operation, c.name, c.dtype, c.implementation);
        if (timed)
            text += fmt::format(": {} to {}, {:.2f} times as fast", duration(c.before), duration(c.after),
                                c.before / c.after);
        text += "\n";
    }
    const std::size_t both = timed_in_both(judged(before), judged(after));
    return text +
           fmt::format("{} timed in both, {} beyond noise (5 %, and the larger of the two spreads)\n", both, moved);
}

}  // namespace heddle::bench
