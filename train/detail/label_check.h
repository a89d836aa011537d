#pragma once

#include "train/detail/batch_source.h"
#include "train/loss.h"

namespace heddle::detail {

/// Whether targets may be labels by their dtype: what `LabelCheck` looks at.
bool may_be_labels(const Tensor& targets);

/// Looks at labels on the host before they reach a loss on a device, which cannot report one that is no class
/// (ops/loss.h): a data set that stays on the device once, others batch by batch. Only of losses over classes, and not
/// where the output carries a mask, since what stands at a step that does not count may be anything.
class LabelCheck {
  public:
    /// `who`: "training", for the error.
    LabelCheck(const char* who, Device device) : who_(who), device_(device) {}

    /// To be called with each batch before its step. Throws `Error` that names the label, its example and the classes.
    void take(const Loss& loss, const StepBatch& batch);
    /// To be called where a step that is queued anew knows the output: from then on, beginning with the batch that was
    /// taken last, labels are held against its classes.
    void see(const Loss& loss, const Tensor& prediction);

  private:
    void check_pending(const Loss& loss);

    const char* who_;
    Device device_;
    Shape output_;                          // of one example
    bool known_ = false, masked_ = false;   // of the output
    const ResidentData* passed_ = nullptr;  // whose labels are good
    const ResidentData* resident_ = nullptr;
    Tensor pending_;  // targets on the host, to be checked
};

}  // namespace heddle::detail
