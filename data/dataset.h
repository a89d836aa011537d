#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "data/preprocessing.h"

namespace heddle {

/// Several examples: every tensor has the batch as its leading dimension. All on the CPU.
struct Batch {
    std::vector<Tensor> inputs = {};
    Tensor target = {};
    Tensor weight = {};  ///< f32: what each example, or each of its steps, counts for; undefined: 1

    std::int64_t size() const { return target.defined() ? target.size(0) : 0; }
};

/// Random crops and mirror images, drawn for each picture in each epoch.
struct Augmentation {
    enum class Padding { zero, reflect };

    int pad = 4;                      ///< pixels added on every side before a crop of the old size; 0: no crop
    bool flip = true;                 ///< left and right exchanged for half of the pictures
    Padding padding = Padding::zero;  ///< zero: the added pixels are black (0 before normalisation)
    /// Flips alternate (Jordan 2024, arXiv:2404.00498): a picture is flipped or not at random in the first epoch, and
    /// the other way round in every next one, so that two epochs show both of its sides.
    bool alternating_flip = false;
    /// > 0: a square of so many pixels a side, its centre anywhere in the picture, becomes 0 after normalisation
    /// (DeVries and Taylor 2017, arXiv:1708.04552).
    int cutout = 0;
};

/// Where in training a batch stands: what its random choices depend on, besides the example's index.
struct FillContext {
    std::uint64_t seed = 0;
    std::uint64_t epoch = 0;
};

/// Examples as they are stored in memory, for making batches elsewhere: on a device.
struct StoredExamples {
    /// How the only input, pictures u8, becomes what `fill` writes: f32, augmented, normalised.
    struct Pictures {
        std::vector<float> mean = {};               ///< of pixels / 255, one per channel; empty: 0
        std::vector<float> inverse_deviation = {};  ///< likewise; empty: 1
        std::optional<Augmentation> augmentation = {};
    };

    std::vector<Tensor> inputs = {};        ///< on the CPU, [rows, ...]
    Tensor target = {};                     ///< likewise
    std::vector<std::int64_t> rows = {};    ///< example i is row rows[i], which it is drawn by too; empty: row i
    std::optional<Pictures> pictures = {};  ///< nothing: batches are the rows themselves
    Tensor weight = {};                     ///< f32 on the CPU, of example i (not of row i); undefined: 1
};

/// What a kind of data set implements; users derive from it for their own.
class HEDDLE_API DatasetImpl {
  public:
    virtual ~DatasetImpl();

    virtual std::int64_t size() const = 0;
    /// Of one example, without the batch; one entry per input.
    virtual std::vector<Shape> input_shapes() const = 0;
    virtual std::vector<DType> input_dtypes() const = 0;
    virtual Shape target_shape() const = 0;
    virtual DType target_dtype() const = 0;
    /// Empty where there are no classes.
    virtual std::vector<std::string> class_names() const { return {}; }
    /// Writes examples `indices` (all in range) into `batch`, whose tensors have the right shapes already. Called from
    /// several threads at once; must depend on nothing but the arguments.
    virtual void fill(std::span<const std::int64_t> indices, const FillContext& context, Batch& batch) const = 0;

    virtual std::optional<Preprocessing> preprocessing() const { return std::nullopt; }
    /// The stored examples, if batches can be made from them without `fill`; else nothing.
    virtual std::optional<StoredExamples> stored() const { return std::nullopt; }
    /// Null: this kind has no pictures to augment.
    virtual std::shared_ptr<DatasetImpl> with_augmentation(const std::optional<Augmentation>& augmentation) const;
    virtual std::shared_ptr<DatasetImpl> with_normalization(const std::vector<float>& mean,
                                                            const std::vector<float>& deviation) const;
    /// Of one example's weight, which `fill` writes into `batch.weight` (f32) then; nothing: all count the same.
    virtual std::optional<Shape> weight_shape() const { return std::nullopt; }
};

/// Examples that can be fetched by index. A shared handle: copying it shares the data, and every `with_...` and part
/// shares the examples too. Reading from several threads is safe.
class HEDDLE_API Dataset {
  public:
    /// Undefined: only `defined()` may be asked of it.
    Dataset() = default;
    explicit Dataset(std::shared_ptr<const DatasetImpl> impl) : impl_(std::move(impl)) {}

    bool defined() const { return impl_ != nullptr; }
    std::int64_t size() const { return impl_->size(); }
    std::vector<Shape> input_shapes() const { return impl_->input_shapes(); }
    /// Of the first input.
    Shape input_shape() const { return impl_->input_shapes().at(0); }
    Shape target_shape() const { return impl_->target_shape(); }
    DType target_dtype() const { return impl_->target_dtype(); }
    std::vector<std::string> class_names() const { return impl_->class_names(); }
    /// How the inputs come from pictures; nothing where they do not.
    std::optional<Preprocessing> preprocessing() const { return impl_->preprocessing(); }

    /// Examples `first` .. `last` - 1; `select` takes any, in any order. Throws `Error` for indices out of range.
    Dataset slice(std::int64_t first, std::int64_t last) const;
    Dataset select(std::vector<std::int64_t> indices) const;
    /// Two parts after a shuffle from `seed`: all but the last `fraction` (0 < fraction < 1) of the examples, and
    /// those. Neither is empty.
    std::pair<Dataset, Dataset> split(double fraction, std::uint64_t seed = 0) const;

    /// Pictures only; `Error` otherwise. What an example looks like depends on (seed, epoch, index) alone, never on
    /// threads, batches or order. `without_augmentation` leaves other data as it is.
    Dataset with_augmentation(const Augmentation& augmentation = {}) const;
    Dataset without_augmentation() const;
    /// x = (pixel / 255 - mean) / deviation, one value per channel.
    Dataset with_normalization(const std::vector<float>& mean, const std::vector<float>& deviation) const;

    /// The same examples, of which each counts for its own in the loss of training and evaluation and in weighted
    /// metrics (Keras' `sample_weight`): floating or integer, [size()], or [size(), steps, ...] for outputs of as many
    /// steps. Throws `Error` for another number of rows, a weight that is not finite, and data that is weighted
    /// already.
    Dataset with_sample_weight(const Tensor& weight) const;

    /// Fills the tensors of `batch`, replacing those that do not fit. Throws `Error` for an index out of
    /// range.
    void fill(std::span<const std::int64_t> indices, const FillContext& context, Batch& batch) const;
    /// Examples `first` .. `last` - 1 as a batch.
    Batch batch(std::int64_t first, std::int64_t last, const FillContext& context = {}) const;

    const std::shared_ptr<const DatasetImpl>& impl() const { return impl_; }

  private:
    std::shared_ptr<const DatasetImpl> impl_;
};

/// Rows of tensors: x (one, or several inputs) [N, ...] and y [N, ...], any dtypes. Copies to the CPU what is
/// elsewhere.
class HEDDLE_API TensorDataset : public Dataset {
  public:
    explicit TensorDataset(const Tensor& x, const Tensor& y, std::vector<std::string> class_names = {});
    explicit TensorDataset(std::vector<Tensor> inputs, const Tensor& y, std::vector<std::string> class_names = {});
};

struct ImageOptions {
    std::vector<std::string> class_names = {};
    std::vector<float> mean = {};       ///< of pixels / 255, one per channel; empty: 0
    std::vector<float> deviation = {};  ///< likewise; empty: 1
};

/// Pictures u8 [N, height, width, channels] kept in memory, and labels i64 [N]. Inputs are f32, normalised when
/// fetched. Throws `Error` naming the picture for a label below 0, or not below the number of class names.
class HEDDLE_API ImageDataset : public Dataset {
  public:
    ImageDataset(const Tensor& pictures, const Tensor& labels, const ImageOptions& options = {});
};

/// Mean and standard deviation of u8 [N, H, W, C] pixels / 255, per channel.
struct PixelStatistics {
    std::vector<float> mean = {};
    std::vector<float> deviation = {};
};
HEDDLE_API PixelStatistics pixel_statistics(const Tensor& pictures);

}  // namespace heddle
