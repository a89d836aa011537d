#include "data/dataset.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/check.h"
#include "data/detail/rows.h"
#include "data/permutation.h"

namespace heddle {
namespace {

// Some examples of another data set, in any order.
class Subset final : public DatasetImpl {
  public:
    Subset(std::shared_ptr<const DatasetImpl> base, std::vector<std::int64_t> indices)
        : base_(std::move(base)), indices_(std::move(indices)) {}

    std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
    std::vector<Shape> input_shapes() const override { return base_->input_shapes(); }
    std::vector<DType> input_dtypes() const override { return base_->input_dtypes(); }
    Shape target_shape() const override { return base_->target_shape(); }
    DType target_dtype() const override { return base_->target_dtype(); }
    std::vector<std::string> class_names() const override { return base_->class_names(); }
    std::optional<Preprocessing> preprocessing() const override { return base_->preprocessing(); }
    std::optional<Shape> weight_shape() const override { return base_->weight_shape(); }

    void fill(std::span<const std::int64_t> indices, const FillContext& context, Batch& batch) const override {
        std::vector<std::int64_t> mapped(indices.size());
        std::transform(indices.begin(), indices.end(), mapped.begin(),
                       [this](std::int64_t index) { return indices_[static_cast<std::size_t>(index)]; });
        base_->fill(mapped, context, batch);
    }
    std::optional<StoredExamples> stored() const override {
        std::optional<StoredExamples> examples = base_->stored();
        if (!examples) return examples;
        std::vector<std::int64_t> rows = indices_;
        if (!examples->rows.empty())
            for (std::int64_t& row : rows) row = examples->rows[static_cast<std::size_t>(row)];
        examples->rows = std::move(rows);
        if (examples->weight.defined()) {
            const Tensor all = examples->weight;
            examples->weight = Tensor::empty(all.shape().with(0, size()), all.options());
            detail::copy_rows(all, indices_, examples->weight);
        }
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
        return std::make_shared<Subset>(std::move(base), indices_);
    }
    std::shared_ptr<const DatasetImpl> base_;
    std::vector<std::int64_t> indices_;
};

class TensorRows final : public DatasetImpl {
  public:
    TensorRows(std::vector<Tensor> inputs, const Tensor& y, std::vector<std::string> class_names)
        : class_names_(std::move(class_names)) {
        check(!inputs.empty() && y.defined() && y.rank() >= 1, "TensorDataset: expected inputs and targets [N, ...]");
        for (const Tensor& input : inputs) {
            check(input.defined() && input.rank() >= 1 && input.size(0) == y.size(0),
                  "TensorDataset: expected as many rows as targets ({}), got an input of shape {}", y.size(0),
                  input.defined() ? input.shape().to_string() : "undefined");
            inputs_.push_back(input.to(Device::cpu()));
        }
        target_ = y.to(Device::cpu());
    }

    std::int64_t size() const override { return target_.size(0); }
    std::vector<Shape> input_shapes() const override {
        std::vector<Shape> shapes;
        for (const Tensor& input : inputs_) shapes.push_back(input.shape().range(1, input.rank()));
        return shapes;
    }
    std::vector<DType> input_dtypes() const override {
        std::vector<DType> dtypes;
        for (const Tensor& input : inputs_) dtypes.push_back(input.dtype());
        return dtypes;
    }
    Shape target_shape() const override { return target_.shape().range(1, target_.rank()); }
    DType target_dtype() const override { return target_.dtype(); }
    std::vector<std::string> class_names() const override { return class_names_; }

    void fill(std::span<const std::int64_t> indices, const FillContext&, Batch& batch) const override {
        for (std::size_t i = 0; i < inputs_.size(); ++i) detail::copy_rows(inputs_[i], indices, batch.inputs[i]);
        detail::copy_rows(target_, indices, batch.target);
    }
    std::optional<StoredExamples> stored() const override {
        return StoredExamples{.inputs = inputs_, .target = target_};
    }

  private:
    std::vector<Tensor> inputs_;
    Tensor target_;
    std::vector<std::string> class_names_;
};

Shape batched(std::int64_t count, const Shape& shape) {
    check(shape.rank() < Shape::max_rank, "data set: examples of shape {} leave no room for the batch",
          shape.to_string());
    Shape result{count};
    for (const std::int64_t extent : shape) result.push_back(extent);
    return result;
}

void fit(Tensor& tensor, const Shape& shape, DType dtype) {
    if (tensor.defined() && tensor.shape() == shape && tensor.dtype() == dtype && tensor.device() == Device::cpu() &&
        !tensor.requires_grad())
        tensor.impl()->storage->bump_version();
    else
        tensor = Tensor::empty(shape, {.dtype = dtype});
}

}  // namespace

void detail::copy_rows(const Tensor& from, std::span<const std::int64_t> rows, const Tensor& to) {
    const std::size_t row = static_cast<std::size_t>(from.shape().elements(1, from.rank())) * size_of(from.dtype());
    if (row == 0) return;
    auto* out = static_cast<std::byte*>(to.raw());
    for (const std::int64_t index : rows) {
        std::memcpy(out, static_cast<const std::byte*>(from.raw()) + static_cast<std::size_t>(index) * row, row);
        out += row;
    }
}

DatasetImpl::~DatasetImpl() = default;

std::shared_ptr<DatasetImpl> DatasetImpl::with_augmentation(const std::optional<Augmentation>&) const {
    return nullptr;
}

std::shared_ptr<DatasetImpl> DatasetImpl::with_normalization(const std::vector<float>&,
                                                             const std::vector<float>&) const {
    return nullptr;
}

Dataset Dataset::slice(std::int64_t first, std::int64_t last) const {
    check(0 <= first && first <= last && last <= size(), "Dataset::slice: {} .. {} of {} examples", first, last,
          size());
    std::vector<std::int64_t> indices(static_cast<std::size_t>(last - first));
    std::iota(indices.begin(), indices.end(), first);
    return Dataset(std::make_shared<Subset>(impl_, std::move(indices)));
}

Dataset Dataset::select(std::vector<std::int64_t> indices) const {
    for (const std::int64_t index : indices)
        check(index >= 0 && index < size(), "Dataset::select: index {} of {} examples", index, size());
    return Dataset(std::make_shared<Subset>(impl_, std::move(indices)));
}

std::pair<Dataset, Dataset> Dataset::split(double fraction, std::uint64_t seed) const {
    check(fraction > 0 && fraction < 1 && size() >= 2,
          "Dataset::split: expected 0 < fraction < 1 and two examples, got {} of {} examples", fraction, size());
    const std::vector<std::int64_t> order = epoch_permutation(size(), seed, 0);
    const auto wanted = static_cast<std::int64_t>(static_cast<double>(size()) * fraction + 0.5);
    const auto middle = order.end() - std::clamp<std::int64_t>(wanted, 1, size() - 1);
    return {select({order.begin(), middle}), select({middle, order.end()})};
}

Dataset Dataset::with_augmentation(const Augmentation& augmentation) const {
    auto impl = impl_->with_augmentation(augmentation);
    check(impl != nullptr, "Dataset::with_augmentation: this data set has no pictures");
    return Dataset(std::move(impl));
}

Dataset Dataset::without_augmentation() const {
    auto impl = impl_->with_augmentation(std::nullopt);
    return impl ? Dataset(std::move(impl)) : *this;
}

Dataset Dataset::with_normalization(const std::vector<float>& mean, const std::vector<float>& deviation) const {
    auto impl = impl_->with_normalization(mean, deviation);
    check(impl != nullptr, "Dataset::with_normalization: this data set has no pictures");
    return Dataset(std::move(impl));
}

void Dataset::fill(std::span<const std::int64_t> indices, const FillContext& context, Batch& batch) const {
    const std::int64_t examples = size();
    for (const std::int64_t index : indices)
        check(index >= 0 && index < examples, "data set: index {} of {} examples", index, examples);
    const auto count = static_cast<std::int64_t>(indices.size());
    const std::vector<Shape> shapes = impl_->input_shapes();
    const std::vector<DType> dtypes = impl_->input_dtypes();
    check(shapes.size() == dtypes.size(), "data set: {} input shapes and {} input types", shapes.size(), dtypes.size());
    batch.inputs.resize(shapes.size());
    for (std::size_t i = 0; i < shapes.size(); ++i) fit(batch.inputs[i], batched(count, shapes[i]), dtypes[i]);
    fit(batch.target, batched(count, impl_->target_shape()), impl_->target_dtype());
    if (const std::optional<Shape> weight = impl_->weight_shape())
        fit(batch.weight, batched(count, *weight), DType::f32);
    else
        batch.weight = Tensor();
    if (count > 0) impl_->fill(indices, context, batch);
}

Batch Dataset::batch(std::int64_t first, std::int64_t last, const FillContext& context) const {
    check(0 <= first && first <= last && last <= size(), "Dataset::batch: {} .. {} of {} examples", first, last,
          size());
    std::vector<std::int64_t> indices(static_cast<std::size_t>(last - first));
    std::iota(indices.begin(), indices.end(), first);
    Batch result;
    fill(indices, context, result);
    return result;
}

TensorDataset::TensorDataset(const Tensor& x, const Tensor& y, std::vector<std::string> class_names)
    : TensorDataset(std::vector<Tensor>{x}, y, std::move(class_names)) {}

TensorDataset::TensorDataset(std::vector<Tensor> inputs, const Tensor& y, std::vector<std::string> class_names)
    : Dataset(std::make_shared<TensorRows>(std::move(inputs), y, std::move(class_names))) {}

}  // namespace heddle
