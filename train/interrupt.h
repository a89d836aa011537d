#pragma once

#include "core/export.h"

namespace heddle {

/// Asks every `fit` of this process to end: it finishes its step, writes its checkpoint where it has one, and returns
/// with `History::interrupted` set. May be called from a signal handler and from any thread.
HEDDLE_API void request_stop() noexcept;
HEDDLE_API bool stop_requested() noexcept;
/// Lets `fit` run again. `fit` itself never clears a request.
HEDDLE_API void clear_stop_request() noexcept;

}  // namespace heddle
