#include "layers/embedding.h"

#include "core/check.h"
#include "layers/detail/compute_type.h"
#include "layers/detail/registry.h"
#include "layers/detail/rules.h"
#include "ops/copy.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"
#include "ops/mask.h"

namespace heddle {
namespace {

/// Converts the vectors to the type that layers compute in and, with `mask_zero`, attaches the mask of nonzero tokens.
Tensor finished(const Tensor& vectors, const Tensor& tokens, bool mask_zero) {
    const Tensor y = vectors.dtype() == DType::f32 ? vectors.to(detail::compute_type) : vectors;
    if (mask_zero) ops::set_mask(y, ops::binary(ops::BinaryOp::not_equal, tokens, 0.0));
    return y;
}

struct EmbeddingImpl final : LayerImpl {
    std::int64_t rows, size;
    EmbeddingOptions options;
    Tensor weight;

    EmbeddingImpl(std::int64_t input_dim, std::int64_t output_dim, const EmbeddingOptions& o)
        : LayerImpl(o.name), rows(input_dim), size(output_dim), options(o) {
        check(rows >= 1 && size >= 1, "Embedding: input_dim and output_dim must be at least 1, got {} and {}", rows,
              size);
        check(!options.padding_index || (*options.padding_index >= 0 && *options.padding_index < rows),
              "Embedding: padding_index {} is outside 0 .. {}", options.padding_index.value_or(0), rows - 1);
    }
    const char* class_name() const override { return "Embedding"; }

    void build(const Shape&) override {
        const Tensor initial = options.embeddings_initializer(Shape{rows, size}, rows, size);
        if (options.padding_index) initial.slice(*options.padding_index, *options.padding_index + 1).fill_(0);
        weight = add_parameter("weight", initial, {options.embeddings_regularizer, options.embeddings_constraint});
    }
    Tensor forward(const Tensor& x, bool) override {
        return finished(ops::embedding(weight, x, options.padding_index), x, options.mask_zero);
    }
    Shape output_shape(const Shape& input) const override {
        Shape shape = input;
        shape.push_back(size);
        return shape;
    }
    Config config() const override {
        Config config;
        config.set("input_dim", rows)
            .set("output_dim", size)
            .set("embeddings_initializer", options.embeddings_initializer.to_config());
        detail::set_rule(config, "embeddings_regularizer", options.embeddings_regularizer);
        detail::set_rule(config, "embeddings_constraint", options.embeddings_constraint);
        if (options.padding_index) config.set("padding_index", *options.padding_index);
        if (options.mask_zero) config.set("mask_zero", true);
        return config;
    }
};

struct TokenAndPositionImpl final : LayerImpl {
    std::int64_t rows, places, size;
    TokenAndPositionEmbeddingOptions options;
    Tensor token, position;

    TokenAndPositionImpl(std::int64_t vocabulary, std::int64_t length, std::int64_t dim,
                         const TokenAndPositionEmbeddingOptions& o)
        : LayerImpl(o.name), rows(vocabulary), places(length), size(dim), options(o) {
        check(rows >= 1 && places >= 1 && size >= 1,
              "TokenAndPositionEmbedding: vocabulary_size, sequence_length and embedding_dim must be at least 1, got "
              "{}, {} and {}",
              rows, places, size);
    }
    const char* class_name() const override { return "TokenAndPositionEmbedding"; }

    void build(const Shape& input) override {
        output_shape(input);
        token = add_parameter("token_embedding.weight", options.embeddings_initializer(Shape{rows, size}, rows, size));
        position = add_parameter("position_embedding.weight",
                                 options.embeddings_initializer(Shape{places, size}, places, size));
    }
    Tensor forward(const Tensor& x, bool) override {
        output_shape(x.shape().range(1, x.rank()));
        return finished(ops::embedding(token, x) + position.slice(0, x.size(1)), x, options.mask_zero);
    }
    Shape output_shape(const Shape& input) const override {
        ops::require(input.rank() == 1 && input[0] <= places, class_name(), "expected at most {} tokens, got {}",
                     places, input);
        return Shape{input[0], size};
    }
    Config config() const override {
        Config config;
        config.set("vocabulary_size", rows)
            .set("sequence_length", places)
            .set("embedding_dim", size)
            .set("embeddings_initializer", options.embeddings_initializer.to_config());
        if (options.mask_zero) config.set("mask_zero", true);
        return config;
    }
};

}  // namespace

Embedding::Embedding(std::int64_t input_dim, std::int64_t output_dim, const EmbeddingOptions& options)
    : Layer(std::make_shared<EmbeddingImpl>(input_dim, output_dim, options)) {}

TokenAndPositionEmbedding::TokenAndPositionEmbedding(std::int64_t vocabulary_size, std::int64_t sequence_length,
                                                     std::int64_t embedding_dim,
                                                     const TokenAndPositionEmbeddingOptions& options)
    : Layer(std::make_shared<TokenAndPositionImpl>(vocabulary_size, sequence_length, embedding_dim, options)) {}

void add_embedding_layers(LayerMakers& makers) {
    makers["TokenAndPositionEmbedding"] = [](const Config& c) {
        return TokenAndPositionEmbedding(
            c.at("vocabulary_size").integer(), c.at("sequence_length").integer(), c.at("embedding_dim").integer(),
            {.embeddings_initializer = Initializer::from_config(c.at("embeddings_initializer")),
             .mask_zero = c.has("mask_zero") && c.at("mask_zero").boolean()});
    };
    makers["Embedding"] = [](const Config& c) {
        EmbeddingOptions options{.embeddings_initializer = Initializer::from_config(c.at("embeddings_initializer")),
                                 .embeddings_regularizer = detail::rule_of<Regularizer>(c, "embeddings_regularizer"),
                                 .embeddings_constraint = detail::rule_of<Constraint>(c, "embeddings_constraint")};
        if (c.has("padding_index")) options.padding_index = c.at("padding_index").integer();
        options.mask_zero = c.has("mask_zero") && c.at("mask_zero").boolean();
        return Embedding(c.at("input_dim").integer(), c.at("output_dim").integer(), options);
    };
}

}  // namespace heddle
