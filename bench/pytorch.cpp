#include "bench/pytorch.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>

#include "bench/measure.h"
#include "core/check.h"
#include "core/parallel.h"

namespace heddle::bench {
namespace {

/// A child process whose standard input and output we hold.
class Child {
  public:
    explicit Child(const std::vector<std::string>& words) {
        int to[2] = {-1, -1}, from[2] = {-1, -1};
        check(::pipe2(to, O_CLOEXEC) == 0 && ::pipe2(from, O_CLOEXEC) == 0, "no pipe: {}", std::strerror(errno));
        std::vector<char*> arguments;
        for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        process_ = ::fork();
        if (process_ == 0) {
            ::dup2(to[0], STDIN_FILENO);
            ::dup2(from[1], STDOUT_FILENO);
            ::execvp(arguments[0], arguments.data());
            ::_exit(127);
        }
        ::close(to[0]);
        ::close(from[1]);
        in_ = to[1];
        out_ = from[0];
        check(process_ > 0, "no process: {}", std::strerror(errno));
    }
    ~Child() {
        if (in_ >= 0) ::close(in_);
        ::close(out_);
        if (process_ > 0) ::waitpid(process_, nullptr, 0);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// Sends `text`, then reads until the child ends; its exit status.
    int talk(const std::string& text, std::string& answer) {
        // A child that does not read must not end this process.
        void (*const before)(int) = std::signal(SIGPIPE, SIG_IGN);
        for (std::size_t sent = 0; sent < text.size();) {
            const ssize_t count = ::write(in_, text.data() + sent, text.size() - sent);
            if (count <= 0) break;
            sent += static_cast<std::size_t>(count);
        }
        ::close(std::exchange(in_, -1));
        std::signal(SIGPIPE, before);
        char buffer[4096];
        for (ssize_t count = 0; (count = ::read(out_, buffer, sizeof buffer)) > 0;)
            answer.append(buffer, static_cast<std::size_t>(count));
        int status = 0;
        ::waitpid(std::exchange(process_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

  private:
    int in_ = -1, out_ = -1;
    pid_t process_ = -1;
};

Contender failed(const std::string& reason) {
    return {.name = pytorch_name, .state = Contender::State::failed, .reason = reason};
}

}  // namespace

std::string pytorch_request(const Job& job, const Options& options) {
    Config dims;
    for (const auto& [name, value] : job.dims.values()) dims.set(name, value);
    Config one;
    one.set("operation", job.set->table().operation())
        .set("case", job.name)
        .set("dtype", std::string(to_string(job.dtype)))
        .set("threads", thread_count())
        .set("warmup_s", options.warmup_s)
        .set("measure_s", options.measure_s)
        .set("cold_bytes", static_cast<std::int64_t>(options.warm ? 0 : cold_bytes(Device::cpu())))
        .set("dims", dims);
    return Config(Config::Array{one}).to_json() + "\n";
}

Contender pytorch_answer(const std::string& output) {
    std::istringstream lines(output);
    for (std::string line; std::getline(lines, line);) {
        if (line.empty()) continue;
        try {
            const Config answer = Config::parse(line);
            if (answer.at("index").integer() != 0) continue;
            if (answer.has("unsupported"))
                return {.name = pytorch_name,
                        .state = Contender::State::unsupported,
                        .reason = answer.at("unsupported").string()};
            Contender c{.name = pytorch_name};
            c.timing = Timing{.median = answer.at("median_s").number(), .spread = answer.at("spread_s").number()};
            check(c.timing->median > 0, "\"median_s\": expected a number above 0, got {}", c.timing->median);
            c.timing->fastest = c.timing->median;
            if (answer.has("note")) c.timing->note = answer.at("note").string();
            return c;
        } catch (const Error& error) {
            return failed(fmt::format("its answer \"{}\": {}", line, error.what()));
        }
    }
    return failed("no answer");
}

Contender run_pytorch(const Job& job, const Options& options) {
    std::string answer;
    int status = 0;
    try {
        Child child({"python3", options.pytorch});
        status = child.talk(pytorch_request(job, options), answer);
    } catch (const Error& error) {
        return failed(error.what());
    }
    if (status != 0) return failed(fmt::format("python3 {} ended with {}", options.pytorch, status));
    return pytorch_answer(answer);
}

}  // namespace heddle::bench
