#pragma once

namespace heddle::cli {

/// While it lives, the first SIGINT or SIGTERM asks `fit` to end after its step (train/interrupt.h); the next one ends
/// the process, as it would without this.
class StopSignals {
  public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    /// The signal that came; 0 for none.
    static int caught();
};

}  // namespace heddle::cli
