#include "layers/recurrent.h"

#include <array>
#include <optional>

#include "core/check.h"
#include "layers/detail/counted_steps.h"
#include "layers/detail/registry.h"
#include "ops/copy.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"
#include "ops/mask.h"
#include "ops/reduce.h"
#include "ops/rnn.h"

namespace heddle {
namespace {

using Merge = BidirectionalOptions::Merge;
using ops::RnnCell;

constexpr std::array<const char*, 3> merge_names{"concat", "sum", "ave"};  // as in Keras

/// What the three kinds have in common.
struct RecurrentOptions {
    bool use_bias = true, return_sequences = false, return_state = false, go_backwards = false, masked = false;
    Initializer kernel_initializer = Initializer::glorot_uniform;
    Initializer recurrent_initializer = Initializer::orthogonal;
    std::string name = {};
};

template <class Options>
RecurrentOptions common(const Options& o) {
    return {o.use_bias, o.return_sequences,   o.return_state,          o.go_backwards,
            o.masked,   o.kernel_initializer, o.recurrent_initializer, o.name};
}

/// Everything that defines a recurrent layer.
struct Settings {
    RnnCell cell = RnnCell::tanh;
    std::int64_t units = 1;
    RecurrentOptions options = {};
    bool unit_forget_bias = false;
    std::optional<Merge> both_ways = {};  // Bidirectional
};

struct RecurrentImpl final : LayerImpl {
    Settings settings;
    std::array<ops::RnnWeights, 2> weights;  // of each direction

    explicit RecurrentImpl(const Settings& s) : LayerImpl(s.options.name), settings(s) {
        check(s.units >= 1, "{}: units must be at least 1, got {}", class_name(), s.units);
    }
    const char* class_name() const override {
        if (settings.both_ways) return "Bidirectional";
        return settings.cell == RnnCell::lstm ? "LSTM" : settings.cell == RnnCell::gru ? "GRU" : "SimpleRNN";
    }
    bool supports_masking() const override { return settings.options.return_sequences; }
    bool lstm() const { return settings.cell == RnnCell::lstm; }

    std::size_t states() const { return lstm() ? 2 : 1; }

    void build(const Shape& input) override { build(std::vector<Shape>{input}); }
    void build(const std::vector<Shape>& inputs) override {
        const std::size_t masks = settings.options.masked ? 1 : 0;
        const bool given = inputs.size() == 1 + states() + masks && !settings.both_ways;
        ops::require(inputs.size() == 1 + masks || given, class_name(), "expected a sequence{}{}, got {} inputs",
                     settings.both_ways ? "" : ", the initial state if any", masks ? " and a mask" : "", inputs.size());
        ops::require(inputs[0].rank() == 2, class_name(), "expected sequences [time, features], got {}", inputs[0]);
        for (int direction = 0; direction < (settings.both_ways ? 2 : 1); ++direction)
            add_weights(inputs[0][1], direction);
    }

    void add_weights(std::int64_t inputs, int direction) {
        const std::int64_t units = settings.units, gates = gate_count(settings.cell);
        const std::string suffix = direction == 0 ? "_l0" : "_l0_reverse";
        // Each gate's matrix is initialised with its own fan-in and fan-out.
        std::vector<Tensor> of_input, of_state;
        for (std::int64_t gate = 0; gate < gates; ++gate) {
            of_input.push_back(settings.options.kernel_initializer(Shape{units, inputs}, inputs, units));
            of_state.push_back(settings.options.recurrent_initializer(Shape{units, units}, units, units));
        }
        ops::RnnWeights& w = weights[static_cast<std::size_t>(direction)];
        w.input = add_parameter("weight_ih" + suffix, ops::concat(of_input, 0));
        w.hidden = add_parameter("weight_hh" + suffix, ops::concat(of_state, 0));
        if (!settings.options.use_bias) return;
        const Tensor bias = Tensor::zeros(Shape{gates * units});
        if (lstm() && settings.unit_forget_bias) bias.slice(units, 2 * units).fill_(1);
        w.bias_input = add_parameter("bias_ih" + suffix, bias);
        w.bias_hidden = add_parameter("bias_hh" + suffix, Tensor::zeros(Shape{gates * units}));
    }

    Tensor forward(const Tensor& x, bool training) override {
        return forward(std::vector<Tensor>{x}, training).front();
    }
    std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool) override {
        Tensor x = inputs[0];
        const std::size_t sequences = inputs.size() - (settings.options.masked ? 1 : 0);
        ops::RnnState initial;
        if (sequences > 1) initial.hidden = inputs[1];
        if (sequences > 2) initial.cell = inputs[2];
        Tensor lengths;
        std::optional<detail::CountedSteps> counted;
        if (settings.options.masked) {
            lengths = lengths_of(inputs.back());
        } else if (const Tensor mask = ops::mask_of(x); mask.defined()) {
            counted.emplace(mask);
            lengths = counted->lengths();
            x = counted->in_front(x);
        }
        const auto run = [&](std::size_t direction, bool reverse) {
            const ops::RnnWeights& w = weights[direction];
            const auto cast = [&](const Tensor& t) { return t.defined() ? t.to(x.dtype()) : t; };
            return ops::rnn(settings.cell, x, {cast(w.input), cast(w.hidden), cast(w.bias_input), cast(w.bias_hidden)},
                            initial, {.reverse = reverse, .lengths = lengths});
        };
        const auto output = [&](const ops::RnnResult& result) {
            if (!settings.options.return_sequences) return result.state.hidden;
            return counted ? counted->put_back(result.y) : result.y;
        };
        const ops::RnnResult ahead = run(0, settings.options.go_backwards);
        if (settings.both_ways) return {merged(output(ahead), output(run(1, !settings.options.go_backwards)))};
        std::vector<Tensor> outputs{output(ahead)};
        if (settings.options.return_state) {
            outputs.push_back(ahead.state.hidden);
            if (lstm()) outputs.push_back(ahead.state.cell);
        }
        return outputs;
    }

    static Tensor lengths_of(const Tensor& mask) {
        const Tensor zero = Tensor::scalar(0, {mask.dtype(), mask.device()});
        const Tensor sum = ops::sum(mask.dtype() == DType::boolean ? mask : ops::equal(mask, zero), {1});
        return (mask.dtype() == DType::boolean ? sum : static_cast<double>(mask.size(1)) - sum).to(DType::i32);
    }

    Tensor merged(const Tensor& a, const Tensor& b) const {
        switch (*settings.both_ways) {
            case Merge::concat:
                return ops::concat(std::array{a, b}, -1);
            case Merge::sum:
                return a + b;
            case Merge::average:
                return (a + b) * 0.5;
        }
        return {};
    }

    Shape output_shape(const Shape& input) const override { return output_shapes({input}).front(); }
    std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override {
        const std::int64_t size = settings.both_ways == Merge::concat ? 2 * settings.units : settings.units;
        std::vector<Shape> shapes{settings.options.return_sequences ? Shape{inputs[0][0], size} : Shape{size}};
        if (settings.options.return_state) shapes.insert(shapes.end(), states(), Shape{settings.units});
        return shapes;
    }

    Config config() const override {
        const RecurrentOptions& o = settings.options;
        Config config;
        config.set("units", settings.units)
            .set("use_bias", o.use_bias)
            .set("return_sequences", o.return_sequences)
            .set("return_state", o.return_state)
            .set("go_backwards", o.go_backwards)
            .set("masked", o.masked)
            .set("kernel_initializer", o.kernel_initializer.to_config())
            .set("recurrent_initializer", o.recurrent_initializer.to_config());
        if (settings.cell == RnnCell::relu || settings.cell == RnnCell::tanh)
            config.set("activation", settings.cell == RnnCell::relu ? "relu" : "tanh");
        if (lstm()) config.set("unit_forget_bias", settings.unit_forget_bias);
        if (!settings.both_ways) return config;
        const char* kind = lstm() ? "LSTM" : settings.cell == RnnCell::gru ? "GRU" : "SimpleRNN";
        return Config()
            .set("layer", kind)
            .set("merge_mode", merge_names[static_cast<std::size_t>(*settings.both_ways)])
            .set("settings", config);
    }
};

Layer make(const Settings& settings) { return Layer(std::make_shared<RecurrentImpl>(settings)); }

Settings settings_from(const std::string& kind, const Config& c) {
    Settings s;
    s.units = c.at("units").integer();
    s.options = {.use_bias = c.at("use_bias").boolean(),
                 .return_sequences = c.at("return_sequences").boolean(),
                 .return_state = c.at("return_state").boolean(),
                 .go_backwards = c.at("go_backwards").boolean(),
                 .masked = c.at("masked").boolean(),
                 .kernel_initializer = Initializer::from_config(c.at("kernel_initializer")),
                 .recurrent_initializer = Initializer::from_config(c.at("recurrent_initializer"))};
    s.cell = kind == "LSTM"                          ? RnnCell::lstm
             : kind == "GRU"                         ? RnnCell::gru
             : c.at("activation").string() == "relu" ? RnnCell::relu
                                                     : RnnCell::tanh;
    if (kind == "LSTM") s.unit_forget_bias = c.at("unit_forget_bias").boolean();
    return s;
}

Settings both_ways(Settings settings, const BidirectionalOptions& options) {
    settings.both_ways = options.merge_mode;
    settings.options.name = options.name;
    return settings;
}

struct TimeDistributedImpl final : LayerImpl {
    Layer inner;

    TimeDistributedImpl(const Layer& layer, const std::string& name) : LayerImpl(name), inner(layer) {
        check(static_cast<bool>(layer), "TimeDistributed: the layer is undefined");
        add_child("layer", layer);
    }
    const char* class_name() const override { return "TimeDistributed"; }
    bool supports_masking() const override { return true; }

    static Shape of_step(const Shape& input) {
        ops::require(input.rank() >= 2, "TimeDistributed", "expected sequences [time, ...], got {}", input);
        return input.range(1, input.rank());
    }
    void build(const Shape& input) override { inner.build({of_step(input)}); }
    Tensor forward(const Tensor& x, bool training) override {
        const auto with_leading = [](std::initializer_list<std::int64_t> leading, const Tensor& t, int from) {
            Shape shape(leading);
            for (int axis = from; axis < t.rank(); ++axis) shape.push_back(t.size(axis));
            return shape;
        };
        const Tensor y = inner(x.reshape(with_leading({x.size(0) * x.size(1)}, x, 2)), training);
        return y.reshape(with_leading({x.size(0), x.size(1)}, y, 1));
    }
    Shape output_shape(const Shape& input) const override {
        Shape shape{input[0]};
        for (const std::int64_t extent : inner->output_shape(of_step(input))) shape.push_back(extent);
        return shape;
    }
    Config config() const override { return Config().set("layer", inner.config()); }
};

}  // namespace

SimpleRNN::SimpleRNN(std::int64_t units, const SimpleRNNOptions& options)
    : Layer(make({.cell = options.activation == Activation::relu ? RnnCell::relu : RnnCell::tanh,
                  .units = units,
                  .options = common(options)})) {
    check(options.activation == Activation::relu || options.activation == Activation::tanh,
          "SimpleRNN: the activation must be tanh or relu, got {}", Activation::name_of(options.activation));
}

LSTM::LSTM(std::int64_t units, const LSTMOptions& options)
    : Layer(make({.cell = RnnCell::lstm,
                  .units = units,
                  .options = common(options),
                  .unit_forget_bias = options.unit_forget_bias})) {}

GRU::GRU(std::int64_t units, const GRUOptions& options)
    : Layer(make({.cell = RnnCell::gru, .units = units, .options = common(options)})) {}

Bidirectional::Bidirectional(const Layer& layer, const BidirectionalOptions& options) {
    const auto* recurrent = layer ? dynamic_cast<const RecurrentImpl*>(&layer.impl()) : nullptr;
    check(recurrent != nullptr && !recurrent->settings.both_ways,
          "Bidirectional: expected a SimpleRNN, an LSTM or a GRU, got {}", layer ? layer->class_name() : "nothing");
    check(!layer->built(), "Bidirectional: the layer has been used already: its weights would be left behind");
    check(!recurrent->settings.options.return_state, "Bidirectional: states are not returned");
    *static_cast<Layer*>(this) = make(both_ways(recurrent->settings, options));
}

TimeDistributed::TimeDistributed(const Layer& layer, const std::string& name)
    : Layer(std::make_shared<TimeDistributedImpl>(layer, name)) {}

void add_recurrent_layers(LayerMakers& makers) {
    for (const std::string kind : {"SimpleRNN", "LSTM", "GRU"})
        makers[kind] = [kind](const Config& c) { return make(settings_from(kind, c)); };
    makers["Bidirectional"] = [](const Config& c) {
        const std::string mode = c.at("merge_mode").string();
        BidirectionalOptions options;
        for (std::size_t i = 0; i < merge_names.size(); ++i)
            if (mode == merge_names[i]) options.merge_mode = static_cast<Merge>(i);
        return make(both_ways(settings_from(c.at("layer").string(), c.at("settings")), options));
    };
    makers["TimeDistributed"] = [](const Config& c) { return TimeDistributed(Layer::from_config(c.at("layer"))); };
}

}  // namespace heddle
