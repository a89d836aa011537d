#pragma once

#include <string>

#include "core/export.h"
#include "train/metric.h"

// Metrics of decisions between yes and no. Predictions [...] of any shape, one number for each decision: a single
// output of each example, or one for each of several labels; targets have as many elements, of any type, and above 0.5
// they are positive. All decisions are counted together, each for its weight where there are weights, and those that a
// mask leaves out not at all. Names, defaults and values are Keras'; a quotient whose divisor is 0 is 0. On devices
// sums are kept in f32, and a captured step can hold the metric.
namespace heddle {

/// Of what was said to be positive, the part that is: true positives / (true positives + false positives). Predictions
/// above `threshold` are positive; logits: use threshold 0. (Keras' `Precision`; that name is the type that layers
/// compute in, train/precision.h.)
class HEDDLE_API PrecisionScore : public Metric {
  public:
    explicit PrecisionScore(double threshold = 0.5, const std::string& name = "precision");
};

/// Of what is positive, the part that was said to be: true positives / (true positives + false negatives).
class HEDDLE_API Recall : public Metric {
  public:
    explicit Recall(double threshold = 0.5, const std::string& name = "recall");
};

/// The harmonic mean of precision and recall. Of several labels Keras' `average="micro"`.
class HEDDLE_API F1Score : public Metric {
  public:
    explicit F1Score(double threshold = 0.5, const std::string& name = "f1_score");
};

struct AUCOptions {
    enum class Curve {
        roc,  ///< true positive rate over false positive rate
        pr    ///< precision over recall
    };

    int num_thresholds = 200;  ///< at least 2
    Curve curve = Curve::roc;
    bool multi_label = false;  ///< true: the mean of the areas of each label, of predictions [..., labels]
    bool from_logits = false;  ///< true: the output is what goes into a sigmoid; false: probabilities
    std::string name = "auc";
};

/// The area under a curve that is known at thresholds 0, 1 / (n - 1), ..., 1: under the ROC curve by trapezoids, under
/// the precision-recall curve by Keras' interpolation of true positives (Davis and Goadrich 2006). Exact as far as
/// predictions that differ in their targets lie on different sides of a threshold. Throws `Error` for a prediction
/// that is no probability (checked on the CPU only).
class HEDDLE_API AUC : public Metric {
  public:
    explicit AUC(const AUCOptions& options = {});
};

}  // namespace heddle
