#include "train/model.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string_view>

#include "core/check.h"
#include "core/random.h"
#include "data/detail/sample_weight.h"
#include "ops/autograd/grad_mode.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "train/detail/evaluation.h"
#include "train/detail/state.h"
#include "train/detail/step.h"

namespace heddle {

namespace detail {

Device device_of(const Layer& layer) {
    const NamedTensors parameters = layer.parameters();
    if (!parameters.empty()) return parameters.front().second.device();
    const NamedTensors buffers = layer.buffers();
    return buffers.empty() ? Device() : buffers.front().second.device();
}

NamedTensors all_tensors(const Layer& layer) {
    NamedTensors all = layer.parameters();
    for (const auto& buffer : layer.buffers()) all.push_back(buffer);
    return all;
}

NamedTensors in_order_of(const NamedTensors& wanted, const NamedTensors& saved) {
    const std::map<std::string, Tensor> known(saved.begin(), saved.end());
    check(known.size() == wanted.size(), "a callback has saved {} tensors, the model has {}", known.size(),
          wanted.size());
    NamedTensors result;
    for (const auto& [name, tensor] : wanted) {
        const auto place = known.find(name);
        check(place != known.end() && place->second.shape() == tensor.shape(),
              "a callback has saved {} of the model's \"{}\", which is {}",
              place == known.end() ? "nothing" : place->second.shape().to_string(), name, tensor.shape());
        result.push_back(*place);
    }
    return result;
}

NamedTensors unique_parameters(const Layer& layer) {
    NamedTensors unique;
    std::set<const TensorImpl*> seen;
    for (auto& named : layer.parameters())
        if (seen.insert(named.second.impl()).second) unique.push_back(named);
    return unique;
}

void check_trainable(const NamedTensors& parameters, const char* who) {
    check(std::any_of(parameters.begin(), parameters.end(),
                      [](const auto& named) { return named.second.requires_grad(); }),
          "{}: the model has no parameters to train{}", who, parameters.empty() ? "" : ": all are frozen");
}

void check_compiled(const Model& model, const char* who) {
    const auto& state = ModelAccess::state(model);
    check(state.compiled, "{}the model is not compiled{}: call compile({{.optimizer = ..., .loss = ...}}) first", who,
          state.why_not_compiled.empty() ? "" : fmt::format(" (its file cannot tell how: {})", state.why_not_compiled));
}

Precision precision_of(const Model& model) {
    const auto& state = ModelAccess::state(model);
    return state.compiled ? state.training.precision : Precision::f32;
}

void check_rows(const std::vector<Tensor>& inputs, const char* who) {
    check(!inputs.empty(), "{}: no inputs", who);
    for (const Tensor& input : inputs) {
        check(input.defined() && input.rank() >= 1, "{}: an input must have the batch as its first dimension", who);
        check(input.size(0) == inputs.front().size(0), "{}: inputs of {} and of {} rows", who, inputs.front().size(0),
              input.size(0));
    }
    check(inputs.front().size(0) > 0, "{}: the input is empty", who);
}

Tensor penalty(const Model& model, const NamedTensors& parameters) {
    const CompileOptions& options = model.compiled();
    Tensor total;
    const auto add = [&total](const Tensor& term) { total = total.defined() ? total + term : term; };
    if (const Tensor own = model.regularization_loss(); own.defined()) add(own);
    if (options.l1 == 0 && options.l2 == 0) return total;
    for (const auto& [name, weight] : parameters) {
        if (weight.rank() < 2 || !weight.requires_grad()) continue;
        if (options.l1 > 0) add(ops::sum(ops::abs(weight)) * options.l1);
        if (options.l2 > 0) add(ops::sum(ops::square(weight)) * options.l2);
    }
    return total;
}

Result gathered(const Model& model, GatheredMean& loss) {
    Result result{{"loss", loss.mean()}};
    for (const Metric& metric : model.metrics()) result.set(metric.name(), metric.result());
    return result;
}

}  // namespace detail

using namespace detail;

Model::Model(const Symbol& input, const Symbol& output, const std::string& name)
    : Model(std::vector<Symbol>{input}, std::vector<Symbol>{output}, name) {}

Model::Model(const std::vector<Symbol>& inputs, const std::vector<Symbol>& outputs, const std::string& name)
    : Layer(make_graph(inputs, outputs, name)), state_(std::make_shared<State>()) {
    std::vector<Shape> shapes;
    for (const Symbol& input : inputs) shapes.push_back(input.shape());
    build(shapes);
}

Model::Model(const Layer& layer) : Layer(layer), state_(std::make_shared<State>()) {
    check(impl_ != nullptr, "Model: the layer is undefined");
}

Model::State& Model::state() const {
    check(impl_ != nullptr, "this Model is undefined: give it layers");
    return *state_;
}

void Model::build(const std::vector<Shape>& inputs) const {
    state();
    Layer::build(inputs);
    check(inputs.size() == input_shapes().size(), "{}: it has {} inputs, got {}", impl_->class_name(),
          input_shapes().size(), inputs.size());
}

const std::vector<Shape>& Model::input_shapes() const {
    state();
    return impl_->built_for();
}

Layer Model::get_layer(const std::string& name) const {
    state();
    std::vector<std::string> names;
    for (const auto& [known, layer] : impl_->children()) {
        if (known == name) return layer;
        names.push_back(known);
    }
    fail(
        fmt::format("{}: no layer is called \"{}\"; there are: {}", impl_->class_name(), name, fmt::join(names, ", ")));
}

Layer Model::get_layer(std::int64_t index) const {
    state();
    const auto count = static_cast<std::int64_t>(impl_->children().size());
    check(index >= -count && index < count, "{}: there is no layer {}: the model has {}", impl_->class_name(), index,
          count);
    return impl_->children()[static_cast<std::size_t>(index < 0 ? index + count : index)].second;
}

namespace {

/// The metrics and the weighted ones, under the names that they have in results.
std::vector<Metric> all_metrics(const CompileOptions& options) {
    std::vector<Metric> all = options.metrics;
    for (const Metric& metric : options.weighted_metrics) {
        check(static_cast<bool>(metric), "compile: a weighted metric is undefined");
        const bool taken = std::any_of(options.metrics.begin(), options.metrics.end(),
                                       [&](const Metric& other) { return other.name() == metric.name(); });
        all.push_back(taken ? metric.named("weighted_" + metric.name()) : metric);
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::string& name = all[i].name();
        check(static_cast<bool>(all[i]), "compile: metric {} is undefined", i);
        check(name != "loss" && name != "seconds" && name != "learning_rate" && name != "samples_per_second",
              "compile: a metric cannot be called \"{}\"", name);
        for (std::size_t j = 0; j < i; ++j) {
            check(all[j].name() != name, "compile: two metrics are called \"{}\"", name);
            check(!all[j].is(all[i]), "compile: \"{}\" and \"{}\" are one metric: give each list one of its own",
                  all[j].name(), name);
        }
    }
    return all;
}

}  // namespace

void Model::compile(const CompileOptions& options) const {
    check(static_cast<bool>(options.optimizer), "compile: no optimizer was given");
    check(static_cast<bool>(options.loss), "compile: no loss was given");
    check(options.l1 >= 0 && options.l2 >= 0, "compile: l1 and l2 must not be negative, got {} and {}", options.l1,
          options.l2);
    state().metrics = all_metrics(options);
    state().training = options;
    state().compiled = true;
}

const CompileOptions& Model::compiled() const {
    check_compiled(*this, "");
    return state_->training;
}

const Optimizer& Model::optimizer() const { return compiled().optimizer; }
const Loss& Model::loss() const { return compiled().loss; }
const std::vector<Metric>& Model::metrics() const {
    check_compiled(*this, "");
    return state_->metrics;
}

Result Model::evaluate(const Dataset& data, const EvaluateOptions& options) const {
    check_compiled(*this, "");
    check(data.defined() && data.size() > 0, "evaluate: the data set is empty");
    build(data.input_shapes());
    const EvaluationPlan plan{options.test_augmentation, options.capture, options.resident_bytes};
    const Dataset weighted = options.sample_weight.defined() ? data.with_sample_weight(options.sample_weight) : data;
    return Evaluation(*this, weighted.without_augmentation(), {.batch_size = options.batch_size}, plan).run();
}

Result Model::evaluate(const Tensor& x, const Tensor& y, const EvaluateOptions& options) const {
    return evaluate(TensorDataset(x, y), options);
}

Result Model::train_on_batch(const Tensor& x, const Tensor& y, const TrainOnBatchOptions& options) const {
    return train_on_batch(std::vector<Tensor>{x}, y, options);
}

Result Model::train_on_batch(const std::vector<Tensor>& inputs, const Tensor& y,
                             const TrainOnBatchOptions& options) const {
    check_compiled(*this, "");
    check_rows(inputs, "train_on_batch");
    check(y.defined() && y.rank() >= 1 && y.size(0) == inputs.front().size(0),
          "train_on_batch: {} rows of inputs need as many targets, got {}", inputs.front().size(0),
          y.defined() ? y.shape().to_string() : "nothing");
    Batch batch{inputs, y};
    if (options.sample_weight.defined())
        batch.weight = checked_sample_weight(options.sample_weight, y.size(0), "train_on_batch");
    std::vector<Shape> shapes;
    for (const Tensor& input : inputs) shapes.push_back(input.shape().range(1, input.rank()));
    build(shapes);
    if (!state().trained_on_batch) {
        // A user's layer may create parameters in its first call: they must exist before the step that trains them.
        const NoGrad no_grad;
        const Generator before = default_generator();
        first_output(*this, prepared_inputs(*this, inputs, device_of(*this)), false);
        default_generator() = before;
        state().trained_on_batch = true;
    }
    for (const Metric& metric : metrics()) metric.reset();
    GatheredMean loss;
    const NamedTensors parameters = unique_parameters(*this);
    check_trainable(parameters, "train_on_batch");
    TrainSteps(*this, parameters, loss, false, options.class_weight)
        .run({.given = batch, .samples = y.size(0), .targets = y.device().kind == DeviceKind::cpu ? y : Tensor()});
    return gathered(*this, loss);
}

const std::vector<std::string>& Model::class_names() const { return state().class_names; }
void Model::set_class_names(std::vector<std::string> names) const { state().class_names = std::move(names); }
const std::optional<Preprocessing>& Model::preprocessing() const { return state().preprocessing; }
void Model::set_preprocessing(std::optional<Preprocessing> preprocessing) const {
    state().preprocessing = std::move(preprocessing);
}
const std::optional<TextVectorization>& Model::text_vectorization() const { return state().text_vectorization; }
void Model::set_text_vectorization(std::optional<TextVectorization> vectorization) const {
    state().text_vectorization = std::move(vectorization);
}

Sequential::Sequential(std::initializer_list<Layer> layers) : Sequential(std::vector<Layer>(layers)) {}

Sequential::Sequential(const std::vector<Layer>& layers, const SequentialOptions& options)
    : Model(make_chain(layers, options.name)) {
    check(!layers.empty(), "Sequential: there are no layers");
    if (options.input_shape.rank() > 0)
        build(options.input_shape);
    else if (std::string_view(layers.front()->class_name()) == "InputLayer")
        build(layers.front()->output_shape(Shape()));
}

}  // namespace heddle
