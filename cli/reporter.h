#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "train/callback.h"

namespace heddle::cli {

struct ReporterOptions {
    bool json = false;
    bool quiet = false;
    std::int64_t log_steps = 0;  ///< > 0: a record (or, where the output is no terminal, a line) every so many steps
    std::string folder = {};     ///< not empty: the history is kept in its history.csv
    std::optional<TensorBoardOptions> tensorboard = {};  ///< events in the folder's tensorboard/
    std::string run_record = {};  ///< the text of its run.json, which is written with the first epoch
};

/// The output of `heddle train` during training: a progress bar or JSON lines, and events for TensorBoard. It is a
/// single callback without state, so that a run can be resumed with other options. A loss that is not finite ends
/// training with an `Error`, and no checkpoint is written after it. Reading the loss makes the host wait for a device,
/// so it is looked at there once a second, where it is shown, before each checkpoint and after each epoch.
class Reporter final : public CallbackImpl {
  public:
    explicit Reporter(const ReporterOptions& options);

    void on_train_begin(Training& training) override;
    void on_epoch_begin(Training& training) override;
    void on_batch_begin(Training& training) override;
    void on_batch_end(Training& training) override;
    void on_epoch_end(Training& training, const Result& logs) override;
    void on_train_end(Training& training) override;
    void on_checkpoint(Training& training) override;

    /// Spent in training steps, and what was done in them, without what a checkpoint brought.
    double seconds() const;
    std::int64_t samples() const;
    std::int64_t steps() const { return steps_; }

  private:
    bool due();
    void count_time(const Training& training) { epochs_[training.epoch] = {training.seconds, training.samples_here}; }
    void print_step(Training& training, double loss_sum);

    struct Spent {
        double seconds = 0;
        std::int64_t samples = 0;
    };
    ReporterOptions options_;
    std::vector<Callback> inner_;  // the progress bar, TensorBoard
    std::map<std::int64_t, Spent> epochs_;
    std::int64_t steps_ = 0;
    bool recorded_ = false;
    bool waits_ = false;                                    // to know the loss
    std::chrono::steady_clock::time_point looked_at_ = {};  // the loss
    double rate_ = 0;                                       // of this step
    // Of the epoch, up to the last record: sums over examples.
    double loss_sum_ = 0;
    std::int64_t loss_samples_ = 0;
};

}  // namespace heddle::cli
