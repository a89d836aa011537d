#pragma once

#include <functional>

#include "core/error.h"

namespace CLI {
class App;
}

namespace heddle::cli {

/// What the command line asked for; returns the exit status. It runs after the whole line was understood, so that a
/// usage error never leaves half the work done.
using Action = std::function<int()>;

/// Exit statuses: of a failed command, and of a command line that cannot be understood. A signal gives 128 + its
/// number.
inline constexpr int failure = 1;
inline constexpr int usage_error = 2;

/// Options that do not go together.
class UsageError : public Error {
  public:
    using Error::Error;
};

void add_train(CLI::App& app, Action& action);
void add_evaluate(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_info(CLI::App& app, Action& action);
void add_models(CLI::App& app, Action& action);
void add_recipes(CLI::App& app, Action& action);
void add_datasets(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_tune(CLI::App& app, Action& action);

}  // namespace heddle::cli
