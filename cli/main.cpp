#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/validators.h"
#include "core/check.h"
#include "core/plugin.h"
#include "core/version.h"

using namespace heddle;

namespace {

/// Every failure is one line.
int report(const std::string& message, int status) {
    std::string line = "heddle: error: " + message;
    for (char& letter : line)
        if (letter == '\n' || letter == '\r') letter = ' ';
    while (line.ends_with(' ')) line.pop_back();
    std::fputs((line + "\n").c_str(), stderr);  // which may be closed: the status still tells
    return status;
}

/// A command line that cannot be understood; it names the help of the command that was meant.
int report_usage(const std::string& message, int count, char** words) {
    const bool named = count > 1 && words[1][0] != '-';
    return report(fmt::format("{} (see heddle {}--help)", message, named ? std::string(words[1]) + " " : ""),
                  cli::usage_error);
}

/// The problem with a first word that is neither a command nor an option; CLI11 would only say that "a subcommand" is
/// required.
std::string command_problem(const CLI::App& app, int count, char** words) {
    std::vector<std::string> known;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        known.push_back(command->get_name());
    if (count < 2) return fmt::format("expected a command: {}", fmt::join(known, ", "));
    const std::string word = words[1];
    if (std::find(known.begin(), known.end(), word) != known.end()) return "";
    if (word.starts_with("-"))
        return app.get_option_no_throw(word) ? "" : fmt::format("there is no option \"{}\" without a command", word);
    return fmt::format("there is no command \"{}\": expected {}", word, fmt::join(known, ", "));
}

int run(int count, char** words) {
    CLI::App app("Heddle: trains, evaluates and applies neural networks, and compares kernels.", "heddle");
    app.set_version_flag("--version", fmt::format("heddle {}", version()));
    app.require_subcommand(1);
    cli::Action action;
    cli::add_train(app, action);
    cli::add_evaluate(app, action);
    cli::add_predict(app, action);
    cli::add_report(app, action);
    cli::add_check(app, action);
    cli::add_info(app, action);
    cli::add_models(app, action);
    cli::add_recipes(app, action);
    cli::add_datasets(app, action);
    cli::add_bench(app, action);
    cli::add_tune(app, action);
    app.footer(
        "\nEvery subcommand explains itself: heddle train --help.\n"
        "Exit status: 0 done, 1 failed (one line on stderr says why), 2 wrong usage, 130 interrupted (143: SIGTERM).\n"
        "\n"
        "  heddle train cnn --data fashion-mnist --out runs/first\n"
        "  heddle report runs/first\n"
        "  heddle predict --weights runs/first/cnn.safetensors boot.png");
    if (const std::string problem = command_problem(app, count, words); !problem.empty())
        return report(problem + " (see heddle --help)", cli::usage_error);
    try {
        app.parse(count, words);
    } catch (const CLI::Success& wanted) {  // --help, --version
        app.exit(wanted);
        cli::print("");
        return 0;
    } catch (const CLI::ParseError& error) {
        return report_usage(error.what(), count, words);
    }
    load_plugins();
    return action();
}

}  // namespace

int main(int count, char** words) {
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of its write, which removes what was begun
    try {
        return run(count, words);
    } catch (const cli::UsageError& error) {
        return report_usage(error.what(), count, words);
    } catch (const std::bad_alloc&) {
        return report("out of memory", cli::failure);
    } catch (const std::exception& error) {
        return report(error.what(), cli::failure);
    }
}
