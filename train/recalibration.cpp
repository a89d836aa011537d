#include "train/recalibration.h"

#include <algorithm>

#include "core/check.h"
#include "layers/detail/batch_norm_impl.h"
#include "ops/autograd/grad_mode.h"
#include "train/detail/batch_source.h"
#include "train/detail/state.h"
#include "train/detail/step.h"

namespace heddle {
namespace {

void find(const Layer& layer, std::vector<BatchNormalizationImpl*>& found) {
    auto* norm = dynamic_cast<BatchNormalizationImpl*>(&layer.impl());
    if (norm && norm->trainable() && std::find(found.begin(), found.end(), norm) == found.end()) found.push_back(norm);
    for (const auto& [name, child] : layer->children()) find(child, found);
}

/// While it lives, batch norms gather statistics; after an error the running statistics are as they were.
class Gathering {
  public:
    explicit Gathering(const Model& model) {
        find(model, norms_);
        for (BatchNormalizationImpl* norm : norms_) norm->pooled.emplace();
    }
    ~Gathering() {
        for (BatchNormalizationImpl* norm : norms_) norm->pooled.reset();
    }
    Gathering(const Gathering&) = delete;
    Gathering& operator=(const Gathering&) = delete;

    std::int64_t layers() const { return static_cast<std::int64_t>(norms_.size()); }
    void finish() const {
        for (BatchNormalizationImpl* norm : norms_) {
            const PooledStatistics& all = *norm->pooled;
            if (all.rows == 0) continue;  // the model holds it and does not use it
            const bool unbiased = norm->options.unbiased_running_variance && all.rows > 1;
            norm->running_mean.copy_(all.mean);
            norm->running_variance.copy_(unbiased ? all.variance * (all.rows / (all.rows - 1)) : all.variance);
        }
    }

  private:
    std::vector<BatchNormalizationImpl*> norms_;
};

}  // namespace

std::int64_t recalibrate(const Model& model, const Dataset& data, const RecalibrationOptions& options) {
    check(data.defined() && data.size() > 0, "recalibrate: the data set is empty");
    check(options.batch_size > 0, "recalibrate: batch_size must be positive, got {}", options.batch_size);
    check(options.batches >= 0, "recalibrate: batches must not be negative, got {}", options.batches);
    model.build(data.input_shapes());
    const NoGrad no_grad;
    const Gathering gathering(model);
    if (gathering.layers() == 0) return 0;
    const Device device = detail::device_of(model);
    detail::BatchSource source(data, {.batch_size = options.batch_size, .shuffle = true, .seed = options.seed}, device,
                               compute_dtype(detail::precision_of(model)), {});
    std::int64_t done = 0;
    source.start(0);
    for (detail::StepBatch batch; (options.batches == 0 || done < options.batches) && source.next(batch); ++done)
        detail::first_output(model, detail::prepared_inputs(model, batch.make().inputs, device), false);
    gathering.finish();
    return gathering.layers();
}

}  // namespace heddle
