#include "train/binary_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "kernels/copy/copy.h"
#include "ops/autograd/grad_mode.h"
#include "ops/copy.h"
#include "ops/detail/run.h"
#include "ops/elementwise.h"
#include "train/detail/binary_metrics.h"
#include "train/detail/gathered_sums.h"
#include "train/detail/metric_inputs.h"
#include "train/detail/metric_settings.h"

namespace heddle {
namespace {

double quotient(double a, double b) { return b == 0 ? 0 : a / b; }

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

class SumsMetric : public MetricImpl {
  public:
    void reset() override { gathered_.reset(); }
    bool on_device() const override { return true; }
    std::vector<double> state() const override { return gathered_.sums(); }

  protected:
    detail::GatheredSums gathered_;
};

/// How decisions went, in sums of weights.
struct Decisions {
    double right = 0;     // true positives
    double said = 0;      // positive by the prediction
    double positive = 0;  // positive by the target
    double all = 0;
};

class DecisionsImpl final : public SumsMetric {
  public:
    using Score = double (*)(const Decisions&);
    DecisionsImpl(const char* name, double threshold, Score score)
        : name_(name), threshold_(threshold), score_(score) {}

    void update(const Tensor& prediction, const Tensor& target) override {
        if (prediction.elements() != target.elements()) detail::fail_shapes(name_, prediction, target);
        const NoGrad no_grad;
        const Tensor counted = detail::counted_of(prediction, prediction.elements());
        detail::on_cpu(prediction) ? add_on_host(prediction, target, counted)
                                   : add_on_device(prediction, target, counted);
    }
    double result() const override {
        const std::vector<double> s = gathered_.sums();
        return s.empty() || s[3] == 0 ? nothing : score_({s[0], s[1], s[2], s[3]});
    }
    void set_state(const std::vector<double>& state) override {
        check(state.empty() || state.size() == 4, "the state of \"{}\" has 4 numbers, got {}", name_, state.size());
        gathered_.set(state);
    }

  private:
    void add_on_host(const Tensor& prediction, const Tensor& target, const Tensor& counted) {
        const Tensor a = detail::floats(prediction), b = detail::floats(target);
        const float *p = a.data<float>(), *t = b.data<float>(),
                    *counts = counted.defined() ? counted.data<float>() : nullptr;
        Decisions sums;
        for (std::int64_t i = 0; i < a.elements(); ++i) {
            const double count = counts ? double{counts[i]} : 1;
            const bool said = double{p[i]} > threshold_, positive = t[i] > 0.5f;
            if (said && positive) sums.right += count;
            if (said) sums.said += count;
            if (positive) sums.positive += count;
            sums.all += count;
        }
        gathered_.add(std::array{sums.right, sums.said, sums.positive, sums.all});
    }
    void add_on_device(const Tensor& prediction, const Tensor& target, const Tensor& counted) {
        const Tensor said = ops::greater(prediction.detach().to(DType::f32).flatten(), threshold_).to(DType::f32);
        const Tensor positive = ops::greater(target.detach().to(DType::f32).flatten(), 0.5).to(DType::f32);
        const auto sum = [&](const Tensor& x) { return (counted.defined() ? x * counted : x).sum(); };
        const Tensor all = counted.defined()
                               ? counted.sum()
                               : Tensor::full(Shape{}, static_cast<double>(said.elements()), said.options());
        gathered_.add(ops::stack(std::array{sum(said * positive), sum(said), sum(positive), all}));
    }

    const char* name_;
    double threshold_;
    Score score_;
};

/// Histograms of the predictions, those of positive targets and those of negative ones, of each label: bucket k is
/// what lies above threshold k and not above k + 1.
class AUCImpl final : public SumsMetric {
  public:
    explicit AUCImpl(const AUCOptions& options) : options_(options), buckets_(options.num_thresholds - 1) {
        check(options.num_thresholds >= 2, "AUC: expected 2 thresholds or more, got {}", options.num_thresholds);
    }

    void update(const Tensor& prediction, const Tensor& target) override {
        if (prediction.elements() != target.elements()) detail::fail_shapes("AUC", prediction, target);
        const std::int64_t labels = options_.multi_label && prediction.rank() > 1 ? prediction.shape().back() : 1;
        check(labels_ == 0 || labels_ == labels, "AUC: {} labels, then {}", labels_, labels);
        labels_ = labels;
        const NoGrad no_grad;
        const Tensor counted = detail::counted_of(prediction, prediction.elements());
        detail::on_cpu(prediction) ? add_on_host(prediction, target, counted)
                                   : add_on_device(prediction, target, counted);
    }
    double result() const override {
        const std::vector<double> all = gathered_.sums();
        if (std::all_of(all.begin(), all.end(), [](double sum) { return sum == 0; })) return nothing;
        const std::size_t label = 2 * static_cast<std::size_t>(buckets_);
        double total = 0;
        for (std::size_t first = 0; first < all.size(); first += label)
            total += area(std::span(all).subspan(first, label));
        return total / static_cast<double>(all.size() / label);
    }
    void set_state(const std::vector<double>& state) override {
        check(state.size() % static_cast<std::size_t>(2 * buckets_) == 0,
              "the state of an AUC of {} thresholds: {} numbers", options_.num_thresholds, state.size());
        labels_ = static_cast<std::int64_t>(state.size()) / (2 * buckets_);
        gathered_.set(state);
    }

  private:
    void add_on_host(const Tensor& prediction, const Tensor& target, const Tensor& counted) {
        const Tensor a = detail::floats(prediction), b = detail::floats(target);
        const float *p = a.data<float>(), *t = b.data<float>(),
                    *counts = counted.defined() ? counted.data<float>() : nullptr;
        std::vector<double> sums(static_cast<std::size_t>(2 * buckets_ * labels_));
        for (std::int64_t i = 0; i < a.elements(); ++i) {
            if (counts && counts[i] == 0) continue;
            const float score = options_.from_logits ? 1 / (1 + std::exp(-p[i])) : p[i];
            check(!(score < 0 || score > 1),
                  "AUC: the prediction {} is no probability; for logits take AUC({{.from_logits = true}})", score);
            const std::int64_t place = (i % labels_ * 2 + (t[i] > 0.5f ? 0 : 1)) * buckets_ + bucket(score);
            sums[static_cast<std::size_t>(place)] += counts ? double{counts[i]} : 1;
        }
        gathered_.add(sums);
    }
    std::int64_t bucket(float score) const {
        const float above = std::ceil(score * static_cast<float>(buckets_)) - 1;
        return above > 0 ? std::min(static_cast<std::int64_t>(above), buckets_ - 1) : 0;
    }
    void add_on_device(const Tensor& prediction, const Tensor& target, const Tensor& counted) {
        Tensor score = prediction.detach().to(DType::f32).reshape(Shape{-1, labels_});
        if (options_.from_logits) score = ops::sigmoid(score);
        const Tensor above = ops::ceil(score * static_cast<double>(buckets_)) - 1.0;
        const Tensor negative =
            ops::less_equal(target.detach().to(DType::f32).reshape(score.shape()), 0.5).to(DType::i64);
        Tensor places = ops::clip(above, 0, static_cast<double>(buckets_ - 1)).to(DType::i64) +
                        negative * static_cast<double>(buckets_);
        if (labels_ > 1) {
            // Made once, before a step that is captured.
            if (!first_places_.defined() || first_places_.device() != prediction.device())
                first_places_ = (Tensor::arange(labels_) * static_cast<double>(2 * buckets_)).to(prediction.device());
            places = places + first_places_;
        }
        const Tensor counts = counted.defined() ? counted : Tensor::ones(Shape{places.elements()}, score.options());
        const Tensor sums = Tensor::empty(Shape{2 * buckets_ * labels_}, score.options());
        ops::run(kernels::gather_backward(),
                 {.axis = 0, .indices = ops::view(places.flatten()), .dy = ops::view(counts), .dx = ops::view(sums)},
                 {&places, &counts}, {&sums});
        gathered_.add(sums);
    }

    double area(std::span<const double> histograms) const {
        const auto n = static_cast<std::size_t>(buckets_);
        // Positives that are above each threshold, true and false; nothing is above the last.
        std::vector<double> right(n + 1), wrong(n + 1);
        for (std::size_t k = n; k-- > 0;) {
            right[k] = right[k + 1] + histograms[k];
            wrong[k] = wrong[k + 1] + histograms[n + k];
        }
        double total = 0;
        for (std::size_t k = 0; k < n; ++k)
            total += options_.curve == AUCOptions::Curve::roc
                         ? quotient(wrong[k] - wrong[k + 1], wrong[0]) * quotient(right[k] + right[k + 1], 2 * right[0])
                         : under_precision(right[k], right[k + 1], right[k] + wrong[k], right[k + 1] + wrong[k + 1],
                                           right[0]);
        return total;
    }
    /// The area between two thresholds, where true positives are taken to grow in a line with what is said to be
    /// positive: from `right_next` of `said_next` to `right` of `said`.
    static double under_precision(double right, double right_next, double said, double said_next, double positives) {
        const double slope = quotient(right - right_next, std::max(said - said_next, 0.0));
        const double intercept = right_next - slope * said_next;
        const double ratio = said > 0 && said_next > 0 ? said / said_next : 1;
        return quotient(slope * (right - right_next + intercept * std::log(ratio)), positives);
    }

    AUCOptions options_;
    std::int64_t buckets_, labels_ = 0;
    Tensor first_places_;  // i64 [labels]
};

std::shared_ptr<MetricImpl> decisions(const char* name, double threshold, DecisionsImpl::Score score) {
    return std::make_shared<DecisionsImpl>(name, threshold, score);
}

}  // namespace

namespace detail {

std::shared_ptr<MetricImpl> make_precision(double threshold) {
    return decisions("PrecisionScore", threshold, [](const Decisions& d) { return quotient(d.right, d.said); });
}
std::shared_ptr<MetricImpl> make_recall(double threshold) {
    return decisions("Recall", threshold, [](const Decisions& d) { return quotient(d.right, d.positive); });
}
std::shared_ptr<MetricImpl> make_f1_score(double threshold) {
    return decisions("F1Score", threshold,
                     [](const Decisions& d) { return quotient(2 * d.right, d.said + d.positive); });
}
std::shared_ptr<MetricImpl> make_auc(const AUCOptions& options) { return std::make_shared<AUCImpl>(options); }

}  // namespace detail

using detail::settings_of;
using detail::ThresholdSettings;

PrecisionScore::PrecisionScore(double threshold, const std::string& name)
    : Metric(name, detail::make_precision(threshold),
             settings_of("PrecisionScore", ThresholdSettings{threshold, name})) {}
Recall::Recall(double threshold, const std::string& name)
    : Metric(name, detail::make_recall(threshold), settings_of("Recall", ThresholdSettings{threshold, name})) {}
F1Score::F1Score(double threshold, const std::string& name)
    : Metric(name, detail::make_f1_score(threshold), settings_of("F1Score", ThresholdSettings{threshold, name})) {}
AUC::AUC(const AUCOptions& options) : Metric(options.name, detail::make_auc(options), settings_of("AUC", options)) {}

}  // namespace heddle
