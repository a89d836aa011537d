#pragma once

#include "core/export.h"

namespace heddle {

/// While it lives, this thread records no operations: evaluation and updates in place.
class HEDDLE_API NoGrad {
  public:
    NoGrad();
    ~NoGrad();
    NoGrad(const NoGrad&) = delete;
    NoGrad& operator=(const NoGrad&) = delete;

  private:
    bool previous_;
};

}  // namespace heddle
