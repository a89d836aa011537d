#include "train/metric.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "ops/autograd/grad_mode.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/mask.h"
#include "ops/reduce.h"
#include "train/classification.h"
#include "train/detail/binary_metrics.h"
#include "train/detail/gathered_mean.h"
#include "train/detail/metric_inputs.h"
#include "train/detail/metric_settings.h"

namespace heddle {
namespace {

using detail::counted_of;
using detail::fail_shapes;
using detail::floats;
using detail::on_cpu;

/// A sum and a count; `result` is their quotient.
class MeanMetric : public MetricImpl {
  public:
    void reset() override { gathered_.reset(); }
    double result() const override { return gathered_.mean(); }
    bool on_device() const override { return true; }
    std::vector<double> state() const override { return gathered_.state(); }
    void set_state(const std::vector<double>& state) override { gathered_.set_state(state); }

  protected:
    detail::GatheredMean gathered_;
};

/// Integer labels of [..., classes] predictions as [rows]; a target of the predictions' shape gives its largest class.
Tensor class_labels(const char* metric, const Tensor& prediction, const Tensor& target) {
    if (prediction.rank() < 1) fail_shapes(metric, prediction, target);
    const std::int64_t classes = prediction.shape().back();
    const std::int64_t rows = prediction.shape().elements(0, prediction.rank() - 1);
    if (!on_cpu(target)) {
        if (target.shape() == prediction.shape() && classes > 1) return ops::argmax(target).reshape(Shape{rows});
        if (target.elements() != rows || is_floating(target.dtype())) fail_shapes(metric, prediction, target);
        return target.to(DType::i64).reshape(Shape{rows});
    }
    if (target.shape() == prediction.shape() && classes > 1) {
        const Tensor distribution = floats(target);
        const float* values = distribution.data<float>();
        std::vector<std::int64_t> labels(static_cast<std::size_t>(rows));
        for (std::int64_t row = 0; row < rows; ++row, values += classes)
            labels[static_cast<std::size_t>(row)] = std::max_element(values, values + classes) - values;
        return Tensor::from(labels, Shape{rows});
    }
    if (target.elements() != rows || is_floating(target.dtype())) fail_shapes(metric, prediction, target);
    return target.to(Device::cpu()).to(DType::i64);
}

/// Of each on the host; null: 1 everywhere.
const float* on_host(const Tensor& counted) { return counted.defined() ? counted.data<float>() : nullptr; }

/// Adds what holds for the rows or elements, each as often as it counts, [count] on a device.
void add_counted(detail::GatheredMean& gathered, const Tensor& values, const Tensor& counted) {
    if (!counted.defined()) return gathered.add_total(values.sum(), static_cast<double>(values.elements()));
    gathered.add_total((values * counted).sum(), counted.sum());
}

class CategoricalAccuracyImpl final : public MeanMetric {
  public:
    CategoricalAccuracyImpl(const char* name, std::optional<std::int64_t> ignored) : name_(name), ignored_(ignored) {}
    void update(const Tensor& prediction, const Tensor& target) override {
        const NoGrad no_grad;
        const Tensor labels = class_labels(name_, prediction, target);
        Tensor counted = counted_of(prediction, labels.elements());
        if (!on_cpu(labels)) {
            const Tensor right = ops::equal(ops::argmax(prediction).reshape(labels.shape()), labels).to(DType::f32);
            if (ignored_) {
                const Tensor others =
                    ops::binary(ops::BinaryOp::not_equal, labels, static_cast<double>(*ignored_)).to(DType::f32);
                counted = counted.defined() ? counted * others : others;
            }
            return add_counted(gathered_, right, counted);
        }
        const float* counts = on_host(counted);
        const Tensor host = floats(prediction);
        const std::int64_t classes = host.shape().back(), rows = labels.elements();
        const std::int64_t* label = labels.data<std::int64_t>();
        const float* scores = host.data<float>();
        double right = 0, all = 0;
        for (std::int64_t row = 0; row < rows; ++row, scores += classes) {
            const double count = counts ? double{counts[row]} : 1;
            if ((ignored_ && label[row] == *ignored_) || count == 0) continue;
            if (std::max_element(scores, scores + classes) - scores == label[row]) right += count;
            all += count;
        }
        gathered_.add(right, all);
    }

  private:
    const char* name_;
    std::optional<std::int64_t> ignored_;
};

class TopKImpl final : public MeanMetric {
  public:
    explicit TopKImpl(int k) : k_(k) {}
    void update(const Tensor& prediction, const Tensor& target) override {
        constexpr const char* name = "TopKCategoricalAccuracy";
        const NoGrad no_grad;
        const Tensor labels = class_labels(name, prediction, target);
        const Tensor counted = counted_of(prediction, labels.elements());
        if (!on_cpu(labels)) {
            const Shape rows_of_one{labels.elements(), 1};
            const Tensor scores = prediction.reshape(Shape{labels.elements(), prediction.shape().back()});
            const Tensor own = ops::take_along(scores, labels.reshape(rows_of_one));
            const Tensor larger = ops::greater(scores, own).to(DType::f32).sum(-1);
            const Tensor among = ops::binary(ops::BinaryOp::less, larger, static_cast<double>(k_));
            const Tensor known = ops::equal(own, own).flatten();  // NaN, of no number or no class, is never right
            return add_counted(gathered_, ops::logical_and(among, known).to(DType::f32), counted);
        }
        const Tensor host = floats(prediction);
        const std::int64_t classes = host.shape().back(), rows = labels.elements();
        const std::int64_t* label = labels.data<std::int64_t>();
        const float *scores = host.data<float>(), *counts = on_host(counted);
        double right = 0, all = 0;
        for (std::int64_t row = 0; row < rows; ++row, scores += classes) {
            const double count = counts ? double{counts[row]} : 1;
            if (count == 0) continue;
            all += count;
            check(label[row] >= 0 && label[row] < classes, "{}: label {} of row {} is not in 0 .. {}", name, label[row],
                  row, classes - 1);
            const float own = scores[label[row]];
            if (std::isnan(own)) continue;
            if (std::count_if(scores, scores + classes, [own](float other) { return other > own; }) < k_)
                right += count;
        }
        gathered_.add(right, all);
    }

  private:
    std::int64_t k_;
};

/// Mean over all elements of a function of prediction and target, which is written twice: for numbers of the host and
/// for tensors of a device.
struct Elementwise {
    std::function<double(double prediction, double target)> number;
    std::function<Tensor(const Tensor& prediction, const Tensor& target)> tensor;
};

class ElementwiseImpl : public MeanMetric {
  public:
    ElementwiseImpl(const char* name, Elementwise function) : name_(name), function_(std::move(function)) {}
    void update(const Tensor& prediction, const Tensor& target) override {
        if (prediction.elements() != target.elements()) fail_shapes(name_, prediction, target);
        const Tensor counted = counted_of(prediction, prediction.elements());
        if (!on_cpu(prediction)) {
            const NoGrad no_grad;
            const Tensor values = function_.tensor(prediction.detach().to(DType::f32).flatten(),
                                                   target.detach().to(DType::f32).flatten());
            return add_counted(gathered_, values, counted);
        }
        const Tensor a = floats(prediction), b = floats(target);
        const float *p = a.data<float>(), *t = b.data<float>(), *counts = on_host(counted);
        double total = 0, all = 0;
        for (std::int64_t i = 0; i < a.elements(); ++i) {
            const double count = counts ? double{counts[i]} : 1;
            if (count == 0) continue;
            total += count * function_.number(double{p[i]}, double{t[i]});
            all += count;
        }
        gathered_.add(total, all);
    }

  private:
    const char* name_;
    Elementwise function_;
};

std::shared_ptr<MetricImpl> elementwise(const char* name, Elementwise function) {
    return std::make_shared<ElementwiseImpl>(name, std::move(function));
}

Elementwise squares() {
    return {[](double p, double t) { return (p - t) * (p - t); },
            [](const Tensor& p, const Tensor& t) { return ops::square(p - t); }};
}

Elementwise distances() {
    return {[](double p, double t) { return std::abs(p - t); },
            [](const Tensor& p, const Tensor& t) { return ops::abs(p - t); }};
}

Elementwise same_side(double threshold) {
    const auto above = [](const Tensor& x, double limit) { return ops::binary(ops::BinaryOp::greater, x, limit); };
    return {[threshold](double p, double t) { return (p > threshold) == (t > 0.5) ? 1.0 : 0.0; },
            [threshold, above](const Tensor& p, const Tensor& t) {
                return ops::equal(above(p, threshold), above(t, 0.5)).to(DType::f32);
            }};
}

class RootMeanSquaredErrorImpl final : public ElementwiseImpl {
  public:
    RootMeanSquaredErrorImpl() : ElementwiseImpl("rmse", squares()) {}
    double result() const override { return std::sqrt(ElementwiseImpl::result()); }
};

class FunctionImpl final : public MeanMetric {
  public:
    explicit FunctionImpl(std::function<double(const Tensor&, const Tensor&)> function)
        : function_(std::move(function)) {}
    void update(const Tensor& prediction, const Tensor& target) override {
        const double examples = prediction.rank() > 0 ? static_cast<double>(prediction.size(0)) : 1;
        gathered_.add(function_(prediction, target) * examples, examples);
    }
    bool on_device() const override { return false; }  // what the user's function does is not known

  private:
    std::function<double(const Tensor&, const Tensor&)> function_;
};

/// "accuracy": as Keras does, one output is binary, a target of the output's shape is one-hot, integers are classes.
class AccuracyImpl final : public MetricImpl {
  public:
    void reset() override { binary_.reset(), categorical_.reset(); }
    void update(const Tensor& prediction, const Tensor& target) override {
        const bool one_output = prediction.rank() < 2 || prediction.shape().back() == 1;
        const bool same = prediction.elements() == target.elements();
        if (one_output && same)
            binary_.update(prediction, target);
        else
            categorical_.update(prediction, target);
    }
    bool on_device() const override { return true; }
    double result() const override {
        const double binary = binary_.result();
        return std::isnan(binary) ? categorical_.result() : binary;
    }
    std::vector<double> state() const override {
        std::vector<double> all = binary_.state();
        for (double value : categorical_.state()) all.push_back(value);
        return all;
    }
    void set_state(const std::vector<double>& state) override {
        check(state.size() == 4, "the state of \"accuracy\" has 4 numbers, got {}", state.size());
        binary_.set_state({state[0], state[1]});
        categorical_.set_state({state[2], state[3]});
    }

  private:
    ElementwiseImpl binary_{"accuracy", same_side(0.5)};
    CategoricalAccuracyImpl categorical_{"accuracy", {}};
};

struct Named {
    const char* name;
    std::shared_ptr<MetricImpl> (*make)();
};

const auto& known_metrics() {
    static const std::array list{
        Named{"accuracy", []() -> std::shared_ptr<MetricImpl> { return std::make_shared<AccuracyImpl>(); }},
        Named{"acc", []() -> std::shared_ptr<MetricImpl> { return std::make_shared<AccuracyImpl>(); }},
        Named{"sparse_categorical_accuracy",
              []() -> std::shared_ptr<MetricImpl> {
                  return std::make_shared<CategoricalAccuracyImpl>("sparse_categorical_accuracy", std::nullopt);
              }},
        Named{"categorical_accuracy",
              []() -> std::shared_ptr<MetricImpl> {
                  return std::make_shared<CategoricalAccuracyImpl>("categorical_accuracy", std::nullopt);
              }},
        Named{"top_k_categorical_accuracy",
              []() -> std::shared_ptr<MetricImpl> { return std::make_shared<TopKImpl>(5); }},
        Named{"sparse_top_k_categorical_accuracy",
              []() -> std::shared_ptr<MetricImpl> { return std::make_shared<TopKImpl>(5); }},
        Named{"binary_accuracy", [] { return elementwise("binary_accuracy", same_side(0.5)); }},
        Named{"precision", [] { return detail::make_precision(0.5); }},
        Named{"recall", [] { return detail::make_recall(0.5); }},
        Named{"f1_score", [] { return detail::make_f1_score(0.5); }},
        Named{"auc", [] { return detail::make_auc({}); }},
        Named{"mse", [] { return elementwise("mse", squares()); }},
        Named{"mean_squared_error", [] { return elementwise("mean_squared_error", squares()); }},
        Named{"mae", [] { return elementwise("mae", distances()); }},
        Named{"mean_absolute_error", [] { return elementwise("mean_absolute_error", distances()); }},
        Named{"rmse", []() -> std::shared_ptr<MetricImpl> { return std::make_shared<RootMeanSquaredErrorImpl>(); }},
        Named{"root_mean_squared_error",
              []() -> std::shared_ptr<MetricImpl> { return std::make_shared<RootMeanSquaredErrorImpl>(); }},
    };
    return list;
}

}  // namespace

MetricImpl::~MetricImpl() = default;

Metric::Metric(const std::string& name) : name_(name) {
    std::vector<std::string> names;
    for (const Named& known : known_metrics()) {
        if (name == known.name) {
            impl_ = known.make();
            config_ = detail::settings_of(known.name, detail::NameSettings{name});
            return;
        }
        names.emplace_back(known.name);
    }
    fail(fmt::format("no metric is called \"{}\"; there are: {}", name, fmt::join(names, ", ")));
}

Metric::Metric(std::string name, std::function<double(const Tensor&, const Tensor&)> function)
    : name_(std::move(name)), impl_(std::make_shared<FunctionImpl>(std::move(function))) {}

std::optional<Config> Metric::config() const {
    std::optional<Config> config = config_;
    if (config) config->set("name", name_);
    return config;
}

Metric Metric::from_config(const Config& config) {
    using detail::read_settings;
    const std::string& kind = config.at(detail::class_key).string();
    if (kind == "SparseCategoricalAccuracy") {
        const auto o = read_settings<detail::IgnoreClassSettings>(config);
        return SparseCategoricalAccuracy(o.ignore_class, o.name);
    }
    if (kind == "TopKCategoricalAccuracy") {
        const auto o = read_settings<detail::TopKSettings>(config);
        return TopKCategoricalAccuracy(o.k, o.name);
    }
    if (kind == "AUC") return AUC(read_settings<AUCOptions>(config));
    if (kind == "ClassificationLog") return ClassificationLog(read_settings<detail::NameSettings>(config).name);
    const auto by_threshold = [&](auto make) {
        const auto o = read_settings<detail::ThresholdSettings>(config);
        return make(o.threshold, o.name);
    };
    if (kind == "BinaryAccuracy")
        return by_threshold([](double t, const std::string& n) { return BinaryAccuracy(t, n); });
    if (kind == "PrecisionScore")
        return by_threshold([](double t, const std::string& n) { return PrecisionScore(t, n); });
    if (kind == "Recall") return by_threshold([](double t, const std::string& n) { return Recall(t, n); });
    if (kind == "F1Score") return by_threshold([](double t, const std::string& n) { return F1Score(t, n); });
    return Metric(kind).named(read_settings<detail::NameSettings>(config).name);
}

void Metric::update(const Tensor& prediction, const Tensor& target) const { impl_->update(prediction, target); }

SparseCategoricalAccuracy::SparseCategoricalAccuracy(std::optional<std::int64_t> ignore_class, const std::string& name)
    : Metric(name, std::make_shared<CategoricalAccuracyImpl>("SparseCategoricalAccuracy", ignore_class),
             detail::settings_of("SparseCategoricalAccuracy", detail::IgnoreClassSettings{ignore_class, name})) {}

TopKCategoricalAccuracy::TopKCategoricalAccuracy(int k, const std::string& name)
    : Metric(name, std::make_shared<TopKImpl>(k),
             detail::settings_of("TopKCategoricalAccuracy", detail::TopKSettings{k, name})) {
    check(k > 0, "TopKCategoricalAccuracy: k must be positive, got {}", k);
}

BinaryAccuracy::BinaryAccuracy(double threshold, const std::string& name)
    : Metric(name, elementwise("BinaryAccuracy", same_side(threshold)),
             detail::settings_of("BinaryAccuracy", detail::ThresholdSettings{threshold, name})) {}

}  // namespace heddle
