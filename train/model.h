#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/export.h"
#include "core/tensor.h"
#include "data/dataset.h"
#include "data/text_vectorization.h"
#include "layers/containers.h"
#include "layers/layer.h"
#include "layers/symbol.h"
#include "train/callback.h"
#include "train/class_weight.h"
#include "train/history.h"
#include "train/loss.h"
#include "train/metric.h"
#include "train/optimizer.h"
#include "train/precision.h"
#include "train/test_augmentation.h"

namespace heddle {

namespace detail {
struct ModelAccess;
}

struct CompileOptions {
    Optimizer optimizer = {};
    Loss loss = {};
    std::vector<Metric> metrics = {};
    /// Metrics in which examples have the weights that they have in the loss (`sample_weight`, `class_weight`), as in
    /// Keras: those of `metrics` have none. One that is called as one of `metrics` becomes "weighted_accuracy".
    std::vector<Metric> weighted_metrics = {};
    /// l1 sum |w| + l2 sum w^2 over all trainable parameters of rank 2 and more is added to the loss, in training and
    /// in evaluation (Keras' `kernel_regularizer` on every layer), to the penalties of the layers' own regularizers.
    double l1 = 0;
    double l2 = 0;
    /// What layers compute in, in training, evaluation and prediction (train/precision.h).
    Precision precision = Precision::f32;
};

/// A data set, or inputs and targets as tensors, with weights if wanted: `.validation_data = test_set`,
/// `.validation_data = {x, y}`, `.validation_data = {x, y, sample_weight}`.
class HEDDLE_API ValidationData {
  public:
    ValidationData() = default;
    ValidationData(Dataset dataset) : dataset_(std::move(dataset)) {}
    ValidationData(const Tensor& x, const Tensor& y) : dataset_(TensorDataset(x, y)) {}
    ValidationData(const Tensor& x, const Tensor& y, const Tensor& sample_weight)
        : dataset_(TensorDataset(x, y).with_sample_weight(sample_weight)) {}
    const Dataset& dataset() const { return dataset_; }

  private:
    Dataset dataset_;
};

struct FitOptions {
    std::int64_t epochs = 1;  ///< the number at which training ends, counted from epoch 0 (as in Keras)
    std::int64_t batch_size = 32;
    /// The batches of a step: the optimizer takes one step for the mean of their gradients (each counts for its
    /// examples), which is the step of one batch as large as all of them, with the memory of one. (Not of layers that
    /// look at the batch: batch norm sees one batch at a time.) Steps are the optimizer's everywhere: in schedules,
    /// `steps`, checkpoints and callbacks. The last step of an epoch has the batches that are left.
    std::int64_t gradient_accumulation_steps = 1;
    /// > 0: ends after this many steps in all, those before a resumed checkpoint included; the last epoch may be cut.
    std::int64_t steps = 0;
    ValidationData validation_data = {};
    /// The last part of the examples, before any shuffling, is kept for validation (as in Keras).
    double validation_split = 0;
    /// What the examples of each class count for in the loss (and in weighted metrics) of training, not of validation;
    /// every class has one. For losses with integer or one-hot labels, or one output of 0 or 1.
    ClassWeight class_weight = {};
    /// What each example, or each of its steps, counts for in training: `Dataset::with_sample_weight`.
    /// `validation_split` splits it, too. Beside `class_weight` the two are multiplied. The loss of a batch is
    /// sum(weight * loss) / number of losses, whatever the weights add up to (train/loss.h).
    Tensor sample_weight = {};
    bool shuffle = true;
    int verbose = 1;  ///< 0: nothing, 1: a progress bar (lines where the output is no terminal), 2: a line per epoch
    std::vector<Callback> callbacks = {};
    std::int64_t initial_epoch = 0;
    /// Of the examples' order and augmentation. Nothing given: drawn from `default_generator()`, so that `set_seed`
    /// alone makes a whole run reproducible.
    std::optional<std::uint64_t> seed = {};
    /// Not empty: `checkpoint.safetensors` is kept in this folder (train/checkpoint.h), written after each epoch, after
    /// every `checkpoint_steps` steps, and when training is interrupted.
    std::string checkpoint_dir = {};
    std::int64_t checkpoint_steps = 0;
    /// Goes on from the checkpoint in `checkpoint_dir`, to the bits that an unbroken run gives; starts anew where there
    /// is none.
    bool resume = false;
    int prefetch = 2;  ///< batches made ahead, and copied ahead to a device
    /// On a device that can: the step is captured as a graph after the first one and replayed, and so is that of
    /// validation. Same bits.
    bool capture = true;
    /// On a device: data sets of up to so many bytes (pictures as bytes) are copied to its memory once, and batches are
    /// put together there, as a part of the captured step; first the training data, then that of validation. Not given:
    /// up to half of the memory that is free there. 0: none. The batches of other data sets are made on the host and
    /// sent, which is said on stderr. Same bits.
    std::optional<std::size_t> resident_bytes = {};
};

struct EvaluateOptions {
    std::int64_t batch_size = 128;
    Tensor sample_weight = {};  ///< as in FitOptions
    TestAugmentation test_augmentation = TestAugmentation::none;
    bool capture = true;                             ///< as in FitOptions
    std::optional<std::size_t> resident_bytes = {};  ///< likewise
};

struct TrainOnBatchOptions {
    Tensor sample_weight = {};      ///< as in FitOptions
    ClassWeight class_weight = {};  ///< likewise
};

struct LoadModelOptions {
    bool compile = true;  ///< as the file says; it may say nothing
};

struct LoadOptions {
    bool strict = true;  ///< false: what is missing, unexpected or of another shape is left as it is
};

/// A layer that can be trained, evaluated, and kept in a file. A shared handle: copying it shares the layer, its
/// parameters and what `compile` set. Functional, or around any layer:
///
///     auto in = Input(Shape{32, 32, 3});
///     Model model(in, Dense(10)(Flatten()(Conv2D(16, 3)(in))));
///
/// The first output is the one that is trained.
class HEDDLE_API Model : public Layer {
  public:
    Model() = default;
    Model(const Symbol& input, const Symbol& output, const std::string& name = {});
    Model(const std::vector<Symbol>& inputs, const std::vector<Symbol>& outputs, const std::string& name = {});
    explicit Model(const Layer& layer);

    /// Creates the parameters for inputs of these shapes, without the batch.
    void build(const std::vector<Shape>& inputs) const;
    void build(const Shape& input) const { build(std::vector<Shape>{input}); }
    /// Of the inputs, without the batch; empty before the first call or `build`.
    const std::vector<Shape>& input_shapes() const;

    /// One of the layers that the model is made of, by its name or its place: Keras' `get_layer`. A layer that was
    /// given no name is called by its place ("0", "1", ...); negative places count from the end. Throws `Error` that
    /// lists the names there are, or says how many layers.
    Layer get_layer(const std::string& name) const;
    Layer get_layer(std::int64_t index) const;

    /// Sets how the model is trained and judged; may be called again. Optimizer and loss must be given.
    void compile(const CompileOptions& options) const;
    const CompileOptions& compiled() const;
    const Optimizer& optimizer() const;
    const Loss& loss() const;
    /// Those of `metrics`, then those of `weighted_metrics`.
    const std::vector<Metric>& metrics() const;

    /// Trains on the model's device. Bitwise reproducible from `default_generator()`'s state and the options. Throws
    /// `Error` before `compile`, and where shapes or labels do not fit the model.
    History fit(const Dataset& data, const FitOptions& options = {}) const;
    History fit(const Tensor& x, const Tensor& y, const FitOptions& options = {}) const;
    History fit(const std::vector<Tensor>& inputs, const Tensor& y, const FitOptions& options = {}) const;
    History fit(const Tensor&, const FitOptions&) const = delete;

    /// "loss" and the metrics over all examples, in order; augmentation is left out.
    Result evaluate(const Dataset& data, const EvaluateOptions& options = {}) const;
    Result evaluate(const Tensor& x, const Tensor& y, const EvaluateOptions& options = {}) const;
    Result evaluate(const Tensor&, const EvaluateOptions&) const = delete;

    /// The first output for x [N, ...], computed in batches without gradients, on x's device. (On a device as
    /// `evaluate` does it: what fits is copied there once, and the batches behind the first are replays.)
    Tensor predict(const Tensor& x, std::int64_t batch_size = 128) const;
    Tensor predict(const std::vector<Tensor>& inputs, std::int64_t batch_size = 128) const;
    Tensor predict(const Dataset& data, std::int64_t batch_size = 128) const;

    /// One step of training; "loss" and the metrics of this batch, before the step.
    Result train_on_batch(const Tensor& x, const Tensor& y, const TrainOnBatchOptions& options = {}) const;
    Result train_on_batch(const std::vector<Tensor>& inputs, const Tensor& y,
                          const TrainOnBatchOptions& options = {}) const;

    /// A table of layers, output shapes and parameters. Needs input shapes (`build`, a first call, or `Input`), no
    /// data.
    std::string summary() const;

    /// A whole model: configuration, weights, preprocessing (of pictures or texts) and class names in one safetensors
    /// file, weights under PyTorch's names and in its layouts. Throws `Error` where a layer has no configuration.
    ///
    /// What `compile` set goes with it, but for the precision and what optimizer and metrics have gathered (checkpoints
    /// keep that), and `load` compiles the model: its optimizer begins anew. Where the optimizer, its schedule, the
    /// loss or a metric is a function of one's own, nothing of that is kept, and the loaded model is not compiled.
    void save(const std::string& path) const;
    static Model load(const std::string& path, const LoadModelOptions& options = {});
    /// The weights alone; `load_weights` reads any safetensors file with PyTorch's names and layouts
    /// ("num_batches_tracked" is ignored). Strict loading throws one `Error` that lists every missing, unexpected and
    /// mis-shaped name, and changes nothing.
    void save_weights(const std::string& path) const;
    void load_weights(const std::string& path, const LoadOptions& options = {}) const;

    /// What `save` writes beside the weights. `fit` takes them from the data set where it has them.
    const std::vector<std::string>& class_names() const;
    void set_class_names(std::vector<std::string> names) const;
    const std::optional<Preprocessing>& preprocessing() const;
    void set_preprocessing(std::optional<Preprocessing> preprocessing) const;
    /// How the model's first input comes from texts; nothing where it does not.
    const std::optional<TextVectorization>& text_vectorization() const;
    void set_text_vectorization(std::optional<TextVectorization> vectorization) const;

  protected:
    struct State;
    State& state() const;

  private:
    friend class Fitting;
    friend struct detail::ModelAccess;
    std::shared_ptr<State> state_;
};

struct SequentialOptions {
    Shape input_shape = {};  ///< without the batch; rank 0: taken from the first input seen
    std::string name = {};
};

/// Layers one after another, given at once or by `add`.
class HEDDLE_API Sequential : public Model {
  public:
    Sequential() : Model(make_chain({})) {}
    Sequential(std::initializer_list<Layer> layers);
    explicit Sequential(const std::vector<Layer>& layers, const SequentialOptions& options = {});

    /// Appends a layer. Throws `Error` once the model is built.
    void add(const Layer& layer) const { append_to_chain(*this, layer); }
};

}  // namespace heddle
