#pragma once

#include <cstddef>

namespace heddle::cli {

/// How much this process's resident memory has grown above what it was when the gauge was made: the libraries and the
/// idle process do not count.
class MemoryGauge {
  public:
    MemoryGauge();
    /// The largest growth so far, in bytes.
    std::size_t peak_growth() const;

  private:
    std::size_t idle_;
};

}  // namespace heddle::cli
