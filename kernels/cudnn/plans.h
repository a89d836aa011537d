#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <unordered_map>

#include "kernels/cudnn/graph.h"
#include "kernels/plan_cache.h"
#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::cudnn {

/// What became of asking cuDNN for a plan: one of the two.
struct Planned {
    std::unique_ptr<Plan> plan = nullptr;
    std::string why = {};  ///< why there is none

    Support support() const { return plan ? Support::yes() : Support::no(why); }
};

/// The plans of one operation. They stay for good, and so must this: captured graphs replay their kernels. Thread-safe;
/// plans for one GPU are made one after the other.
class Plans {
  public:
    /// The plan of a case, of the dtype of `result` and for the GPU that it lies on: `describe` is asked the first
    /// time, then it costs a look into a table. `key` holds all that `describe` depends on.
    const Planned& find(const View& result, const kernels::PlanKey& key, const std::function<void(Graph&)>& describe);

  private:
    struct Entry {
        std::once_flag once;
        Planned planned;
    };
    struct Hash {
        std::size_t operator()(const kernels::PlanKey& key) const { return key.hash(); }
    };
    Entry& entry(int ordinal, const kernels::PlanKey& key);

    std::shared_mutex mutex_;
    std::map<int, std::unordered_map<kernels::PlanKey, std::unique_ptr<Entry>, Hash>> entries_;  // by CUDA's ordinal
};

/// Reasons to decline that all operations share: the dtype, a tensor without elements, an address that is not a
/// multiple of 16. Absent operands are fine.
Support usable(std::span<const View> operands);

}  // namespace heddle::cudnn
