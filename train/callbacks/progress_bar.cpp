#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/check.h"
#include "train/callback.h"
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

/// Output that cannot be written (a closed pipe) is no reason to end training.
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

    void on_batch_end(Training& training) override {
        if (terminal_ && options_.bar) {
            const auto now = std::chrono::steady_clock::now();
            if (now - drawn_ < std::chrono::milliseconds(100)) return;
            drawn_ = now;
            put(options_.descriptor, "\r\033[K" + fitted(progress(training)));
        } else if (options_.every_steps > 0 && training.step % options_.every_steps == 0) {
            put(options_.descriptor, progress(training) + "\n");
        }
    }
    void on_epoch_end(Training& training, const Result& logs) override {
        std::string line = fmt::format("epoch {}/{}", training.epoch + 1, training.epochs);
        line += fmt::format("  {}  {:.0f}/s", clock_text(training.seconds), logs.at("samples_per_second"));
        for (const auto& [name, value] : logs)
            if (name != "seconds" && name != "samples_per_second") line += fmt::format("  {} {:.4g}", name, value);
        put(options_.descriptor, (terminal_ && options_.bar ? "\r\033[K" : "") + line + "\n");
    }
    void on_train_end(Training& training) override {
        if (training.history.interrupted)
            put(options_.descriptor,
                fmt::format("{}stopped in epoch {} after step {}\n", terminal_ && options_.bar ? "\r\033[K" : "",
                            training.epoch + 1, training.step));
    }

  private:
    std::string progress(Training& training) const {
        const std::int64_t steps = std::max<std::int64_t>(training.steps_per_epoch, 1);
        std::string line = fmt::format("epoch {}/{}", training.epoch + 1, training.epochs);
        if (terminal_ && options_.bar) {
            constexpr std::int64_t width = 24;
            const auto full = static_cast<std::size_t>(width * training.step / steps);
            line += " [" + std::string(full, '=') + std::string(width - full, ' ') + "]";
        }
        line += fmt::format(" {}/{}", training.step, steps);
        if (training.seconds > 0 && training.samples_here > 0) {
            const double rate = static_cast<double>(training.samples_here) / training.seconds;
            const auto left = static_cast<double>(training.samples_per_epoch - training.samples);
            line += fmt::format("  {} left  {:.0f}/s", clock_text(std::max(left, 0.0) / rate), rate);
        }
        for (const auto& [name, value] : training.running()) line += fmt::format("  {} {:.4g}", name, value);
        return line + fmt::format("  learning_rate {:.3g}", training.model.optimizer().learning_rate());
    }

    /// A line longer than the terminal is wide could not be drawn over.
    std::string fitted(std::string line) const {
        winsize size{};
        if (ioctl(options_.descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && line.size() >= size.ws_col)
            line.resize(size.ws_col - 1u);
        return line;
    }

    ProgressBarOptions options_;
    bool terminal_;
    std::chrono::steady_clock::time_point drawn_{};
};

}  // namespace

ProgressBar::ProgressBar(const ProgressBarOptions& options) : Callback(std::make_shared<ProgressBarImpl>(options)) {}

}  // namespace heddle
