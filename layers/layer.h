#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/export.h"
#include "core/tensor.h"
#include "layers/constraint.h"
#include "layers/regularizer.h"

namespace heddle {

class Layer;
class Symbol;

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
using NamedLayers = std::vector<std::pair<std::string, Layer>>;

/// What training does with a parameter besides following its gradient.
struct ParameterRules {
    Regularizer regularizer = {};  ///< added to the loss
    Constraint constraint = {};    ///< restored after every step
};

/// What a layer is and does. A user's own layer derives from this and is handed out by a small class derived from
/// `Layer`:
///
///     class Scale : public Layer {
///         struct Impl : LayerImpl {
///             Tensor factor;
///             const char* class_name() const override { return "Scale"; }
///             void build(const Shape& input) override {
///                 factor = add_parameter("factor", Tensor::ones(Shape{input.back()}));
///             }
///             Tensor forward(const Tensor& x, bool) override { return x * factor; }
///         };
///       public:
///         Scale() : Layer(std::make_shared<Impl>()) {}
///     };
///
/// Shapes given to `build` and `output_shape` are those of one sample, without the batch dimension. A layer of one
/// input and one output overrides the single forms; others the vector forms.
class HEDDLE_API LayerImpl {
  public:
    explicit LayerImpl(std::string name = {}) : name_(std::move(name)), named_(!name_.empty()) {}
    virtual ~LayerImpl();
    LayerImpl(const LayerImpl&) = delete;
    LayerImpl& operator=(const LayerImpl&) = delete;

    /// "Conv2D", "Dense", ...: the name under which `config()` is read back.
    virtual const char* class_name() const = 0;

    /// Creates parameters at the first sight of the input shapes; called once.
    virtual void build(const Shape& input);
    virtual void build(const std::vector<Shape>& inputs);

    virtual Tensor forward(const Tensor& x, bool training);
    virtual std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool training);

    /// Default: the shape of the input.
    virtual Shape output_shape(const Shape& input) const;
    virtual std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const;

    /// The settings from which `Layer::from_config` makes the same layer again. The default throws `Error`: a layer
    /// that cannot be described (a Lambda, a user's class that does not override this) says so.
    virtual Config config() const;

    /// Whether the first output has the steps of the first input, so that a mask goes on with them (ops/mask.h; Keras'
    /// name). Otherwise it ends here, unless `forward` gives its outputs masks of its own.
    virtual bool supports_masking() const { return false; }

    /// Whether weights of rank 3 and more are [out, kernel..., in]: on disk the input channels come second, as in
    /// PyTorch.
    virtual bool convolves() const { return false; }

    /// Runs this layer and `next` as one if there is a fused form (Conv2D with ReLU before MaxPooling2D, for example);
    /// returns an undefined tensor if there is none. Containers call this
    /// when nobody else needs the tensor in between.
    virtual Tensor forward_fused(const Tensor& x, LayerImpl& next, bool training);

    /// The name given, else the one under which the first layer around this one holds it.
    const std::string& name() const { return name_; }
    void set_name(std::string name) {
        name_ = std::move(name);
        named_ = !name_.empty();
    }
    /// Whether the name was given: containers name the other layers by position.
    bool named() const { return named_; }
    bool built() const { return built_; }
    /// The shapes that `build` was called with.
    const std::vector<Shape>& built_for() const { return built_for_; }
    /// Frozen layers: their parameters get no gradient, and batch norm uses its running statistics.
    bool trainable() const { return trainable_; }
    void set_trainable(bool trainable);

    const NamedTensors& own_parameters() const { return parameters_; }
    /// One for each of `own_parameters()`.
    const std::vector<ParameterRules>& own_rules() const { return rules_; }
    const NamedTensors& own_buffers() const { return buffers_; }
    const NamedLayers& children() const { return children_; }

  protected:
    /// Registers a trainable tensor under its name on disk (PyTorch's: "weight", "bias"); returns it with gradients
    /// wanted.
    Tensor add_parameter(const std::string& name, Tensor initial, const ParameterRules& rules = {});
    /// Registers state that is saved but not trained (running statistics).
    Tensor add_buffer(const std::string& name, Tensor initial);
    /// Registers a layer inside this one; returns it.
    Layer add_child(const std::string& name, Layer child);

  private:
    friend class Layer;
    void freeze(const std::string& path);

    std::string name_;
    bool named_ = false;
    bool built_ = false;
    std::vector<Shape> built_for_;
    bool trainable_ = true;
    std::vector<std::string> freeze_later_;  // paths into children that `build` has yet to add
    NamedTensors parameters_;
    std::vector<ParameterRules> rules_;
    NamedTensors buffers_;
    NamedLayers children_;
};

/// A shared handle to a layer: copying it shares the layer and its parameters; a layer called twice shares its weights.
class HEDDLE_API Layer {
  public:
    Layer() = default;
    explicit Layer(std::shared_ptr<LayerImpl> impl) : impl_(std::move(impl)) {}

    /// Applies the layer, building it first where needed. Errors name the layer by its path.
    Tensor operator()(const Tensor& x, bool training = false) const;
    std::vector<Tensor> operator()(const std::vector<Tensor>& inputs, bool training = false) const;
    /// Applies the layer to symbols: the functional way to a model.
    Symbol operator()(const Symbol& x) const;
    Symbol operator()(const std::vector<Symbol>& inputs) const;
    /// All outputs of a layer that has several; `operator()` gives the first.
    std::vector<Symbol> outputs(const std::vector<Symbol>& inputs) const;

    /// Creates the parameters for inputs of these shapes (without the batch dimension) if that has not happened yet.
    void build(const std::vector<Shape>& inputs) const;

    /// Parameters and buffers of this layer and all inside it, named by path: "stage1.0.conv1.weight".
    NamedTensors parameters() const;
    NamedTensors buffers() const;
    /// Elements of all parameters, each counted once where layers share them.
    std::int64_t parameter_count() const;

    /// Moves parameters and buffers; handles to them stay valid.
    const Layer& to(Device device) const;
    void set_trainable(bool trainable) const;
    void zero_grad() const;

    /// The regularizers' penalties on the parameters that are trained, of this layer and all inside it, added up;
    /// undefined where there is none. A compiled model adds it to its loss; a loop of one's own does so itself.
    Tensor regularization_loss() const;
    /// Restores the constraints of the parameters that are trained. A compiled model does it after every step.
    void apply_constraints() const;

    /// Class name and settings, what is frozen, and which layers inside are the same; `from_config` is the inverse.
    /// Register own classes with `register_layer`.
    Config config() const;
    static Layer from_config(const Config& config);
    /// A layer of its own: from `config()` and copies of the tensors. Layers shared inside are shared in the copy.
    Layer clone() const;

    explicit operator bool() const { return static_cast<bool>(impl_); }
    LayerImpl* operator->() const { return impl_.get(); }
    LayerImpl& impl() const { return *impl_; }
    bool operator==(const Layer& other) const { return impl_ == other.impl_; }

  protected:
    std::shared_ptr<LayerImpl> impl_;
};

/// Makes `Layer::from_config` know a class: `make` gets what the layer's `config()` returned.
HEDDLE_API void register_layer(const std::string& class_name, std::function<Layer(const Config&)> make);

}  // namespace heddle
