#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <filesystem>

#include "core/check.h"
#include "core/random.h"
#include "core/stream.h"
#include "train/checkpoint.h"
#include "train/detail/evaluation.h"
#include "train/detail/state.h"
#include "train/detail/step.h"
#include "train/interrupt.h"

namespace heddle {

using detail::GatheredMean;

namespace {

/// "{0: 1, 1: 5}".
std::string text_of(const ClassWeight& weights) {
    std::vector<std::string> parts;
    for (const auto& [label, weight] : weights) parts.push_back(fmt::format("{}: {}", label, weight));
    return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

}  // namespace

/// One call of `fit`.
class Fitting {
  public:
    Fitting(const Model& model, const Dataset& data, const FitOptions& options)
        : model_(model), options_(options), callbacks_(options.callbacks) {
        check_options();
        split(data);
        model.build(train_.input_shapes());
        take_descriptions();
        parameters_ = detail::unique_parameters(model);
        detail::check_trainable(parameters_, "fit");
        if (options.verbose > 0) callbacks_.push_back(ProgressBar({.bar = options.verbose == 1}));
    }

    History run();

  private:
    enum class End { complete, interrupted, limit, callback };

    void check_options() const;
    void split(const Dataset& data);
    void take_descriptions() const;
    void begin();
    void resume(const Checkpoint& checkpoint);
    void write_checkpoint();
    void fit_epoch();
    End run_steps();
    std::int64_t run_step();
    std::vector<std::string> row_names() const;
    Result row();
    void finish_row();
    std::int64_t steps_left() const;
    std::int64_t step_samples() const { return options_.batch_size * options_.gradient_accumulation_steps; }
    bool limit_reached() const { return options_.steps > 0 && total_steps_ >= options_.steps; }

    const Model& model_;
    const FitOptions& options_;
    std::vector<Callback> callbacks_;  // the user's first, which checkpoints keep
    Dataset train_, validation_;
    NamedTensors parameters_;
    std::uint64_t seed_ = 0;
    std::int64_t total_steps_ = 0;
    GatheredMean loss_;
    std::optional<detail::BatchSource> source_;
    std::optional<detail::TrainSteps> steps_;
    std::optional<detail::Evaluation> evaluation_;
    double rate_ = 0;
    bool done_ = false;
    History history_;
    Training training_{.model = model_, .history = history_};
};

void Fitting::check_options() const {
    const FitOptions& o = options_;
    check(o.epochs >= 0, "fit: epochs must not be negative, got {}", o.epochs);
    check(o.batch_size > 0, "fit: batch_size must be positive, got {}", o.batch_size);
    check(o.gradient_accumulation_steps > 0, "fit: gradient_accumulation_steps must be positive, got {}",
          o.gradient_accumulation_steps);
    check(o.steps >= 0, "fit: steps must not be negative, got {}", o.steps);
    check(o.initial_epoch >= 0, "fit: initial_epoch must not be negative, got {}", o.initial_epoch);
    check(o.verbose >= 0 && o.verbose <= 2, "fit: verbose must be 0, 1 or 2, got {}", o.verbose);
    check(o.validation_split >= 0 && o.validation_split < 1, "fit: validation_split must be in [0, 1), got {}",
          o.validation_split);
    check(o.validation_split == 0 || !o.validation_data.dataset().defined(),
          "fit: validation_data and validation_split exclude each other");
    check(!o.resume || !o.checkpoint_dir.empty(), "fit: resume needs checkpoint_dir");
    check(o.checkpoint_steps == 0 || !o.checkpoint_dir.empty(), "fit: checkpoint_steps needs checkpoint_dir");
    for (const Callback& callback : o.callbacks) check(static_cast<bool>(callback), "fit: a callback is undefined");
}

void Fitting::split(const Dataset& data) {
    check(data.defined() && data.size() > 0, "fit: the data set is empty");
    const Dataset all = options_.sample_weight.defined() ? data.with_sample_weight(options_.sample_weight) : data;
    train_ = all;
    validation_ = options_.validation_data.dataset();
    if (options_.validation_split > 0) {
        const auto kept =
            static_cast<std::int64_t>(std::floor(static_cast<double>(data.size()) * (1 - options_.validation_split)));
        check(kept > 0 && kept < data.size(), "fit: validation_split {} of {} examples leaves one part empty",
              options_.validation_split, data.size());
        train_ = all.slice(0, kept);
        validation_ = all.slice(kept, all.size());
    }
    if (validation_.defined()) {
        check(validation_.size() > 0, "fit: the validation data is empty");
        validation_ = validation_.without_augmentation();
    }
}

void Fitting::take_descriptions() const {
    if (std::vector<std::string> names = train_.class_names(); !names.empty()) model_.set_class_names(names);
    if (const auto preprocessing = train_.preprocessing()) model_.set_preprocessing(preprocessing);
}

void Fitting::begin() {
    training_.epochs = options_.epochs;
    training_.epoch = options_.initial_epoch;
    training_.running = [this] { return detail::gathered(model_, loss_); };
    loss_.reset();
    for (const Metric& metric : model_.metrics()) metric.reset();

    const std::string path = options_.checkpoint_dir.empty() ? "" : checkpoint_path(options_.checkpoint_dir);
    if (!path.empty()) {
        std::error_code error;
        std::filesystem::create_directories(options_.checkpoint_dir, error);
        check(!error, "fit: cannot create the folder {}: {}", options_.checkpoint_dir, error.message());
    }
    if (options_.resume && std::filesystem::exists(path)) {
        try {
            resume(Checkpoint::load(path));
        } catch (const Error& error) {
            fail(fmt::format("fit: cannot resume from {}: {}", path, error.what()));
        }
    } else {
        seed_ = options_.seed ? *options_.seed : default_generator().bits();
    }

    LoaderOptions batches{
        .batch_size = options_.batch_size, .shuffle = options_.shuffle, .seed = seed_, .prefetch = options_.prefetch};
    source_.emplace(train_, batches, detail::device_of(model_), compute_dtype(detail::precision_of(model_)),
                    options_.resident_bytes);
    history_.resident = source_->resident();
    steps_.emplace(model_, parameters_, loss_, options_.capture, options_.class_weight);
    if (validation_.defined()) {
        batches.shuffle = false;
        evaluation_.emplace(
            model_, validation_, batches,
            detail::EvaluationPlan{.capture = options_.capture, .resident_bytes = options_.resident_bytes});
    }
    training_.steps_per_epoch = (train_.size() + step_samples() - 1) / step_samples();
    training_.samples_per_epoch = train_.size();
    training_.names = row_names();
}

void Fitting::resume(const Checkpoint& c) {
    check(c.samples == train_.size(), "it was made with {} examples, now there are {}", c.samples, train_.size());
    check(c.batch_size == options_.batch_size, "it was made with batch_size {}, now it is {}", c.batch_size,
          options_.batch_size);
    check(c.gradient_accumulation_steps == options_.gradient_accumulation_steps,
          "it was made with gradient_accumulation_steps {}, now it is {}", c.gradient_accumulation_steps,
          options_.gradient_accumulation_steps);
    check(c.shuffle == options_.shuffle, "it was made {} shuffling", c.shuffle ? "with" : "without");
    check(!c.class_weight || *c.class_weight == options_.class_weight, "it was made with class_weight {}, now it is {}",
          text_of(c.class_weight.value_or(ClassWeight())), text_of(options_.class_weight));
    check(!options_.seed || c.seed == *options_.seed, "it was made with seed {}, now it is {}", c.seed,
          options_.seed.value_or(0));
    check(c.metrics.size() == model_.metrics().size(), "it was made with {} metrics, now there are {}",
          c.metrics.size(), model_.metrics().size());
    check(c.callbacks.size() == options_.callbacks.size(), "it was made with {} callbacks, now there are {}",
          c.callbacks.size(), options_.callbacks.size());
    c.restore(model_);
    for (std::size_t i = 0; i < c.callbacks.size(); ++i) callbacks_[i]->set_state(c.callbacks[i]);
    for (std::size_t i = 0; i < c.metrics.size(); ++i) model_.metrics()[i].set_state(c.metrics[i]);
    loss_.set_state(c.loss);
    seed_ = c.seed;
    total_steps_ = c.total_steps;
    history_ = c.history;
    done_ = history_.stopped_early;
    default_generator().set(c.generator_seed, c.generator_offset);
    training_.epoch = c.epoch;
    training_.step = c.step;
    training_.samples = std::min(c.step * step_samples(), c.samples);
}

void Fitting::write_checkpoint() {
    if (options_.checkpoint_dir.empty()) return;
    for (const Callback& callback : callbacks_) callback->on_checkpoint(training_);
    Checkpoint c;
    c.epoch = training_.epoch;
    c.step = training_.step;
    c.total_steps = total_steps_;
    c.seed = seed_;
    c.batch_size = options_.batch_size;
    c.gradient_accumulation_steps = options_.gradient_accumulation_steps;
    c.shuffle = options_.shuffle;
    c.samples = train_.size();
    c.class_weight = options_.class_weight;
    c.generator_seed = default_generator().seed();
    c.generator_offset = default_generator().offset();
    c.history = history_;
    c.optimizer_class = model_.optimizer().class_name();
    c.model = parameters_;
    for (const auto& buffer : model_.buffers()) c.model.push_back(buffer);
    c.optimizer = model_.optimizer().state();
    c.loss = loss_.state();
    for (const Metric& metric : model_.metrics()) c.metrics.push_back(metric.state());
    for (std::size_t i = 0; i < options_.callbacks.size(); ++i) c.callbacks.push_back(callbacks_[i]->state());
    c.save(checkpoint_path(options_.checkpoint_dir));
}

std::int64_t Fitting::steps_left() const {
    const std::int64_t left = (options_.epochs - training_.epoch) * training_.steps_per_epoch - training_.step;
    return std::max<std::int64_t>(options_.steps > 0 ? std::min(left, options_.steps - total_steps_) : left, 0);
}

/// Of the values in `row`.
std::vector<std::string> Fitting::row_names() const {
    std::vector<std::string> names{"loss"};
    for (const Metric& metric : model_.metrics()) names.push_back(metric.name());
    const std::size_t own = names.size();
    for (std::size_t i = 0; evaluation_ && i < own; ++i) names.push_back("val_" + names[i]);
    names.insert(names.end(), {"learning_rate", "seconds", "samples_per_second"});
    return names;
}

/// The epoch's row of the history, with validation where there is any.
Result Fitting::row() {
    Result result = detail::gathered(model_, loss_);
    if (evaluation_) {
        for (const auto& [name, value] : evaluation_->run()) result.set("val_" + name, value);
        history_.replayed_evaluations = evaluation_->replayed();
    }
    result.set("learning_rate", rate_);
    result.set("seconds", training_.seconds);
    result.set("samples_per_second",
               training_.seconds > 0 ? static_cast<double>(training_.samples_here) / training_.seconds : 0);
    return result;
}

/// The next batches and one step of the optimizer; returns their examples.
std::int64_t Fitting::run_step() {
    const std::int64_t samples = std::min(step_samples(), train_.size() - training_.step * step_samples());
    for (std::int64_t done = 0; done < samples;) {
        detail::StepBatch batch;
        check(source_->next(batch), "fit: the data ended after {} of {} steps", training_.step,
              training_.steps_per_epoch);
        done += batch.samples;
        steps_->run(batch, {.share = static_cast<double>(batch.samples) / static_cast<double>(samples),
                            .last = done >= samples});
    }
    return samples;
}

/// Steps to the end of the epoch, if nothing ends them before.
Fitting::End Fitting::run_steps() {
    auto before = std::chrono::steady_clock::now();
    const auto count_time = [&] {
        const auto now = std::chrono::steady_clock::now();
        training_.seconds += std::chrono::duration<double>(now - before).count();
        before = now;
    };
    source_->start(static_cast<std::uint64_t>(training_.epoch), training_.step * options_.gradient_accumulation_steps);
    End end = End::complete;
    while (end == End::complete && training_.step < training_.steps_per_epoch) {
        for (const Callback& callback : callbacks_) callback->on_batch_begin(training_);
        rate_ = model_.optimizer().learning_rate();
        const std::int64_t samples = run_step();
        if (training_.step == 0)
            check(
                detail::unique_parameters(model_).size() == parameters_.size(),
                "fit: a layer made parameters in its first call, too late to be trained: make them in build(), or call "
                "the model once before");
        ++training_.step;
        ++total_steps_;
        training_.samples += samples;
        training_.samples_here += samples;
        training_.steps_left = steps_left();
        count_time();
        for (const Callback& callback : callbacks_) callback->on_batch_end(training_);
        history_.replayed_steps = steps_->replayed();
        if (training_.stop)
            end = End::callback;
        else if (training_.step == training_.steps_per_epoch)
            break;
        else if (stop_requested())
            end = End::interrupted;
        else if (limit_reached())
            end = End::limit;
        else if (options_.checkpoint_steps > 0 && total_steps_ % options_.checkpoint_steps == 0)
            write_checkpoint();
    }
    // The time of the steps, however many they were, includes the work that is still queued on the device.
    scheduler(detail::device_of(model_)).synchronize();
    count_time();
    return end;
}

void Fitting::finish_row() {
    const Result logs = row();
    for (const Callback& callback : callbacks_) callback->on_epoch_end(training_, logs);
    history_.add(training_.epoch, logs);
}

void Fitting::fit_epoch() {
    training_.seconds = 0;
    training_.samples_here = 0;
    if (training_.step == 0) {
        training_.samples = 0;
        loss_.reset();
        for (const Metric& metric : model_.metrics()) metric.reset();
        for (const Callback& callback : callbacks_) callback->on_epoch_begin(training_);
    }
    const End end = run_steps();
    if (end == End::interrupted || end == End::limit) {
        // The epoch is not over: the checkpoint is taken inside it, before validation touches the metrics and callbacks
        // see an end that a resumed run has elsewhere.
        write_checkpoint();
        if (end == End::limit) finish_row();
        history_.interrupted = end == End::interrupted;
        done_ = true;
        return;
    }
    finish_row();
    history_.stopped_early = training_.stop;
    ++training_.epoch;
    training_.step = 0;
    // A run that was ended inside an epoch (its loss is not finite, say) keeps the checkpoint it had.
    if (end == End::complete) write_checkpoint();
    if (!training_.stop && stop_requested() && training_.epoch < options_.epochs) history_.interrupted = true;
    done_ = training_.stop || history_.interrupted || limit_reached();
}

/// Every callback that has begun is ended, whatever the others and training throw.
History Fitting::run() {
    begin();
    training_.steps_left = steps_left();
    std::exception_ptr failure;
    const auto attempt = [&](const auto& body) {
        try {
            body();
        } catch (...) {
            training_.failed = true;
            if (!failure) failure = std::current_exception();
        }
    };
    std::size_t begun = 0;
    attempt([&] {
        for (; begun < callbacks_.size(); ++begun) callbacks_[begun]->on_train_begin(training_);
        while (!done_ && training_.epoch < options_.epochs && !limit_reached()) fit_epoch();
    });
    for (std::size_t i = 0; i < begun; ++i) attempt([&] { callbacks_[i]->on_train_end(training_); });
    if (failure) std::rethrow_exception(failure);
    return history_;
}

History Model::fit(const Dataset& data, const FitOptions& options) const {
    detail::check_compiled(*this, "fit: ");
    return Fitting(*this, data, options).run();
}

History Model::fit(const Tensor& x, const Tensor& y, const FitOptions& options) const {
    return fit(TensorDataset(x, y), options);
}

History Model::fit(const std::vector<Tensor>& inputs, const Tensor& y, const FitOptions& options) const {
    return fit(TensorDataset(inputs, y), options);
}

}  // namespace heddle
