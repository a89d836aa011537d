#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/env.h"

namespace {

using namespace heddle;

std::string page() {
    std::string text =
        "# Environment variables\n\n"
        "Generated from the table in `core/env.cpp`: `HEDDLE_UPDATE_DOCS=1 build/ci/tests/test_docs` rewrites this "
        "page.\n\n"
        "| Variable | Meaning | Default |\n|---|---|---|\n";
    for (const EnvVariable& variable : env_variables())
        text += fmt::format("| `{}` | {} | {} |\n", variable.name, variable.meaning, variable.fallback);
    return text +
           "\nTests read two more: `HEDDLE_TEST_FULL=1` runs the long ones, `HEDDLE_EVIDENCE` names the file that "
           "`docs/support.md` is made from.\n";
}

TEST(Docs, EnvironmentPageIsCurrent) {
    const std::string path = HEDDLE_TEST_FOLDER "/../../docs/environment.md";
    if (std::getenv("HEDDLE_UPDATE_DOCS")) std::ofstream(path) << page();
    std::stringstream known;
    known << std::ifstream(path).rdbuf();
    EXPECT_EQ(known.str(), page()) << "run HEDDLE_UPDATE_DOCS=1 build/ci/tests/test_docs";
}

TEST(Docs, EnvironmentVariablesAreSortedAndPrefixed) {
    std::string previous;
    for (const EnvVariable& variable : env_variables()) {
        EXPECT_EQ(std::string(variable.name).rfind("HEDDLE_", 0), 0u) << variable.name;
        EXPECT_LT(previous, variable.name);
        previous = variable.name;
    }
}

}  // namespace
