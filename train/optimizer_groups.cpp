#include "train/optimizer_groups.h"

#include <fnmatch.h>

#include "core/check.h"
#include "train/detail/optimizer_state.h"

namespace heddle {
namespace {

/// Has no rule of its own: Optimizer's functions go to the groups' optimizers.
class GroupsImpl final : public OptimizerImpl {
  public:
    explicit GroupsImpl(std::vector<OptimizerGroup> groups) : OptimizerImpl(UpdateRules{}, std::move(groups)) {}
    const char* class_name() const override { return "OptimizerGroups"; }
    std::vector<std::string> slots() const override { return {}; }
    void update(const Group&) override { fail("OptimizerGroups: has no step of its own"); }
};

bool names(const OptimizerGroup& group, const std::string& parameter) {
    return std::any_of(group.parameters.begin(), group.parameters.end(),
                       [&](const std::string& pattern) { return fnmatch(pattern.c_str(), parameter.c_str(), 0) == 0; });
}

}  // namespace

const std::vector<NamedTensors>& OptimizerImpl::State::deal(const NamedTensors& parameters) {
    const bool same = dealt.size() == parameters.size() &&
                      std::equal(dealt.begin(), dealt.end(), parameters.begin(), [](const auto& a, const auto& b) {
                          return a.first == b.first && a.second.is_same(b.second);
                      });
    if (same) return shares;
    std::vector<NamedTensors> fresh(groups.size());
    for (const auto& parameter : parameters) {
        const auto group = std::find_if(groups.begin(), groups.end(),
                                        [&](const OptimizerGroup& g) { return names(g, parameter.first); });
        check(group != groups.end(), "OptimizerGroups: no group names the parameter \"{}\": add one for \"*\"",
              parameter.first);
        fresh[static_cast<std::size_t>(group - groups.begin())].push_back(parameter);
    }
    for (std::size_t i = 0; i < groups.size(); ++i)
        check(!fresh[i].empty(), "OptimizerGroups: no parameter has a name like {}",
              fmt::join(groups[i].parameters, ", "));
    dealt = parameters;
    shares = std::move(fresh);
    return shares;
}

OptimizerGroups::OptimizerGroups(std::vector<OptimizerGroup> groups)
    : Optimizer(std::make_shared<GroupsImpl>(std::move(groups))) {}

}  // namespace heddle
