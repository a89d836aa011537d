#pragma once

#include <memory>

#include "train/binary_metrics.h"

namespace heddle::detail {

std::shared_ptr<MetricImpl> make_precision(double threshold);
std::shared_ptr<MetricImpl> make_recall(double threshold);
std::shared_ptr<MetricImpl> make_f1_score(double threshold);
std::shared_ptr<MetricImpl> make_auc(const AUCOptions& options);

}  // namespace heddle::detail
