#pragma once

#include <string>

#include "bench/run.h"

namespace heddle::bench {

inline constexpr const char* pytorch_name = "pytorch";

/// Asks the script `options.pytorch` to time the case (the protocol stands in docs/guides/bench.md). Its answer has no
/// error: the same operation in PyTorch's types is assumed to be right. A script that cannot be run, or says something
/// else, is a `failed` contender with the reason.
Contender run_pytorch(const Job& job, const Options& options);

/// What the script is told, and what its answer means.
std::string pytorch_request(const Job& job, const Options& options);
Contender pytorch_answer(const std::string& output);

}  // namespace heddle::bench
