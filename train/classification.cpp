#include "train/classification.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/check.h"
#include "data/plot.h"
#include "train/detail/metric_settings.h"

namespace heddle {
namespace {

class ClassificationLogImpl final : public MetricImpl {
  public:
    void reset() override {
        examples_.clear();
        classes_ = 0;
    }
    void update(const Tensor& prediction, const Tensor& target) override {
        const std::int64_t classes = prediction.rank() < 1 ? 0 : prediction.shape().back();
        check(classes > 0 && target.elements() * classes == prediction.elements() && !is_floating(target.dtype()),
              "ClassificationLog: the model gives {}, the targets are {} {}: they do not go together",
              prediction.shape(), target.dtype(), target.shape());
        check(classes_ == 0 || classes_ == classes, "ClassificationLog: {} classes, then {}", classes_, classes);
        classes_ = classes;
        const std::vector<float> logits = prediction.detach().to_vector<float>();
        const float* row = logits.data();
        for (const std::int64_t label : target.to_vector<std::int64_t>()) {
            check(label >= 0 && label < classes, "ClassificationLog: label {} is not in 0 .. {}", label, classes - 1);
            examples_.push_back(classified(row, label));
            row += classes;
        }
    }
    double result() const override {
        const auto right = std::count_if(examples_.begin(), examples_.end(),
                                         [](const Classified& example) { return example.predicted == example.label; });
        return static_cast<double>(right) / static_cast<double>(examples_.size());
    }
    std::vector<double> state() const override {
        std::vector<double> numbers{static_cast<double>(classes_)};
        for (const Classified& e : examples_)
            numbers.insert(numbers.end(),
                           {static_cast<double>(e.label), static_cast<double>(e.predicted), e.probability, e.loss});
        return numbers;
    }
    void set_state(const std::vector<double>& state) override {
        check(state.size() % 4 == 1, "ClassificationLog: a state of {} numbers", state.size());
        reset();
        classes_ = static_cast<std::int64_t>(state[0]);
        for (std::size_t i = 1; i < state.size(); i += 4)
            examples_.push_back({static_cast<std::int64_t>(state[i]), static_cast<std::int64_t>(state[i + 1]),
                                 state[i + 2], state[i + 3]});
    }

    const std::vector<Classified>& examples() const { return examples_; }
    std::int64_t classes() const { return classes_; }

  private:
    Classified classified(const float* logits, std::int64_t label) const {
        const std::int64_t best = std::max_element(logits, logits + classes_) - logits;
        const auto largest = static_cast<double>(logits[best]);
        double sum = 0;
        for (std::int64_t i = 0; i < classes_; ++i) sum += std::exp(static_cast<double>(logits[i]) - largest);
        return {label, best, 1 / sum, std::log(sum) - (static_cast<double>(logits[label]) - largest)};
    }

    std::int64_t classes_ = 0;
    std::vector<Classified> examples_;
};

}  // namespace

ClassificationLog::ClassificationLog(const std::string& name)
    : Metric(name, std::make_shared<ClassificationLogImpl>(),
             detail::settings_of("ClassificationLog", detail::NameSettings{name})) {}

const std::vector<Classified>& ClassificationLog::examples() const {
    return static_cast<const ClassificationLogImpl&>(impl()).examples();
}

std::int64_t ClassificationLog::classes() const { return static_cast<const ClassificationLogImpl&>(impl()).classes(); }

std::vector<std::int64_t> ClassificationLog::confusion() const {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(classes() * classes()));
    for (const Classified& example : examples())
        ++counts[static_cast<std::size_t>(example.label * classes() + example.predicted)];
    return counts;
}

std::vector<std::int64_t> ClassificationLog::worst(std::int64_t count) const {
    check(count >= 0, "ClassificationLog: expected a count of 0 or more, got {}", count);
    const auto loss = [this](std::int64_t place) {
        const double value = examples()[static_cast<std::size_t>(place)].loss;
        return std::isnan(value) ? std::numeric_limits<double>::infinity() : value;
    };
    std::vector<std::int64_t> places(examples().size());
    std::iota(places.begin(), places.end(), std::int64_t{0});
    std::stable_sort(places.begin(), places.end(), [&](std::int64_t a, std::int64_t b) { return loss(a) > loss(b); });
    places.resize(std::min(places.size(), static_cast<std::size_t>(count)));
    return places;
}

Picture draw_classified(const Dataset& pictures, const std::vector<Classified>& examples, const std::string& title) {
    check(pictures.defined() && pictures.preprocessing().has_value(), "draw_classified: the data set has no pictures");
    check(static_cast<std::size_t>(pictures.size()) == examples.size(), "draw_classified: {} pictures and {} examples",
          pictures.size(), examples.size());
    const auto channels = static_cast<std::size_t>(pictures.input_shape()[2]);
    const Dataset plain = pictures.without_augmentation().with_normalization(std::vector<float>(channels, 0.0f),
                                                                             std::vector<float>(channels, 1.0f));
    const std::vector<std::string> names = pictures.class_names();
    const auto name = [&](std::int64_t index) {
        return static_cast<std::size_t>(index) < names.size() ? names[static_cast<std::size_t>(index)]
                                                              : fmt::format("class {}", index);
    };
    std::vector<std::string> captions;
    for (const Classified& example : examples)
        captions.push_back(fmt::format("true {}\nsaid {}\n{:.1f} %", name(example.label), name(example.predicted),
                                       100 * example.probability));
    return draw_picture_grid(to_pictures(plain.batch(0, plain.size()).inputs[0]),
                             {.title = title, .captions = captions, .columns = 6, .cell = 144});
}

}  // namespace heddle
