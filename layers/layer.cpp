#include "layers/layer.h"

#include <map>
#include <mutex>

#include "core/check.h"
#include "layers/detail/registry.h"
#include "layers/symbol.h"
#include "ops/autograd/grad_mode.h"
#include "ops/detail/scope.h"

namespace heddle {
namespace {

std::vector<Shape> sample_shapes(const std::vector<Tensor>& inputs) {
    std::vector<Shape> shapes;
    for (const Tensor& input : inputs) {
        check(input.defined() && input.rank() >= 1, "expected inputs with a batch dimension, got {}", input);
        shapes.push_back(input.shape().range(1, input.rank()));
    }
    return shapes;
}

void collect(const Layer& layer, const std::string& prefix, bool buffers, NamedTensors& result) {
    for (const auto& [name, tensor] : buffers ? layer->own_buffers() : layer->own_parameters())
        result.emplace_back(prefix + name, tensor);
    for (const auto& [name, child] : layer->children()) collect(child, prefix + name + ".", buffers, result);
}

/// Moves the storage under the handle, so that optimizers and other holders follow.
void move_in_place(const Tensor& tensor, Device device) {
    if (tensor.device() == device) return;
    const Tensor moved = tensor.detach().to(device);
    tensor.impl()->storage = moved.impl()->storage;
    tensor.impl()->byte_offset = moved.impl()->byte_offset;
    tensor.zero_grad();
}

void copy_tensors(const NamedTensors& from, const NamedTensors& to) {
    for (std::size_t i = 0; i < from.size(); ++i) to[i].second.copy_(from[i].second);
}

}  // namespace

LayerImpl::~LayerImpl() = default;

void LayerImpl::build(const Shape&) {}

void LayerImpl::build(const std::vector<Shape>& inputs) {
    if (inputs.size() == 1) build(inputs[0]);
}

Tensor LayerImpl::forward(const Tensor&, bool) {
    fail(fmt::format("{}: forward is not defined for one input", class_name()));
}

std::vector<Tensor> LayerImpl::forward(const std::vector<Tensor>& inputs, bool training) {
    check(inputs.size() == 1, "{}: expected one input, got {}", class_name(), inputs.size());
    return {forward(inputs[0], training)};
}

Shape LayerImpl::output_shape(const Shape& input) const { return input; }

std::vector<Shape> LayerImpl::output_shapes(const std::vector<Shape>& inputs) const {
    check(inputs.size() == 1, "{}: expected one input, got {}", class_name(), inputs.size());
    return {output_shape(inputs[0])};
}

Config LayerImpl::config() const {
    fail(fmt::format(
        "{}{}{}{}: this layer cannot be described, so it cannot be saved as a whole or cloned; override config() "
        "and call register_layer(), or save the weights alone",
        class_name(), name_.empty() ? "" : " \"", name_, name_.empty() ? "" : "\""));
}

Tensor LayerImpl::forward_fused(const Tensor&, LayerImpl&, bool) { return Tensor(); }

void LayerImpl::set_trainable(bool trainable) {
    trainable_ = trainable;
    for (auto& [name, tensor] : parameters_) tensor.set_requires_grad(trainable);
    for (auto& [name, child] : children_) child->set_trainable(trainable);
}

Tensor LayerImpl::add_parameter(const std::string& name, Tensor initial) {
    initial.set_requires_grad(trainable_);
    parameters_.emplace_back(name, initial);
    return initial;
}

Tensor LayerImpl::add_buffer(const std::string& name, Tensor initial) {
    buffers_.emplace_back(name, initial);
    return initial;
}

Layer LayerImpl::add_child(const std::string& name, Layer child) {
    check(static_cast<bool>(child), "{}: child \"{}\" is an empty layer", class_name(), name);
    children_.emplace_back(name, child);
    if (child->name().empty()) child->set_name(name);
    return child;
}

Tensor Layer::operator()(const Tensor& x, bool training) const {
    const ops::LayerScope scope(impl_->class_name(), impl_->name());
    if (!impl_->built_) build(sample_shapes({x}));
    return impl_->forward(x, training);
}

std::vector<Tensor> Layer::operator()(const std::vector<Tensor>& inputs, bool training) const {
    const ops::LayerScope scope(impl_->class_name(), impl_->name());
    if (!impl_->built_) build(sample_shapes(inputs));
    return impl_->forward(inputs, training);
}

void Layer::build(const std::vector<Shape>& inputs) const {
    if (impl_->built_) return;
    const NoGrad no_grad;
    impl_->build(inputs);
    impl_->built_for_ = inputs;
    impl_->built_ = true;
}

NamedTensors Layer::parameters() const {
    NamedTensors result;
    collect(*this, "", false, result);
    return result;
}

NamedTensors Layer::buffers() const {
    NamedTensors result;
    collect(*this, "", true, result);
    return result;
}

std::int64_t Layer::parameter_count() const {
    std::int64_t count = 0;
    for (const auto& [name, tensor] : parameters()) count += tensor.elements();
    return count;
}

const Layer& Layer::to(Device device) const {
    for (const auto& [name, tensor] : parameters()) move_in_place(tensor, device);
    for (const auto& [name, tensor] : buffers()) move_in_place(tensor, device);
    return *this;
}

void Layer::set_trainable(bool trainable) const { impl_->set_trainable(trainable); }

void Layer::zero_grad() const {
    for (const auto& [name, tensor] : parameters()) tensor.zero_grad();
}

Config Layer::config() const {
    Config config;
    config.set("class", impl_->class_name());
    if (!impl_->name().empty()) config.set("name", impl_->name());
    if (!impl_->trainable()) config.set("trainable", false);
    config.set("config", impl_->config());
    return config;
}

namespace {

struct Registry {
    std::mutex mutex;
    std::map<std::string, std::function<Layer(const Config&)>> makers;
    Registry() { add_builtin_layers(makers); }
};

Registry& registry() {
    static Registry& instance = *new Registry;
    return instance;
}

}  // namespace

void register_layer(const std::string& class_name, std::function<Layer(const Config&)> make) {
    const std::lock_guard lock(registry().mutex);
    registry().makers[class_name] = std::move(make);
}

Layer Layer::from_config(const Config& config) {
    const std::string& class_name = config.at("class").string();
    std::function<Layer(const Config&)> make;
    {
        const std::lock_guard lock(registry().mutex);
        const auto found = registry().makers.find(class_name);
        check(found != registry().makers.end(), "unknown layer class \"{}\": call register_layer(\"{}\", ...) first",
              class_name, class_name);
        make = found->second;
    }
    Layer layer = make(config.at("config"));
    if (config.has("name")) layer->set_name(config.at("name").string());
    if (config.has("trainable") && !config.at("trainable").boolean()) layer.set_trainable(false);
    return layer;
}

Layer Layer::clone() const {
    Layer copy = from_config(config());
    if (impl_->built()) copy.build(impl_->built_for());
    if (const NamedTensors tensors = parameters(); !tensors.empty()) copy.to(tensors[0].second.device());
    copy_tensors(parameters(), copy.parameters());
    copy_tensors(buffers(), copy.buffers());
    return copy;
}

}  // namespace heddle
