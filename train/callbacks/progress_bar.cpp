#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/allocator.h"
#include "core/check.h"
#include "train/callback.h"
#include "train/detail/state.h"
#include "train/model.h"

namespace heddle {
namespace {

/// "0:07", "12:34", "1:02:03".
std::string clock_text(double seconds) {
    const auto whole = static_cast<std::int64_t>(seconds + 0.5);
    const std::int64_t hours = whole / 3600, minutes = whole / 60 % 60;
    if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
    return fmt::format("{}:{:02}", minutes, whole % 60);
}

/// Ignores output that cannot be written (to a closed pipe): that is no reason to end training.
void put(int descriptor, const std::string& text) {
    if (descriptor == STDOUT_FILENO) std::fflush(stdout);  // what the program printed comes first
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t count = ::write(descriptor, text.data() + done, text.size() - done);
        if (count <= 0) return;
        done += static_cast<std::size_t>(count);
    }
}

class ProgressBarImpl final : public CallbackImpl {
  public:
    explicit ProgressBarImpl(const ProgressBarOptions& options)
        : options_(options), terminal_(isatty(options.descriptor) == 1) {}

    void on_train_begin(Training&) override {
        begin_ = std::chrono::steady_clock::now();
        steps_ = 0;
    }
    void on_batch_end(Training& training) override {
        ++steps_;
        if (terminal_ && options_.bar) {
            const auto now = std::chrono::steady_clock::now();
            if (now - drawn_ < std::chrono::milliseconds(100)) return;
            drawn_ = now;
            put(options_.descriptor, "\r\033[K" + drawn(training));
        } else if (options_.every_steps > 0 && training.step % options_.every_steps == 0) {
            put(options_.descriptor, place(training) + " " + steps(training) + numbers(training) + "\n");
        }
    }
    void on_epoch_end(Training& training, const Result& logs) override {
        std::string line = place(training);
        line += fmt::format("  {}  {:.0f}/s", clock_text(training.seconds), logs.at("samples_per_second"));
        for (const auto& [name, value] : logs)
            if (name != "seconds" && name != "samples_per_second") line += fmt::format("  {} {:.4g}", name, value);
        line += memory(training) + time_left(training);
        put(options_.descriptor, (terminal_ && options_.bar ? "\r\033[K" : "") + line + "\n");
    }
    void on_train_end(Training& training) override {
        if (training.history.interrupted)
            put(options_.descriptor,
                fmt::format("{}stopped in epoch {} after step {}\n", terminal_ && options_.bar ? "\r\033[K" : "",
                            training.epoch + 1, training.step));
    }

  private:
    static std::string place(const Training& training) {
        return fmt::format("epoch {}/{}", training.epoch + 1, training.epochs);
    }
    static std::string steps(const Training& training) {
        return fmt::format("{}/{}", training.step, training.steps_per_epoch);
    }
    static std::string memory(const Training& training) {
        const auto bytes = static_cast<double>(allocator(detail::device_of(training.model)).stats().reserved);
        return fmt::format("  memory {:.0f} MB", bytes / 1e6);
    }
    /// Estimated from the pace so far, including validation and whatever else happens between steps.
    std::string time_left(const Training& training) const {
        if (steps_ == 0 || training.steps_left == 0) return {};
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
        return fmt::format(
            "  {} left", clock_text(seconds / static_cast<double>(steps_) * static_cast<double>(training.steps_left)));
    }
    std::string numbers(const Training& training) const {
        std::string line = time_left(training);
        if (training.seconds > 0 && training.samples_here > 0)
            line += fmt::format("  {:.0f}/s", static_cast<double>(training.samples_here) / training.seconds);
        for (const auto& [name, value] : training.running()) line += fmt::format("  {} {:.4g}", name, value);
        return line + fmt::format("  learning_rate {:.3g}", training.model.optimizer().learning_rate()) +
               memory(training);
    }

    /// At most one line of the terminal, since a longer one could not be redrawn. The bar gets the room that the
    /// numbers leave.
    std::string drawn(const Training& training) const {
        winsize size{};
        const bool known = ioctl(options_.descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
        const std::string before = place(training) + " ", after = steps(training) + numbers(training);
        std::size_t width = 24;
        const std::size_t room = known ? size.ws_col - 1u : before.size() + after.size() + width + 3;
        width = std::min(width, room - std::min(room, before.size() + after.size() + 3));
        width -= width % 6;  // a steady width while numbers gain and lose digits
        std::string line = before;
        if (width >= 5) {
            const auto full = static_cast<std::size_t>(static_cast<std::int64_t>(width) * training.step /
                                                       std::max<std::int64_t>(training.steps_per_epoch, 1));
            line += fmt::format("[{:=<{}}{:<{}}] ", "", full, "", width - full);
        }
        line += after;
        if (line.size() > room) line.resize(room);
        return line;
    }

    ProgressBarOptions options_;
    bool terminal_;
    std::chrono::steady_clock::time_point drawn_{}, begin_{};
    std::int64_t steps_ = 0;  // since then
};

}  // namespace

ProgressBar::ProgressBar(const ProgressBarOptions& options) : Callback(std::make_shared<ProgressBarImpl>(options)) {}

}  // namespace heddle
