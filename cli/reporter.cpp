#include "cli/reporter.h"

#include <cmath>
#include <utility>

#include "cli/output.h"
#include "cli/run_record.h"
#include "core/atomic_file.h"
#include "core/check.h"
#include "train/model.h"

namespace heddle::cli {

namespace {

/// Returns the loss, or throws `Error` that says where training stands.
double finite_loss(const Training& training, double loss) {
    check(std::isfinite(loss), "the loss is not finite in epoch {}, step {}: a smaller --lr may help",
          training.epoch + 1, training.step);
    return loss;
}

}  // namespace

Reporter::Reporter(const ReporterOptions& options) : options_(options) {
    if (!options.json && !options.quiet) inner_.push_back(ProgressBar({.every_steps = options.log_steps}));
    if (options.tensorboard)
        inner_.push_back(TensorBoard(options.folder + "/" + tensorboard_folder, *options.tensorboard));
}

void Reporter::on_train_begin(Training& training) {
    for (const Callback& inner : inner_) inner->on_train_begin(training);
    const NamedTensors parameters = training.model.parameters();
    waits_ = !parameters.empty() && parameters.front().second.device().kind != DeviceKind::cpu;
    looked_at_ = std::chrono::steady_clock::now();
    // After resuming inside an epoch, the examples before the checkpoint count too.
    loss_samples_ = training.samples;
    loss_sum_ = training.samples > 0 ? training.running().at("loss") * static_cast<double>(training.samples) : 0;
}

void Reporter::on_epoch_begin(Training& training) {
    for (const Callback& inner : inner_) inner->on_epoch_begin(training);
    loss_samples_ = 0;
    loss_sum_ = 0;
}

void Reporter::on_batch_begin(Training& training) {
    for (const Callback& inner : inner_) inner->on_batch_begin(training);
    rate_ = training.model.optimizer().learning_rate();
}

bool Reporter::due() {
    if (!waits_) return true;
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_at_ < std::chrono::seconds(1)) return false;
    looked_at_ = now;
    return true;
}

void Reporter::on_batch_end(Training& training) {
    count_time(training);
    ++steps_;
    const std::int64_t step = training.epoch * training.steps_per_epoch + training.step;
    const bool shown = options_.json && options_.log_steps > 0 && step % options_.log_steps == 0;
    const double loss = shown || due() ? finite_loss(training, training.running().at("loss")) : 0;
    for (const Callback& inner : inner_) inner->on_batch_end(training);
    if (shown) print_step(training, loss * static_cast<double>(training.samples));
}

void Reporter::on_checkpoint(Training& training) {
    // The whole epoch's is past when the next one begins, and was looked at.
    if (training.step > 0) finite_loss(training, training.running().at("loss"));
}

void Reporter::print_step(Training& training, double loss_sum) {
    Config record;
    record.set("event", "step")
        .set("epoch", training.epoch + 1)
        .set("step", training.epoch * training.steps_per_epoch + training.step)
        .set("loss", (loss_sum - loss_sum_) / static_cast<double>(training.samples - loss_samples_))
        .set("learning_rate", rate_);
    print_json(record);
    loss_sum_ = loss_sum;
    loss_samples_ = training.samples;
}

void Reporter::on_epoch_end(Training& training, const Result& logs) {
    count_time(training);
    finite_loss(training, logs.at("loss"));
    if (!options_.folder.empty()) {
        History history = training.history;
        history.add(training.epoch, logs);
        write_file_atomically(options_.folder + "/history.csv", history.to_csv());
        if (!std::exchange(recorded_, true))
            write_file_atomically(options_.folder + "/" + run_record_file, options_.run_record + "\n");
    }
    for (const Callback& inner : inner_) inner->on_epoch_end(training, logs);
    if (!options_.json) return;
    Config record;
    record.set("event", "epoch")
        .set("epoch", training.epoch + 1)
        .set("epochs", training.epochs)
        .set("step", training.epoch * training.steps_per_epoch + training.step);
    for (const auto& [name, value] : logs)
        if (std::isfinite(value)) record.set(name == "samples_per_second" ? "images_per_second" : name, value);
    print_json(record);
}

void Reporter::on_train_end(Training& training) {
    if (training.step > 0) count_time(training);  // of an epoch that is not over
    for (const Callback& inner : inner_) inner->on_train_end(training);
}

double Reporter::seconds() const {
    double sum = 0;
    for (const auto& [epoch, spent] : epochs_) sum += spent.seconds;
    return sum;
}

std::int64_t Reporter::samples() const {
    std::int64_t sum = 0;
    for (const auto& [epoch, spent] : epochs_) sum += spent.samples;
    return sum;
}

}  // namespace heddle::cli
