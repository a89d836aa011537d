#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "data/tokenizer.h"
#include "train/model.h"

namespace heddle {

struct TextGenerationOptions {
    std::int64_t length = 200;  ///< tokens written
    double temperature = 1;     ///< logits are divided by it: below 1 more careful, above 1 more daring
    std::uint64_t seed = 0;     ///< of what is drawn
};

/// Logits [vocabulary] of the token that follows the ones so far; called with one token more each time.
using NextToken = std::function<Tensor(std::span<const std::int64_t>)>;

/// `begin` and what follows, drawn token by token, never padding or unknown ones. Throws `Error` where `begin` has no
/// tokens.
HEDDLE_API std::string generate_text(const Tokenizer& tokenizer, const std::string& begin, const NextToken& next,
                                     const TextGenerationOptions& options = {});

/// By a language model that knows its `text_vectorization()`: [batch, time] tokens to logits [batch, time, vocabulary],
/// of which a place must know nothing of what comes after it. Sees the last `time` tokens, and reads them all again for
/// each one written. Throws `Error` for any other model.
HEDDLE_API std::string generate_text(const Model& model, const std::string& begin,
                                     const TextGenerationOptions& options = {});

/// Whether the model is one that the above takes.
HEDDLE_API bool is_language_model(const Model& model);

}  // namespace heddle
