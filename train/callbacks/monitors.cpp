#include <algorithm>
#include <utility>

#include "train/callback.h"
#include "train/detail/folder.h"
#include "train/detail/monitor.h"
#include "train/detail/state.h"
#include "train/model.h"

namespace heddle {
namespace {

class ModelCheckpointImpl final : public CallbackImpl {
  public:
    ModelCheckpointImpl(std::string path, const ModelCheckpointOptions& options)
        : path_(std::move(path)), options_(options), best_(options.monitor, options.mode, 0) {}

    void on_train_begin(Training& training) override {
        if (options_.save_best_only) best_.require("ModelCheckpoint", training);
        detail::make_folder_of(path_of(training));
    }
    void on_epoch_end(Training& training, const Result& logs) override {
        if (options_.save_best_only && !best_.improves("ModelCheckpoint", logs)) return;
        const std::string path = path_of(training);
        detail::make_folder_of(path);
        if (options_.save_weights_only)
            training.model.save_weights(path);
        else
            training.model.save(path);
    }
    NamedTensors state() const override { return {{"best", state_of(best_.value())}}; }
    void set_state(const NamedTensors& state) override { best_.set_value(number_in(state, "best")); }

  private:
    std::string path_of(const Training& training) const {
        std::string path = path_;
        if (const std::size_t place = path.find("{epoch}"); place != std::string::npos)
            path.replace(place, 7, fmt::format("{}", training.epoch + 1));
        return path;
    }

    std::string path_;
    ModelCheckpointOptions options_;
    Best best_;
};

class EarlyStoppingImpl final : public CallbackImpl {
  public:
    explicit EarlyStoppingImpl(const EarlyStoppingOptions& options)
        : options_(options), best_(options.monitor, options.mode, options.min_delta) {}

    void on_train_begin(Training& training) override {
        best_.require("EarlyStopping", training);
        if (std::exchange(resumed_, false)) return;
        best_.reset();
        wait_ = 0;
        weights_.clear();
    }
    void on_epoch_end(Training& training, const Result& logs) override {
        if (training.epoch < options_.start_from_epoch) return;
        if (best_.improves("EarlyStopping", logs)) {
            wait_ = 0;
            if (options_.restore_best_weights) {
                weights_ = detail::all_tensors(training.model);
                for (auto& [name, tensor] : weights_) tensor = tensor.detach().clone();
            }
            return;
        }
        if (++wait_ >= std::max<std::int64_t>(options_.patience, 1)) training.stop = true;
    }
    void on_train_end(Training& training) override {
        if (weights_.empty()) return;
        const NamedTensors targets = detail::all_tensors(training.model);
        const NamedTensors best = detail::in_order_of(targets, weights_);
        for (std::size_t i = 0; i < targets.size(); ++i) targets[i].second.copy_(best[i].second);
    }
    NamedTensors state() const override {
        NamedTensors all{{"best", state_of(best_.value())}, {"wait", state_of(static_cast<double>(wait_))}};
        for (const auto& [name, tensor] : weights_) all.emplace_back("weights." + name, tensor);
        return all;
    }
    void set_state(const NamedTensors& state) override {
        best_.set_value(number_in(state, "best"));
        wait_ = static_cast<std::int64_t>(number_in(state, "wait"));
        weights_.clear();
        for (const auto& [name, tensor] : state)
            if (name.starts_with("weights.")) weights_.emplace_back(name.substr(8), tensor.clone());
        resumed_ = true;
    }

  private:
    EarlyStoppingOptions options_;
    Best best_;
    std::int64_t wait_ = 0;
    NamedTensors weights_;
    bool resumed_ = false;
};

class ReduceLROnPlateauImpl final : public CallbackImpl {
  public:
    explicit ReduceLROnPlateauImpl(const ReduceLROnPlateauOptions& options)
        : options_(options), best_(options.monitor, options.mode, options.min_delta) {
        check(options.factor > 0 && options.factor < 1, "ReduceLROnPlateau: factor must be in (0, 1), got {}",
              options.factor);
    }

    void on_train_begin(Training& training) override {
        best_.require("ReduceLROnPlateau", training);
        const Optimizer& optimizer = training.model.optimizer();
        try {
            optimizer.set_learning_rate(optimizer.learning_rate());
        } catch (const Error& error) {
            fail(fmt::format("ReduceLROnPlateau: {}", error.what()));
        }
        if (std::exchange(resumed_, false)) return;
        best_.reset();
        wait_ = cooldown_ = 0;
    }
    void on_epoch_end(Training& training, const Result& logs) override {
        if (cooldown_ > 0) {
            --cooldown_;
            wait_ = 0;
        }
        if (best_.improves("ReduceLROnPlateau", logs)) {
            wait_ = 0;
        } else if (cooldown_ == 0 && ++wait_ >= options_.patience) {
            const Optimizer& optimizer = training.model.optimizer();
            if (const double rate = optimizer.learning_rate(); rate > options_.min_lr) {
                optimizer.set_learning_rate(std::max(rate * options_.factor, options_.min_lr));
                cooldown_ = options_.cooldown;
                wait_ = 0;
            }
        }
    }
    NamedTensors state() const override {
        return {{"best", state_of(best_.value())},
                {"wait", state_of(static_cast<double>(wait_))},
                {"cooldown", state_of(static_cast<double>(cooldown_))}};
    }
    void set_state(const NamedTensors& state) override {
        best_.set_value(number_in(state, "best"));
        wait_ = static_cast<std::int64_t>(number_in(state, "wait"));
        cooldown_ = static_cast<std::int64_t>(number_in(state, "cooldown"));
        resumed_ = true;
    }

  private:
    ReduceLROnPlateauOptions options_;
    Best best_;
    std::int64_t wait_ = 0, cooldown_ = 0;
    bool resumed_ = false;
};

class TerminateOnNaNImpl final : public CallbackImpl {
  public:
    void on_batch_end(Training& training) override {
        // A single loss that is not finite makes the running mean not finite.
        if (!std::isfinite(training.running().at("loss"))) training.stop = true;
    }
};

}  // namespace

ModelCheckpoint::ModelCheckpoint(const std::string& path, const ModelCheckpointOptions& options)
    : Callback(std::make_shared<ModelCheckpointImpl>(path, options)) {}

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& options)
    : Callback(std::make_shared<EarlyStoppingImpl>(options)) {}

ReduceLROnPlateau::ReduceLROnPlateau(const ReduceLROnPlateauOptions& options)
    : Callback(std::make_shared<ReduceLROnPlateauImpl>(options)) {}

TerminateOnNaN::TerminateOnNaN() : Callback(std::make_shared<TerminateOnNaNImpl>()) {}

}  // namespace heddle
