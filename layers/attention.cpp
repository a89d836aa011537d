#include "layers/attention.h"

#include "core/check.h"
#include "layers/core.h"
#include "layers/detail/registry.h"
#include "ops/attention.h"
#include "ops/copy.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/mask.h"

namespace heddle {
namespace {

void check_sequences(const char* layer, const std::vector<Shape>& inputs, std::size_t least, std::size_t most) {
    ops::require(inputs.size() >= least && inputs.size() <= most, layer, "expected {} to {} inputs, got {}", least,
                 most, inputs.size());
    for (const Shape& input : inputs)
        ops::require(input.rank() == 2, layer, "expected sequences [batch, time, features], got [batch, {}]",
                     fmt::join(input, ", "));
}

/// The steps that count in both masks, each of which may be undefined.
Tensor both(const Tensor& a, const Tensor& b) {
    if (!a.defined() || !b.defined() || a.is_same(b)) return a.defined() ? a : b;
    return ops::binary(ops::BinaryOp::logical_and, a, b);
}

/// As a single head: [batch, time, size] to [batch, time, 1, size].
Tensor one_head(const Tensor& x) { return x.reshape(Shape{x.size(0), x.size(1), 1, x.size(2)}); }

struct AttentionImpl final : LayerImpl {
    AttentionLayerOptions options;
    Tensor scale;

    explicit AttentionImpl(const AttentionLayerOptions& o) : LayerImpl(o.name), options(o) {
        check(o.dropout >= 0 && o.dropout < 1, "Attention: dropout must be in [0, 1), got {}", o.dropout);
    }
    const char* class_name() const override { return "Attention"; }
    bool supports_masking() const override { return true; }

    void build(const std::vector<Shape>& inputs) override {
        check_sequences(class_name(), inputs, 2, 3);
        if (options.use_scale) scale = add_parameter("scale", Tensor::ones(Shape{1}));
    }
    std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool training) override {
        const Tensor query = scale.defined() ? inputs[0] * scale.to(inputs[0].dtype()) : inputs[0];
        const ops::Attended attended =
            ops::attention(one_head(query), one_head(inputs.size() > 2 ? inputs[2] : inputs[1]), one_head(inputs[1]),
                           {.causal = options.causal,
                            .mask = ops::mask_of(inputs[1]),
                            .scale = 1,
                            .dropout = training ? options.dropout : 0});
        const Tensor& out = attended.output;
        Tensor values = out.reshape(Shape{out.size(0), out.size(1), out.size(3)});
        if (const Tensor mask = ops::mask_of(inputs[0]); mask.defined())
            values = ops::where(mask.reshape(Shape{mask.size(0), mask.size(1), 1}), values,
                                Tensor::scalar(0, values.options()));
        return {values, attended.weights.reshape(Shape{out.size(0), out.size(1), inputs[1].size(1)})};
    }
    std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override {
        return {Shape{inputs[0][0], inputs[1][1]}, Shape{inputs[0][0], inputs[1][0]}};
    }
    Config config() const override {
        return Config()
            .set("use_scale", options.use_scale)
            .set("causal", options.causal)
            .set("dropout", options.dropout);
    }
};

struct MultiHeadAttentionImpl final : LayerImpl {
    std::int64_t heads, key_dim, value_dim;
    MultiHeadAttentionOptions options;
    Tensor weight, bias;
    Dense output{1};

    MultiHeadAttentionImpl(std::int64_t num_heads, std::int64_t key, const MultiHeadAttentionOptions& o)
        : LayerImpl(o.name),
          heads(num_heads),
          key_dim(key),
          value_dim(o.value_dim > 0 ? o.value_dim : key),
          options(o) {
        check(heads >= 1 && key_dim >= 1 && o.value_dim >= 0,
              "MultiHeadAttention: num_heads and key_dim must be at least 1, got {} and {}", heads, key_dim);
        check(o.dropout >= 0 && o.dropout < 1, "MultiHeadAttention: dropout must be in [0, 1), got {}", o.dropout);
    }
    const char* class_name() const override { return "MultiHeadAttention"; }
    bool supports_masking() const override { return true; }

    void build(const Shape& input) override { build(std::vector<Shape>{input}); }
    Tensor forward(const Tensor& x, bool training) override {
        return forward(std::vector<Tensor>{x}, training).front();
    }

    void build(const std::vector<Shape>& inputs) override {
        const std::size_t masks = options.masked ? 1 : 0;
        ops::require(inputs.size() > masks, class_name(), "expected a mask as the last of at least 2 inputs");
        const std::vector<Shape> sequences(inputs.begin(), inputs.end() - static_cast<std::ptrdiff_t>(masks));
        check_sequences(class_name(), sequences, 1, 3);
        const std::int64_t features = sequences[0].back();
        for (const Shape& sequence : sequences)
            ops::require(sequence.back() == features, class_name(), "expected {} features in all inputs, got {}",
                         features, sequence.back());
        const std::int64_t keys = heads * key_dim, values = heads * value_dim;
        // Three matrices in one tensor; each is initialised with its own fan-in and fan-out.
        const std::vector<Tensor> parts{options.kernel_initializer(Shape{keys, features}, features, keys),
                                        options.kernel_initializer(Shape{keys, features}, features, keys),
                                        options.kernel_initializer(Shape{values, features}, features, values)};
        weight = add_parameter("in_proj_weight", ops::concat(parts, 0));
        if (options.use_bias) bias = add_parameter("in_proj_bias", Tensor::zeros(Shape{2 * keys + values}));
        output = Dense(features, {.use_bias = options.use_bias, .kernel_initializer = options.kernel_initializer});
        add_child("out_proj", output);
        output.build({Shape{sequences[0][0], values}});
    }

    /// [batch, time, features] multiplied by rows first .. last - 1 of the weight, split into heads.
    Tensor project(const Tensor& x, std::int64_t first, std::int64_t last) const {
        const Tensor y = ops::linear(x, weight.slice(first, last).to(x.dtype()),
                                     bias.defined() ? bias.slice(first, last).to(x.dtype()) : Tensor());
        return y.reshape(Shape{x.size(0), x.size(1), heads, (last - first) / heads});
    }

    std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool training) override {
        const std::size_t sequences = inputs.size() - (options.masked ? 1 : 0);
        const Tensor& value = inputs[sequences > 1 ? 1 : 0];
        const Tensor& key = sequences > 2 ? inputs[2] : value;
        const std::int64_t keys = heads * key_dim, all = weight.size(0);
        ops::AttentionOptions how{
            .causal = options.causal, .dropout = training ? options.dropout : 0, .weights = false};
        how.mask = options.masked ? inputs.back().to(DType::boolean) : both(ops::mask_of(value), ops::mask_of(key));
        const Tensor attended = ops::attention(project(inputs[0], 0, keys), project(key, keys, 2 * keys),
                                               project(value, 2 * keys, all), how)
                                    .output;
        return {output(attended.reshape(Shape{attended.size(0), attended.size(1), heads * value_dim}), training)};
    }
    std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override { return {inputs[0]}; }
    Config config() const override {
        return Config()
            .set("num_heads", heads)
            .set("key_dim", key_dim)
            .set("value_dim", value_dim)
            .set("dropout", options.dropout)
            .set("use_bias", options.use_bias)
            .set("causal", options.causal)
            .set("masked", options.masked)
            .set("kernel_initializer", options.kernel_initializer.to_config());
    }
};

}  // namespace

Attention::Attention(const AttentionLayerOptions& options) : Layer(std::make_shared<AttentionImpl>(options)) {}

MultiHeadAttention::MultiHeadAttention(std::int64_t num_heads, std::int64_t key_dim,
                                       const MultiHeadAttentionOptions& options)
    : Layer(std::make_shared<MultiHeadAttentionImpl>(num_heads, key_dim, options)) {}

void add_attention_layers(LayerMakers& makers) {
    makers["Attention"] = [](const Config& c) {
        return Attention({.use_scale = c.at("use_scale").boolean(),
                          .causal = c.at("causal").boolean(),
                          .dropout = static_cast<float>(c.at("dropout").number())});
    };
    makers["MultiHeadAttention"] = [](const Config& c) {
        return MultiHeadAttention(c.at("num_heads").integer(), c.at("key_dim").integer(),
                                  {.value_dim = c.at("value_dim").integer(),
                                   .dropout = static_cast<float>(c.at("dropout").number()),
                                   .use_bias = c.at("use_bias").boolean(),
                                   .causal = c.at("causal").boolean(),
                                   .masked = c.at("masked").boolean(),
                                   .kernel_initializer = Initializer::from_config(c.at("kernel_initializer"))});
    };
}

}  // namespace heddle
