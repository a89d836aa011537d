#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/export.h"
#include "data/dataset.h"
#include "data/picture.h"
#include "train/metric.h"

namespace heddle {

/// A classifier's prediction for one example.
struct Classified {
    std::int64_t label = 0;
    std::int64_t predicted = 0;  ///< the lowest of equally probable classes
    double probability = 0;      ///< of `predicted`
    double loss = 0;             ///< -log of the label's probability

    bool operator==(const Classified&) const = default;
};

/// A metric that records the prediction for each example, in the order of `evaluate`; its value is the accuracy.
/// Predictions are logits [..., classes], labels integers [...]. It reads tensors on the host, which a captured
/// training step cannot do: use it for evaluation.
///
///     ClassificationLog log;
///     model.compile({.optimizer = ..., .loss = ..., .metrics = {"accuracy", log}});
///     model.evaluate(test);
///     save_png("confusion.png", draw_confusion_matrix(log.confusion(), {.class_names = names}));
class HEDDLE_API ClassificationLog : public Metric {
  public:
    explicit ClassificationLog(const std::string& name = "classification");

    const std::vector<Classified>& examples() const;
    /// 0 before the first batch.
    std::int64_t classes() const;
    /// How often each class was predicted for each label: `counts[label * classes + predicted]`.
    std::vector<std::int64_t> confusion() const;
    /// The places in `examples()` of at most `count` with the highest loss, the worst first. A loss that is not a
    /// number counts as the worst, and of equal ones the first example comes first.
    std::vector<std::int64_t> worst(std::int64_t count) const;
};

/// The pictures of a data set before normalisation, each with its class, the predicted class and that one's
/// probability; `examples` has one entry for each. Throws `Error` for data without pictures.
HEDDLE_API Picture draw_classified(const Dataset& pictures, const std::vector<Classified>& examples,
                                   const std::string& title = {});

}  // namespace heddle
