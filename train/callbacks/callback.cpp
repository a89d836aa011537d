#include "train/callback.h"

#include "train/model.h"

namespace heddle {

CallbackImpl::~CallbackImpl() = default;
void CallbackImpl::on_train_begin(Training&) {}
void CallbackImpl::on_train_end(Training&) {}
void CallbackImpl::on_epoch_begin(Training&) {}
void CallbackImpl::on_epoch_end(Training&, const Result&) {}
void CallbackImpl::on_batch_begin(Training&) {}
void CallbackImpl::on_batch_end(Training&) {}
void CallbackImpl::on_checkpoint(Training&) {}
NamedTensors CallbackImpl::state() const { return {}; }
void CallbackImpl::set_state(const NamedTensors&) {}

namespace {

class LambdaImpl final : public CallbackImpl {
  public:
    explicit LambdaImpl(LambdaCallbackOptions options) : functions_(std::move(options)) {}
    void on_train_begin(Training& t) override { call(functions_.on_train_begin, t); }
    void on_train_end(Training& t) override { call(functions_.on_train_end, t); }
    void on_epoch_begin(Training& t) override { call(functions_.on_epoch_begin, t); }
    void on_epoch_end(Training& t, const Result& logs) override {
        if (functions_.on_epoch_end) functions_.on_epoch_end(t, logs);
    }
    void on_batch_begin(Training& t) override { call(functions_.on_batch_begin, t); }
    void on_batch_end(Training& t) override { call(functions_.on_batch_end, t); }
    void on_checkpoint(Training& t) override { call(functions_.on_checkpoint, t); }

  private:
    static void call(const std::function<void(Training&)>& function, Training& training) {
        if (function) function(training);
    }
    LambdaCallbackOptions functions_;
};

class LearningRateSchedulerImpl final : public CallbackImpl {
  public:
    explicit LearningRateSchedulerImpl(std::function<double(std::int64_t, double)> schedule)
        : schedule_(std::move(schedule)) {}
    void on_epoch_begin(Training& training) override {
        const Optimizer& optimizer = training.model.optimizer();
        optimizer.set_learning_rate(schedule_(training.epoch, optimizer.learning_rate()));
    }

  private:
    std::function<double(std::int64_t, double)> schedule_;
};

}  // namespace

LambdaCallback::LambdaCallback(LambdaCallbackOptions options)
    : Callback(std::make_shared<LambdaImpl>(std::move(options))) {}

LearningRateScheduler::LearningRateScheduler(std::function<double(std::int64_t, double)> schedule)
    : Callback(std::make_shared<LearningRateSchedulerImpl>(std::move(schedule))) {}

}  // namespace heddle
