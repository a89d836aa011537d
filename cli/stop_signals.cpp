#include "cli/stop_signals.h"

#include <csignal>

#include "train/interrupt.h"

namespace heddle::cli {
namespace {

volatile std::sig_atomic_t caught_signal = 0;

void on_signal(int number) {
    caught_signal = number;
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    request_stop();
}

void install(int number) {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;  // a write to the terminal or to a file goes on
    sigaction(number, &action, nullptr);
}

}  // namespace

StopSignals::StopSignals() {
    install(SIGINT);
    install(SIGTERM);
}

StopSignals::~StopSignals() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
}

int StopSignals::caught() { return caught_signal; }

}  // namespace heddle::cli
