#pragma once

#include <optional>

#include "layers/initializer.h"
#include "layers/layer.h"

namespace heddle {

struct EmbeddingOptions {
    Initializer embeddings_initializer = {Initializer::random_uniform, 0.05};
    Regularizer embeddings_regularizer = {};
    Constraint embeddings_constraint = {};
    /// The vector of this index is zero at first and is not trained (PyTorch's `padding_idx`): 0 where sequences are
    /// padded with zeros.
    std::optional<std::int64_t> padding_index = {};
    /// Index 0 is padding: the output carries a mask (ops/mask.h) that excludes its positions. (They still hold the
    /// vector of index 0.)
    bool mask_zero = false;
    std::string name = {};
};

/// A trained vector for each of `input_dim` indices: i32 or i64 [batch, ...] to [batch, ..., output_dim]. weight:
/// [input_dim, output_dim]. Throws `Error` for an index that is out of range (on the CPU; on a device its row is NaN).
class HEDDLE_API Embedding : public Layer {
  public:
    Embedding(std::int64_t input_dim, std::int64_t output_dim, const EmbeddingOptions& options = {});
};

struct TokenAndPositionEmbeddingOptions {
    Initializer embeddings_initializer = {Initializer::random_uniform, 0.05};
    bool mask_zero = false;  ///< as Embedding's
    std::string name = {};
};

/// A trained vector for each token plus one for its position, as KerasHub's layer of this name: i32 or i64
/// [batch, time] to [batch, time, embedding_dim], time at most `sequence_length`. token_embedding.weight:
/// [vocabulary_size, embedding_dim], position_embedding.weight: [sequence_length, embedding_dim].
class HEDDLE_API TokenAndPositionEmbedding : public Layer {
  public:
    TokenAndPositionEmbedding(std::int64_t vocabulary_size, std::int64_t sequence_length, std::int64_t embedding_dim,
                              const TokenAndPositionEmbeddingOptions& options = {});
};

}  // namespace heddle
