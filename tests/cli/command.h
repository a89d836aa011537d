#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/data/files.h"

// Runs the built command as a user does.
namespace heddle::cli_tests {

using Json = nlohmann::json;

struct Outcome {
    int status = -1;  ///< the exit status; 128 + the number of the signal that ended it
    std::string out = {}, err = {};

    std::vector<std::string> lines() const {
        std::vector<std::string> all;
        std::istringstream stream(out);
        for (std::string line; std::getline(stream, line);) all.push_back(line);
        return all;
    }
    /// Every line of stdout as JSON.
    std::vector<Json> records() const {
        std::vector<Json> all;
        for (const std::string& line : lines()) {
            all.push_back(Json::parse(line, nullptr, false));
            EXPECT_TRUE(all.back().is_object()) << line;
        }
        return all;
    }
};

/// A running `heddle`.
class Command {
  public:
    explicit Command(const std::vector<std::string>& words, rlim_t largest_file = RLIM_INFINITY,
                     const std::string& out = {})
        : out_(out.empty() ? folder_ / "out" : out), err_(folder_ / "err") {
        std::vector<std::string> all = {HEDDLE_COMMAND};
        all.insert(all.end(), words.begin(), words.end());
        std::vector<char*> arguments;
        for (std::string& word : all) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        process_ = ::fork();
        if (process_ != 0) return;
        ::setenv("HEDDLE_THREADS", "1", 1);
        ::dup2(::open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666), STDOUT_FILENO);
        ::dup2(::open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666), STDERR_FILENO);
        if (largest_file != RLIM_INFINITY) {
            const rlimit limit{largest_file, largest_file};
            ::setrlimit(RLIMIT_FSIZE, &limit);
        }
        ::execv(HEDDLE_COMMAND, arguments.data());
        ::_exit(99);
    }
    ~Command() {
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
        }
    }
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    std::string out_so_far() const {
        std::ifstream file(out_, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    /// False where the command ended, or two minutes went by, before `condition` held.
    bool wait_for(const std::function<bool()>& condition) const {
        for (int i = 0; i < 60000; ++i) {
            if (condition()) return true;
            siginfo_t info{};
            if (::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                info.si_pid == process_)
                return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        return false;
    }
    void signal(int number) const { ::kill(process_, number); }

    Outcome finish() {
        int status = 0;
        ::waitpid(std::exchange(process_, -1), &status, 0);
        Outcome outcome;
        outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (out_.starts_with(folder_.path())) outcome.out = testing_files::read_bytes(out_);
        outcome.err = testing_files::read_bytes(err_);
        return outcome;
    }

  private:
    testing_files::TempFolder folder_;
    std::string out_, err_;
    pid_t process_ = -1;
};

inline Outcome heddle(const std::vector<std::string>& words) { return Command(words).finish(); }

/// It worked, and said nothing on stderr.
inline Outcome expect_done(const std::vector<std::string>& words) {
    Outcome outcome = heddle(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return outcome;
}

/// It ended with `status`, and one line on stderr that holds all `parts`.
inline void expect_complaint(const Outcome& outcome, int status, const std::vector<std::string>& parts) {
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_TRUE(outcome.err.starts_with("heddle: error: ")) << outcome.err;
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
    for (const std::string& part : parts)
        EXPECT_NE(outcome.err.find(part), std::string::npos) << "wanted: " << part << "\ngot: " << outcome.err;
}

}  // namespace heddle::cli_tests
