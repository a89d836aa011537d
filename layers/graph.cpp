#include <algorithm>
#include <map>
#include <set>

#include "core/check.h"
#include "layers/containers.h"
#include "layers/core.h"
#include "layers/detail/fuse.h"
#include "layers/detail/registry.h"

// The layer behind a functional Model: the calls between inputs and outputs, in an order in which each follows its
// inputs.
namespace heddle {
namespace {

using Call = GraphCall;

struct GraphImpl final : LayerImpl {
    std::vector<Shape> input_shapes;
    std::vector<Call> calls;
    std::vector<std::size_t> results;
    std::vector<int> uses;  // of each value, results included

    GraphImpl(std::vector<Shape> shapes, const std::vector<Layer>& layers, std::vector<Call> graph,
              std::vector<std::size_t> outputs, const std::string& name)
        : LayerImpl(name), input_shapes(std::move(shapes)), calls(std::move(graph)), results(std::move(outputs)) {
        for (std::size_t i = 0; i < layers.size(); ++i)
            add_child(layers[i]->named() ? layers[i]->name() : std::to_string(i), layers[i]);
        for (std::size_t i = 0; i < children().size(); ++i)
            for (std::size_t j = 0; j < i; ++j)
                check(children()[i].first != children()[j].first, "Functional: two layers are called \"{}\"",
                      children()[i].first);
        std::size_t values = input_shapes.size();
        for (Call& call : calls) {
            call.first_output = values;
            values += call.outputs;
        }
        uses.assign(values, 0);
        for (const Call& call : calls)
            for (const std::size_t input : call.inputs) ++uses[input];
        for (const std::size_t result : results) ++uses[result];
    }
    const char* class_name() const override { return "Functional"; }

    std::vector<Shape> walk(const std::vector<Shape>& inputs, bool building) const {
        check(inputs.size() == input_shapes.size(), "{}: expected {} inputs, got {}", class_name(), input_shapes.size(),
              inputs.size());
        std::vector<Shape> values = inputs;
        for (const Call& call : calls) {
            const Layer& layer = children()[call.child].second;
            std::vector<Shape> arguments;
            for (const std::size_t input : call.inputs) arguments.push_back(values[input]);
            if (building) layer.build(arguments);
            const std::vector<Shape> outputs = layer->output_shapes(arguments);
            check(outputs.size() == call.outputs, "{}: {} \"{}\" has {} outputs, expected {}", class_name(),
                  layer->class_name(), layer->name(), outputs.size(), call.outputs);
            values.insert(values.end(), outputs.begin(), outputs.end());
        }
        return values;
    }
    void build(const std::vector<Shape>& inputs) override { walk(inputs, true); }
    std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override {
        const std::vector<Shape> values = walk(inputs, false);
        std::vector<Shape> shapes;
        for (const std::size_t result : results) shapes.push_back(values[result]);
        return shapes;
    }
    Shape output_shape(const Shape& input) const override { return output_shapes({input})[0]; }

    Tensor forward(const Tensor& x, bool training) override {
        check(results.size() == 1, "{}: the model has {} outputs; call it with a vector of inputs", class_name(),
              results.size());
        return forward(std::vector<Tensor>{x}, training)[0];
    }
    std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool training) override {
        check(inputs.size() == input_shapes.size(), "{}: expected {} inputs, got {}", class_name(), input_shapes.size(),
              inputs.size());
        std::vector<Tensor> values = inputs;
        values.resize(uses.size());
        std::vector<int> left = uses;
        for (std::size_t i = 0; i < calls.size(); ++i) {
            const Call& call = calls[i];
            const Layer& layer = children()[call.child].second;
            if (const Layer* next = only_reader(i); next && call.inputs.size() == 1 && layer->built()) {
                auto fused = detail::forward_fused(layer, values[call.inputs[0]], *next, only_reader(i + 1), training);
                if (fused.layers > 0) {
                    release(call, values, left);
                    i += fused.layers - 1;
                    values[calls[i].first_output] = std::move(fused.y);
                    continue;
                }
            }
            std::vector<Tensor> arguments;
            for (const std::size_t input : call.inputs) arguments.push_back(values[input]);
            release(call, values, left);
            std::vector<Tensor> outputs = layer(arguments, training);
            check(outputs.size() == call.outputs, "{}: {} \"{}\" has {} outputs, expected {}", class_name(),
                  layer->class_name(), layer->name(), outputs.size(), call.outputs);
            for (std::size_t k = 0; k < outputs.size(); ++k) values[call.first_output + k] = std::move(outputs[k]);
        }
        std::vector<Tensor> outputs;
        for (const std::size_t result : results) outputs.push_back(values[result]);
        return outputs;
    }

    Config config() const override {
        const auto numbers = [](const std::vector<std::size_t>& values) {
            return Config(std::vector<std::int64_t>(values.begin(), values.end()));
        };
        Config::Array shapes, layers, graph;
        for (const Shape& shape : input_shapes) shapes.push_back(std::vector<std::int64_t>(shape.begin(), shape.end()));
        for (const auto& [name, layer] : children()) layers.push_back(layer.config());
        for (const Call& call : calls)
            graph.push_back(Config()
                                .set("layer", static_cast<std::int64_t>(call.child))
                                .set("inputs", numbers(call.inputs))
                                .set("outputs", static_cast<std::int64_t>(call.outputs)));
        return Config()
            .set("inputs", std::move(shapes))
            .set("layers", std::move(layers))
            .set("calls", std::move(graph))
            .set("outputs", numbers(results));
    }

  private:
    /// The layer of the call after call `i`, if it is the only reader of the only value of call `i`; else null.
    const Layer* only_reader(std::size_t i) const {
        if (i + 1 >= calls.size()) return nullptr;
        const Call &call = calls[i], &next = calls[i + 1];
        const bool alone = call.outputs == 1 && uses[call.first_output] == 1 && next.inputs.size() == 1 &&
                           next.inputs[0] == call.first_output;
        return alone ? &children()[next.child].second : nullptr;
    }

    /// Drops values that no later call needs, so that their memory can be used again.
    static void release(const Call& call, std::vector<Tensor>& values, std::vector<int>& left) {
        for (const std::size_t input : call.inputs)
            if (--left[input] == 0) values[input] = Tensor();
    }
};

Layer graph_from_config(const Config& c) {
    std::vector<Shape> shapes;
    for (const Config& shape : c.at("inputs").array()) {
        const std::vector<std::int64_t> extents = shape.integers();
        shapes.emplace_back(std::span<const std::int64_t>(extents));
    }
    std::vector<Layer> layers;
    for (const Config& layer : c.at("layers").array()) layers.push_back(Layer::from_config(layer));
    std::size_t values = shapes.size();
    const auto indices = [&](const Config& list) {
        std::vector<std::size_t> result;
        for (const std::int64_t value : list.integers()) {
            check(value >= 0 && static_cast<std::size_t>(value) < values,
                  "Functional: value {} is used before it is made", value);
            result.push_back(static_cast<std::size_t>(value));
        }
        return result;
    };
    std::vector<Call> calls;
    for (const Config& call : c.at("calls").array()) {
        const std::int64_t layer = call.at("layer").integer(), outputs = call.at("outputs").integer();
        check(layer >= 0 && static_cast<std::size_t>(layer) < layers.size() && outputs >= 1 && outputs <= 1024,
              "Functional: a call of layer {} with {} outputs", layer, outputs);
        calls.push_back(
            {static_cast<std::size_t>(layer), indices(call.at("inputs")), 0, static_cast<std::size_t>(outputs)});
        values += calls.back().outputs;
    }
    return Layer(std::make_shared<GraphImpl>(shapes, layers, calls, indices(c.at("outputs")), std::string()));
}

}  // namespace

Symbol Input(const Shape& shape) { return Symbol(std::make_shared<Symbol::Maker>(), 0, shape); }

Symbol Layer::operator()(const Symbol& x) const { return (*this)(std::vector<Symbol>{x}); }

Symbol Layer::operator()(const std::vector<Symbol>& inputs) const { return outputs(inputs)[0]; }

std::vector<Symbol> Layer::outputs(const std::vector<Symbol>& inputs) const {
    std::vector<Shape> shapes;
    for (const Symbol& input : inputs) {
        check(static_cast<bool>(input.maker()), "a layer was called with an empty symbol");
        shapes.push_back(input.shape());
    }
    build(shapes);
    const std::vector<Shape> results = impl_->output_shapes(shapes);
    check(!results.empty(), "{}: no outputs", impl_->class_name());
    const auto maker = std::make_shared<Symbol::Maker>(Symbol::Maker{*this, inputs, results.size()});
    std::vector<Symbol> symbols;
    for (const Shape& shape : results) symbols.emplace_back(maker, static_cast<int>(symbols.size()), shape);
    return symbols;
}

Layer make_graph(const std::vector<Symbol>& inputs, const std::vector<Symbol>& outputs, const std::string& name) {
    check(!inputs.empty() && !outputs.empty(), "Model: expected at least one input and one output");
    std::map<const Symbol::Maker*, std::size_t> first_value;
    std::vector<Shape> shapes;
    for (const Symbol& input : inputs) {
        check(input.maker() && !input.maker()->layer, "Model: the inputs must be made by Input()");
        check(first_value.emplace(input.maker().get(), shapes.size()).second, "Model: an input is listed twice");
        shapes.push_back(input.shape());
    }
    std::vector<Layer> layers;
    std::vector<Call> calls;
    std::size_t values = shapes.size();
    // Depth-first with an explicit stack: a maker is emitted after all of its inputs.
    std::vector<const Symbol::Maker*> stack;
    for (const Symbol& output : outputs) {
        check(static_cast<bool>(output.maker()), "Model: an output is an empty symbol");
        stack.push_back(output.maker().get());
        while (!stack.empty()) {
            const Symbol::Maker* maker = stack.back();
            if (first_value.contains(maker)) {
                stack.pop_back();
                continue;
            }
            check(static_cast<bool>(maker->layer),
                  "Model: an output depends on an Input() that is not among the inputs");
            bool ready = true;
            for (auto input = maker->inputs.rbegin(); input != maker->inputs.rend(); ++input)
                if (!first_value.contains(input->maker().get())) {
                    stack.push_back(input->maker().get());
                    ready = false;
                }
            if (!ready) continue;
            stack.pop_back();
            auto known = std::find(layers.begin(), layers.end(), maker->layer);
            if (known == layers.end()) known = layers.insert(layers.end(), maker->layer);
            Call call{static_cast<std::size_t>(known - layers.begin()), {}, values, maker->outputs};
            for (const Symbol& input : maker->inputs)
                call.inputs.push_back(first_value.at(input.maker().get()) + static_cast<std::size_t>(input.output()));
            first_value.emplace(maker, values);
            values += call.outputs;
            calls.push_back(std::move(call));
        }
    }
    std::vector<std::size_t> results;
    for (const Symbol& output : outputs)
        results.push_back(first_value.at(output.maker().get()) + static_cast<std::size_t>(output.output()));
    Layer graph(std::make_shared<GraphImpl>(shapes, layers, calls, results, name));
    graph.build(shapes);
    return graph;
}

std::vector<GraphCall> graph_calls(const Layer& layer) {
    const auto* graph = dynamic_cast<const GraphImpl*>(&layer.impl());
    return graph ? graph->calls : std::vector<GraphCall>{};
}

std::vector<std::size_t> graph_results(const Layer& layer) {
    const auto* graph = dynamic_cast<const GraphImpl*>(&layer.impl());
    return graph ? graph->results : std::vector<std::size_t>{};
}

void add_graph(LayerMakers& makers) { makers["Functional"] = graph_from_config; }

}  // namespace heddle
