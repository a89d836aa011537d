#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/export.h"
#include "data/dataset.h"
#include "layers/layer.h"
#include "train/history.h"
#include "train/schedule.h"

namespace heddle {

class Model;

/// Where a running `fit` stands, for callbacks.
struct Training {
    const Model& model;
    const History& history;  ///< of the epochs before this one
    std::int64_t epochs = 0;
    std::int64_t steps_per_epoch = 0;
    std::int64_t samples_per_epoch = 0;
    std::int64_t epoch = 0;               ///< the current one, from 0
    std::int64_t step = 0;                ///< steps done in this epoch
    std::int64_t samples = 0;             ///< examples seen in this epoch
    double seconds = 0;                   ///< spent in this epoch's training steps
    std::int64_t samples_here = 0;        ///< examples seen in these seconds: fewer after resuming inside an epoch
    std::int64_t steps_left = 0;          ///< until training ends, unless it is stopped
    std::vector<std::string> names = {};  ///< of the values that `on_epoch_end` gets
    bool failed = false;                  ///< an exception ends training
    bool stop = false;  ///< set it to end training after this epoch (in `on_batch_end`: after this step)

    /// Means over the epoch so far: "loss" and the metrics. Waits for a device to finish the steps that are queued: a
    /// callback that asks for them at every step slows training there.
    std::function<Result()> running = {};
};

/// What happens during `fit`. Every hook does nothing unless overridden.
class HEDDLE_API CallbackImpl {
  public:
    virtual ~CallbackImpl();

    virtual void on_train_begin(Training& training);
    /// Also where an exception ends training (`Training::failed`), if this callback's `on_train_begin` had none. The
    /// first exception reaches the caller of `fit`.
    virtual void on_train_end(Training& training);
    virtual void on_epoch_begin(Training& training);
    /// `logs` is the epoch's row of the history. Also for an epoch that `FitOptions::steps` cuts short, whose
    /// checkpoint has been written before: a resumed run goes on inside the epoch, and ends it again.
    virtual void on_epoch_end(Training& training, const Result& logs);
    virtual void on_batch_begin(Training& training);
    virtual void on_batch_end(Training& training);
    /// Before `fit` writes its checkpoint: an exception from here ends training and leaves the checkpoint there is.
    virtual void on_checkpoint(Training& training);

    /// What a checkpoint must contain so that a resumed run continues as this one would.
    virtual NamedTensors state() const;
    virtual void set_state(const NamedTensors& state);
};

/// A shared handle to a callback.
class HEDDLE_API Callback {
  public:
    Callback() = default;
    explicit Callback(std::shared_ptr<CallbackImpl> impl) : impl_(std::move(impl)) {}

    CallbackImpl* operator->() const { return impl_.get(); }
    explicit operator bool() const { return impl_ != nullptr; }

  protected:
    std::shared_ptr<CallbackImpl> impl_;
};

/// Which value a callback watches, and which way is better.
struct Monitor {
    enum class Mode { automatic, min, max };
    std::string name = "val_loss";
    /// automatic: max where the name has "acc", "auc", "f1", "precision", "recall" or "top_k" in it, else min.
    Mode mode = Mode::automatic;
};

struct ModelCheckpointOptions {
    std::string monitor = "val_loss";
    Monitor::Mode mode = Monitor::Mode::automatic;
    bool save_best_only = false;
    bool save_weights_only = false;
};
/// Saves the model after each epoch to `path`, in which "{epoch}" is replaced by the epoch's number, counted from 1.
/// The folder is made where there is none. As in Keras, the best value stands over several calls of `fit`; the other
/// callbacks that watch a value begin each one anew.
class HEDDLE_API ModelCheckpoint : public Callback {
  public:
    explicit ModelCheckpoint(const std::string& path, const ModelCheckpointOptions& options = {});
};

struct EarlyStoppingOptions {
    std::string monitor = "val_loss";
    Monitor::Mode mode = Monitor::Mode::automatic;
    double min_delta = 0;  ///< less change than this is no improvement
    std::int64_t patience = 0;
    bool restore_best_weights = false;  ///< the best epoch's, also where training ends without stopping early
    std::int64_t start_from_epoch = 0;
};
/// Ends training after `patience` epochs without improvement. Callbacks that watch a value throw `Error` before the
/// first step where the epochs will not have it.
class HEDDLE_API EarlyStopping : public Callback {
  public:
    explicit EarlyStopping(const EarlyStoppingOptions& options = {});
};

/// Sets the learning rate before each epoch from its number and the rate so far.
class HEDDLE_API LearningRateScheduler : public Callback {
  public:
    explicit LearningRateScheduler(std::function<double(std::int64_t epoch, double rate)> schedule);
};

struct ReduceLROnPlateauOptions {
    std::string monitor = "val_loss";
    Monitor::Mode mode = Monitor::Mode::automatic;
    double factor = 0.1;
    std::int64_t patience = 10;
    double min_delta = 1e-4;
    std::int64_t cooldown = 0;  ///< epochs after a reduction that are not counted
    double min_lr = 0;
};
/// Multiplies the learning rate by `factor` after `patience` epochs without improvement. Throws `Error` before the
/// first step where the optimizer's rate cannot be set: it follows a schedule, or each group has its own.
class HEDDLE_API ReduceLROnPlateau : public Callback {
  public:
    explicit ReduceLROnPlateau(const ReduceLROnPlateauOptions& options = {});
};

/// Ends training when a step's loss is not finite, which it reads after every step (see `Training::running`).
class HEDDLE_API TerminateOnNaN : public Callback {
  public:
    TerminateOnNaN();
};

struct WeightAveragingOptions {
    double decay = 0.999;          ///< the fraction kept of the average at each update
    std::int64_t every_steps = 1;  ///< between updates
    std::int64_t start_epoch = 0;  ///< the average begins with the weights that this epoch begins with
};
/// Keeps an exponential moving average of all weights and running statistics, which replaces the model's own at the end
/// of training (Keras' SwapEMAWeights; Polyak and Juditsky 1992). Validation uses the trained weights, not the average.
class HEDDLE_API WeightAveraging : public Callback {
  public:
    explicit WeightAveraging(const WeightAveragingOptions& options = {});
};

struct LookaheadOptions {
    std::int64_t every_steps = 5;
    /// The fraction that the slow weights keep, over steps; training ends with the slow weights.
    Schedule decay = 0.5;
};
/// Every few steps slow weights move towards the trained ones, and training continues from them; running statistics
/// likewise (Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", 2019, arXiv:1907.08610).
class HEDDLE_API Lookahead : public Callback {
  public:
    explicit Lookahead(const LookaheadOptions& options = {});
};

/// Writes the history as CSV after each epoch, atomically.
class HEDDLE_API CSVLogger : public Callback {
  public:
    explicit CSVLogger(const std::string& path);
};

struct JSONLinesOptions {
    bool append = true;
    std::int64_t every_steps = 0;  ///< > 0: also a line every so many steps
};
/// One JSON object per line: {"event": "epoch", "epoch": 1, "loss": ...}. Numbers that are not finite are left out. The
/// last one, "end", says "failed" where an exception ended training.
class HEDDLE_API JSONLines : public Callback {
  public:
    explicit JSONLines(const std::string& path, const JSONLinesOptions& options = {});
};

struct TensorBoardOptions {
    std::int64_t every_steps = 0;  ///< > 0: also the running means and the rate every so many steps, as "batch_..."
    bool histograms = false;       ///< also of every parameter, after each epoch
    Dataset samples = {};          ///< pictures shown after each epoch with what the model says of them; a classifier's
};
/// Event files (train/tensorboard.h): scalars in `log_dir`/train and `log_dir`/validation with the epoch as step,
/// histograms and pictures in the former.
class HEDDLE_API TensorBoard : public Callback {
  public:
    explicit TensorBoard(const std::string& log_dir, const TensorBoardOptions& options = {});
};

struct ProgressBarOptions {
    bool bar = true;               ///< false: one line per epoch
    int descriptor = 1;            ///< the file it writes to
    std::int64_t every_steps = 0;  ///< lines every so many steps where the output is no terminal; 0: one per epoch
};
/// Progress, examples per second, loss, metrics, learning rate, the memory that Heddle holds on the model's device, and
/// the time left for the whole training. One line that is redrawn on a terminal, plain lines elsewhere. `fit` adds it
/// by itself (`verbose`).
class HEDDLE_API ProgressBar : public Callback {
  public:
    explicit ProgressBar(const ProgressBarOptions& options = {});
};

/// Functions in place of a class: those not given do nothing.
struct LambdaCallbackOptions {
    std::function<void(Training&)> on_train_begin = {};
    std::function<void(Training&)> on_train_end = {};
    std::function<void(Training&)> on_epoch_begin = {};
    std::function<void(Training&, const Result&)> on_epoch_end = {};
    std::function<void(Training&)> on_batch_begin = {};
    std::function<void(Training&)> on_batch_end = {};
    std::function<void(Training&)> on_checkpoint = {};
};
class HEDDLE_API LambdaCallback : public Callback {
  public:
    explicit LambdaCallback(LambdaCallbackOptions options);
};

}  // namespace heddle
