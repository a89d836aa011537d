#include <cmath>
#include <fstream>
#include <map>

#include "core/atomic_file.h"
#include "core/check.h"
#include "train/callback.h"
#include "train/classification.h"
#include "train/detail/folder.h"
#include "train/model.h"
#include "train/tensorboard.h"

namespace heddle {
namespace {

class CSVLoggerImpl final : public CallbackImpl {
  public:
    explicit CSVLoggerImpl(std::string path) : path_(std::move(path)) {}
    void on_train_begin(Training&) override { detail::make_folder_of(path_); }
    void on_epoch_end(Training& training, const Result& logs) override {
        History history = training.history;
        history.add(training.epoch, logs);
        write_file_atomically(path_, history.to_csv());
    }

  private:
    std::string path_;
};

class JSONLinesImpl final : public CallbackImpl {
  public:
    JSONLinesImpl(std::string path, const JSONLinesOptions& options) : path_(std::move(path)), options_(options) {}

    void on_train_begin(Training& training) override {
        detail::make_folder_of(path_);
        file_ = std::ofstream(path_, options_.append ? std::ios::app : std::ios::trunc);
        check(file_.good(), "cannot write {}", path_);
        Config line;
        line.set("event", "begin").set("epochs", training.epochs).set("steps_per_epoch", training.steps_per_epoch);
        write(line);
    }
    void on_batch_end(Training& training) override {
        if (options_.every_steps <= 0 || training.step % options_.every_steps != 0) return;
        Config line;
        line.set("event", "step").set("epoch", training.epoch + 1).set("step", training.step);
        Result values = training.running();
        values.set("learning_rate", training.model.optimizer().learning_rate());
        write(line, values);
    }
    void on_epoch_end(Training& training, const Result& logs) override {
        Config line;
        line.set("event", "epoch").set("epoch", training.epoch + 1);
        write(line, logs);
    }
    void on_train_end(Training& training) override {
        Config line;
        line.set("event", "end").set("interrupted", training.history.interrupted);
        if (training.failed) line.set("failed", true);
        write(line);
        file_.close();
    }

  private:
    void write(Config& line, const Result& values = {}) {
        for (const auto& [name, value] : values)
            if (std::isfinite(value)) line.set(name, value);
        file_ << line.to_json() << std::endl;
        check(file_.good(), "cannot write {}", path_);
    }

    std::string path_;
    JSONLinesOptions options_;
    std::ofstream file_;
};

class TensorBoardImpl final : public CallbackImpl {
  public:
    TensorBoardImpl(std::string folder, const TensorBoardOptions& options)
        : folder_(std::move(folder)), options_(options) {}

    void on_batch_begin(Training& training) override { rate_ = training.model.optimizer().learning_rate(); }
    void on_batch_end(Training& training) override {
        if (options_.every_steps <= 0) return;
        const std::int64_t step = training.epoch * training.steps_per_epoch + training.step;
        if (step % options_.every_steps != 0) return;
        for (const auto& [name, value] : training.running()) writer("train").scalar("batch_" + name, value, step);
        writer("train").scalar("batch_learning_rate", rate_, step);
    }
    void on_epoch_end(Training& training, const Result& logs) override {
        for (const auto& [name, value] : logs) {
            const bool validation = name.starts_with("val_");
            writer(validation ? "validation" : "train")
                .scalar("epoch_" + (validation ? name.substr(4) : name), value, training.epoch);
        }
        if (options_.histograms)
            for (const auto& [name, parameter] : training.model.parameters())
                writer("train").histogram(name, parameter.to_vector<float>(), training.epoch);
        if (options_.samples.defined()) writer("train").image("samples", draw_samples(training.model), training.epoch);
        for (auto& [name, file] : writers_) file->flush();
    }
    void on_train_end(Training&) override { writers_.clear(); }

  private:
    EventWriter& writer(const std::string& name) {
        auto& file = writers_[name];
        if (!file) file = std::make_unique<EventWriter>(folder_ + "/" + name);
        return *file;
    }

    Picture draw_samples(const Model& model) const {
        const Batch batch = options_.samples.without_augmentation().batch(0, options_.samples.size());
        const ClassificationLog log;
        log.update(model.predict(batch.inputs), batch.target);
        return draw_classified(options_.samples, log.examples());
    }

    std::string folder_;
    TensorBoardOptions options_;
    double rate_ = 0;  // of this step
    std::map<std::string, std::unique_ptr<EventWriter>> writers_;
};

}  // namespace

CSVLogger::CSVLogger(const std::string& path) : Callback(std::make_shared<CSVLoggerImpl>(path)) {}

JSONLines::JSONLines(const std::string& path, const JSONLinesOptions& options)
    : Callback(std::make_shared<JSONLinesImpl>(path, options)) {}

TensorBoard::TensorBoard(const std::string& log_dir, const TensorBoardOptions& options)
    : Callback(std::make_shared<TensorBoardImpl>(log_dir, options)) {}

}  // namespace heddle
