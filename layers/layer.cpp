#include "layers/layer.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "core/check.h"
#include "layers/detail/registry.h"
#include "layers/symbol.h"
#include "ops/autograd/grad_mode.h"
#include "ops/detail/scope.h"
#include "ops/mask.h"

namespace heddle {
namespace {

std::vector<Shape> sample_shapes(const LayerImpl& layer, const std::vector<Tensor>& inputs) {
    const ops::LayerScope scope(layer.class_name(), layer.name());
    std::vector<Shape> shapes;
    for (const Tensor& input : inputs) {
        ops::require(input.defined() && input.rank() >= 1, layer.class_name(),
                     "expected inputs with a batch dimension, got {}", input);
        shapes.push_back(input.shape().range(1, input.rank()));
    }
    return shapes;
}

void collect(const Layer& layer, const std::string& prefix, bool buffers, NamedTensors& result) {
    for (const auto& [name, tensor] : buffers ? layer->own_buffers() : layer->own_parameters())
        result.emplace_back(prefix + name, tensor);
    for (const auto& [name, child] : layer->children()) collect(child, prefix + name + ".", buffers, result);
}

/// Replaces the storage behind the handle, so that optimizers and other holders of the tensor see the move.
void move_in_place(const Tensor& tensor, Device device) {
    if (tensor.device() == device) return;
    const Tensor moved = tensor.detach().to(device);
    tensor.impl()->storage = moved.impl()->storage;
    tensor.impl()->byte_offset = moved.impl()->byte_offset;
    tensor.zero_grad();
}

void copy_tensors(const LayerImpl& layer, const NamedTensors& from, const NamedTensors& to) {
    check(from.size() == to.size(), "{}: config() does not describe the whole layer: {} tensors, {} in the copy",
          layer.class_name(), from.size(), to.size());
    for (std::size_t i = 0; i < from.size(); ++i) to[i].second.copy_(from[i].second);
}

void hand_on_mask(const LayerImpl& layer, const Tensor& x, const Tensor& y) {
    if (const Tensor mask = ops::mask_of(x); mask.defined() && layer.supports_masking()) ops::set_mask(y, mask);
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
    for (auto& [name, tensor] : parameters_) {
        tensor.set_requires_grad(trainable);
        if (!trainable) tensor.zero_grad();  // an optimizer would still follow it
    }
    for (auto& [name, child] : children_) child->set_trainable(trainable);
}

Tensor LayerImpl::add_parameter(const std::string& name, Tensor initial, const ParameterRules& rules) {
    initial.set_requires_grad(trainable_);
    parameters_.emplace_back(name, initial);
    rules_.push_back(rules);
    return initial;
}

Tensor LayerImpl::add_buffer(const std::string& name, Tensor initial) {
    buffers_.emplace_back(name, initial);
    return initial;
}

Layer LayerImpl::add_child(const std::string& name, Layer child) {
    check(static_cast<bool>(child), "{}: child \"{}\" is an empty layer", class_name(), name);
    children_.emplace_back(name, child);
    if (child->name_.empty()) child->name_ = name;
    if (!trainable_) child->set_trainable(false);
    std::erase_if(freeze_later_, [&](const std::string& path) {
        if (path.substr(0, path.find('/')) != name) return false;
        child->freeze(path.substr(std::min(name.size() + 1, path.size())));
        return true;
    });
    return child;
}

/// Freezes the one layer at "child/child/..." (empty: this one), not those inside it.
void LayerImpl::freeze(const std::string& path) {
    if (path.empty()) {
        trainable_ = false;
        for (auto& [name, tensor] : parameters_) {
            tensor.set_requires_grad(false);
            tensor.zero_grad();
        }
        return;
    }
    const std::string first = path.substr(0, path.find('/'));
    for (const auto& [name, child] : children_)
        if (name == first) return child->freeze(path.substr(std::min(first.size() + 1, path.size())));
    freeze_later_.push_back(path);
}

Tensor Layer::operator()(const Tensor& x, bool training) const {
    check(impl_ != nullptr, "an empty Layer was called");
    if (!impl_->built_) build(sample_shapes(*impl_, {x}));
    const ops::LayerScope scope(impl_->class_name(), impl_->name());
    Tensor y = impl_->forward(x, training);
    hand_on_mask(*impl_, x, y);
    return y;
}

std::vector<Tensor> Layer::operator()(const std::vector<Tensor>& inputs, bool training) const {
    check(impl_ != nullptr, "an empty Layer was called");
    if (!impl_->built_) build(sample_shapes(*impl_, inputs));
    const ops::LayerScope scope(impl_->class_name(), impl_->name());
    std::vector<Tensor> outputs = impl_->forward(inputs, training);
    if (!inputs.empty() && !outputs.empty()) hand_on_mask(*impl_, inputs[0], outputs[0]);
    return outputs;
}

void Layer::build(const std::vector<Shape>& inputs) const {
    check(impl_ != nullptr, "an empty Layer cannot be built");
    if (impl_->built_) return;
    const NoGrad no_grad;
    const ops::LayerScope scope(impl_->class_name(), impl_->name());
    const std::size_t parameters = impl_->parameters_.size(), buffers = impl_->buffers_.size(),
                      children = impl_->children_.size();
    try {
        impl_->build(inputs);
    } catch (...) {
        // As before, so that the next call can try again.
        impl_->parameters_.resize(parameters);
        impl_->rules_.resize(parameters);
        impl_->buffers_.resize(buffers);
        impl_->children_.resize(children);
        throw;
    }
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
    std::set<const TensorImpl*> seen;
    for (const auto& [name, tensor] : parameters())
        if (seen.insert(tensor.impl()).second) count += tensor.elements();
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

namespace {

/// Calls `body(parameter, rules)` for every trainable parameter, once for a layer that is used in several places.
template <class Body>
void each_trained(const LayerImpl& layer, std::set<const LayerImpl*>& seen, const Body& body) {
    if (!seen.insert(&layer).second) return;
    for (std::size_t i = 0; i < layer.own_parameters().size(); ++i)
        if (const Tensor& parameter = layer.own_parameters()[i].second; parameter.requires_grad())
            body(parameter, layer.own_rules()[i]);
    for (const auto& [name, child] : layer.children()) each_trained(child.impl(), seen, body);
}

}  // namespace

Tensor Layer::regularization_loss() const {
    Tensor total;
    std::set<const LayerImpl*> seen;
    each_trained(*impl_, seen, [&](const Tensor& parameter, const ParameterRules& rules) {
        if (!rules.regularizer) return;
        const Tensor penalty = rules.regularizer(parameter);
        total = total.defined() ? total + penalty : penalty;
    });
    return total;
}

void Layer::apply_constraints() const {
    std::set<const LayerImpl*> seen;
    each_trained(*impl_, seen,
                 [](const Tensor& parameter, const ParameterRules& rules) { rules.constraint.apply(parameter); });
}

namespace {

/// Set while the outermost `config()` runs: layers that occur several times in it get a number.
struct Describing {
    std::map<const LayerImpl*, std::int64_t> shared = {};
    std::set<const LayerImpl*> described = {};
};
thread_local Describing* describing = nullptr;

/// Set while the outermost `from_config()` runs: the layers that have a number.
thread_local std::map<std::int64_t, Layer>* making = nullptr;

/// Sets a pointer to a local until the end of the scope.
template <class T>
struct Scoped {
    T*& pointer;
    Scoped(T*& where, T& local) : pointer(where) { pointer = &local; }
    ~Scoped() { pointer = nullptr; }
    Scoped(const Scoped&) = delete;
    Scoped& operator=(const Scoped&) = delete;
};

void find_shared(const Layer& layer, std::set<const LayerImpl*>& seen,
                 std::map<const LayerImpl*, std::int64_t>& shared) {
    if (!seen.insert(&layer.impl()).second) {
        shared.emplace(&layer.impl(), static_cast<std::int64_t>(shared.size()));
        return;
    }
    for (const auto& [name, child] : layer->children()) find_shared(child, seen, shared);
}

/// Collects the paths of frozen layers; returns whether all layers are frozen.
bool find_frozen(const LayerImpl& layer, const std::string& path, std::vector<std::string>& frozen) {
    bool all = !layer.trainable();
    if (all) frozen.push_back(path);
    for (const auto& [name, child] : layer.children())
        all &= find_frozen(child.impl(), path.empty() ? name : path + "/" + name, frozen);
    return all;
}

}  // namespace

Config Layer::config() const {
    if (!describing) {
        Describing all;
        std::set<const LayerImpl*> seen;
        find_shared(*this, seen, all.shared);
        Config config;
        {
            const Scoped scoped(describing, all);
            config = this->config();
        }
        std::vector<std::string> frozen;
        if (!find_frozen(*impl_, "", frozen) && !frozen.empty())
            config.set("frozen", Config::Array(frozen.begin(), frozen.end()));
        return config;
    }
    const auto number = describing->shared.find(impl_.get());
    const bool shared = number != describing->shared.end();
    if (shared && !describing->described.insert(impl_.get()).second) return Config().set("same_as", number->second);
    Config config;
    config.set("class", impl_->class_name());
    if (shared) config.set("number", number->second);
    if (impl_->named()) config.set("name", impl_->name());
    if (std::vector<std::string> frozen; find_frozen(*impl_, "", frozen)) config.set("trainable", false);
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
    if (!making) {
        std::map<std::int64_t, Layer> numbered;
        const Scoped scoped(making, numbered);
        Layer layer = from_config(config);
        if (config.has("frozen"))
            for (const Config& path : config.at("frozen").array()) layer->freeze(path.string());
        return layer;
    }
    if (config.has("same_as")) {
        const auto known = making->find(config.at("same_as").integer());
        check(known != making->end(), "layer {} is used before it is described", config.at("same_as").integer());
        return known->second;
    }
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
    if (config.has("number")) making->emplace(config.at("number").integer(), layer);
    return layer;
}

Layer Layer::clone() const {
    Layer copy = from_config(config());
    if (impl_->built()) copy.build(impl_->built_for());
    if (const NamedTensors tensors = parameters(); !tensors.empty()) copy.to(tensors[0].second.device());
    copy_tensors(*impl_, parameters(), copy.parameters());
    copy_tensors(*impl_, buffers(), copy.buffers());
    return copy;
}

}  // namespace heddle
