#include <algorithm>

#include "bench/run.h"
#include "bench/suites.h"
#include "core/check.h"

// From names to cases.
namespace heddle::bench {

using CaseSets = std::vector<std::unique_ptr<cases::CaseSet>>;

cases::CaseSet& find_set(const CaseSets& sets, const std::string& operation) {
    std::vector<std::string> names;
    for (const auto& set : sets) {
        if (set->table().operation() == operation) return *set;
        names.emplace_back(set->table().operation());
    }
    fail(fmt::format("there is no operation \"{}\"; expected one of {}", operation, fmt::join(names, ", ")));
}

std::vector<cases::CaseSet*> find_sets(const CaseSets& sets, const std::string& name) {
    std::vector<cases::CaseSet*> found;
    for (const auto& set : sets)
        if (std::string(set->table().operation()).starts_with(name + "_")) found.push_back(set.get());
    const bool exact =
        std::any_of(sets.begin(), sets.end(), [&](const auto& set) { return set->table().operation() == name; });
    if (exact || found.empty()) return {&find_set(sets, name)};
    return found;
}

std::size_t find_case(const cases::CaseSet& set, const std::string& name) {
    for (std::size_t i = 0; i < set.size(); ++i)
        if (set.name(i) == name) return i;
    const char* operation = set.table().operation();
    fail(fmt::format("{}: there is no case \"{}\"; heddle bench {} --list shows them", operation, name, operation));
}

std::vector<Job> suite_jobs(const CaseSets& sets, const std::string& name, DType dtype) {
    std::vector<std::string> names;
    for (const Suite& suite : suites()) {
        names.push_back(suite.name);
        if (suite.name != name) continue;
        std::vector<Job> jobs;
        for (const SuiteCase& item : suite.cases) {
            cases::CaseSet& set = find_set(sets, item.operation);
            Job job{.set = &set, .name = item.name, .dtype = dtype};
            if (item.dims.empty()) {
                job.index = find_case(set, item.name);
            } else {
                cases::Dims given;
                for (const auto& [key, value] : item.dims) given.set(key, value);
                job.dims = cases::complete(item.operation.c_str(), set.dims(), given);
                job.index = set.add(item.name, job.dims);
            }
            jobs.push_back(std::move(job));
        }
        return jobs;
    }
    fail(fmt::format("there is no suite \"{}\"; expected one of {}", name, fmt::join(names, ", ")));
}

}  // namespace heddle::bench
