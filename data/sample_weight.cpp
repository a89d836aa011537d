#include <cmath>

#include "core/check.h"
#include "data/dataset.h"
#include "data/detail/rows.h"
#include "data/detail/sample_weight.h"

namespace heddle {
namespace {

/// Another data set's examples, each with its weight.
class Weighted final : public DatasetImpl {
  public:
    Weighted(std::shared_ptr<const DatasetImpl> base, Tensor weight)
        : base_(std::move(base)), weight_(std::move(weight)) {}

    std::int64_t size() const override { return base_->size(); }
    std::vector<Shape> input_shapes() const override { return base_->input_shapes(); }
    std::vector<DType> input_dtypes() const override { return base_->input_dtypes(); }
    Shape target_shape() const override { return base_->target_shape(); }
    DType target_dtype() const override { return base_->target_dtype(); }
    std::vector<std::string> class_names() const override { return base_->class_names(); }
    std::optional<Preprocessing> preprocessing() const override { return base_->preprocessing(); }
    std::optional<Shape> weight_shape() const override { return weight_.shape().range(1, weight_.rank()); }

    void fill(std::span<const std::int64_t> indices, const FillContext& context, Batch& batch) const override {
        base_->fill(indices, context, batch);
        detail::copy_rows(weight_, indices, batch.weight);
    }
    std::optional<StoredExamples> stored() const override {
        std::optional<StoredExamples> examples = base_->stored();
        if (examples) examples->weight = weight_;
        return examples;
    }
    std::shared_ptr<DatasetImpl> with_augmentation(const std::optional<Augmentation>& augmentation) const override {
        return around(base_->with_augmentation(augmentation));
    }
    std::shared_ptr<DatasetImpl> with_normalization(const std::vector<float>& mean,
                                                    const std::vector<float>& deviation) const override {
        return around(base_->with_normalization(mean, deviation));
    }

  private:
    std::shared_ptr<DatasetImpl> around(std::shared_ptr<DatasetImpl> base) const {
        if (!base) return nullptr;
        return std::make_shared<Weighted>(std::move(base), weight_);
    }

    std::shared_ptr<const DatasetImpl> base_;
    Tensor weight_;  // f32 [size(), ...] on the CPU
};

}  // namespace

Tensor detail::checked_sample_weight(const Tensor& weight, std::int64_t examples, const char* who) {
    check(weight.defined() && weight.rank() >= 1 && weight.size(0) == examples && weight.dtype() != DType::boolean,
          "{}: {} examples need as many sample weights, got {}", who, examples, weight);
    Shape shape = weight.shape();
    while (shape.rank() > 1 && shape.back() == 1) shape = shape.without(-1);
    Tensor result = weight.detach().to(DType::f32).reshape(shape);
    if (result.device().kind != DeviceKind::cpu) return result;
    const float* values = result.data<float>();
    const std::int64_t row = std::max<std::int64_t>(result.elements() / std::max<std::int64_t>(examples, 1), 1);
    for (std::int64_t i = 0; i < result.elements(); ++i)
        check(std::isfinite(values[i]), "{}: the sample weight of example {} is {}", who, i / row, values[i]);
    return result;
}

Dataset Dataset::with_sample_weight(const Tensor& weight) const {
    constexpr const char* who = "with_sample_weight";
    check(!impl_->weight_shape().has_value(), "{}: the data set has weights already", who);
    const Tensor host = weight.defined() ? weight.to(Device::cpu()) : weight;
    return Dataset(std::make_shared<Weighted>(impl_, detail::checked_sample_weight(host, size(), who)));
}

}  // namespace heddle
