#pragma once

#include <string>

#include "bench/run.h"

namespace heddle::bench {

inline constexpr const char* pytorch_name = "pytorch";

/// Asks the script `options.pytorch` to time the case (protocol: docs/guides/bench.md). Its result has no error figure:
/// PyTorch's operator is assumed to be right. A script that cannot be run, or gives another kind of answer, is a
/// `failed` contender with the reason.
Contender run_pytorch(const Job& job, const Options& options);

/// The script's input for a case, and the meaning of its answer.
std::string pytorch_request(const Job& job, const Options& options);
Contender pytorch_answer(const std::string& output);

}  // namespace heddle::bench
