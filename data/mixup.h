#pragma once

#include <cstdint>

#include "core/export.h"
#include "data/dataset.h"

namespace heddle {

struct MixupOptions {
    double alpha = 0.2;        ///< of Beta(alpha, alpha); 0: nothing is mixed, targets are one-hot
    std::int64_t classes = 0;  ///< 0: as many as there are class names
};

/// Mixup (Zhang et al. 2018, arXiv:1710.09412): each batch is mixed with its own examples in another order,
/// x = share * x_i + (1 - share) * x_j, with one share ~ Beta(alpha, alpha) a batch, and the targets likewise: they are
/// distributions f32 [classes] in place of integer labels, for CategoricalCrossentropy (which takes the labels of
/// validation data too). Share and order are drawn from (seed, epoch, the batch's indices). Inputs must be f32; other
/// data, and a label that is not in 0 .. classes - 1, are an `Error`.
///
///     model.fit(Mixup(train, {.alpha = 0.2}), {.epochs = 30, .validation_data = test});
///
/// `with_augmentation` goes to the data inside; `without_augmentation` leaves one-hot targets and mixes nothing.
class HEDDLE_API Mixup : public Dataset {
  public:
    explicit Mixup(const Dataset& data, const MixupOptions& options = {});
};

}  // namespace heddle
