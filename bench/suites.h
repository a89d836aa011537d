#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace heddle::bench {

/// One case of a suite: an operation and its numbers (docs/guides/bench.md), or one of its named cases.
struct SuiteCase {
    std::string name = {};  ///< the layer; of a named case, its name
    std::string operation = {};
    std::vector<std::pair<std::string, std::int64_t>> dims = {};  ///< empty: the named case
};

struct Suite {
    std::string name = {};
    std::string description = {};
    std::vector<SuiteCase> cases = {};
};

/// The kernels of models and of fields of work, in their real sizes.
const std::vector<Suite>& suites();

}  // namespace heddle::bench
