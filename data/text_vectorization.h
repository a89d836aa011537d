#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/config.h"
#include "core/tensor.h"
#include "data/tokenizer.h"

namespace heddle {

/// How texts become a model's input, as in Keras' layer of this name. A saved model carries it, vocabulary and all, so
/// that prediction needs nothing but the model file.
struct HEDDLE_API TextVectorization {
    enum class OutputMode {
        integers,  ///< i64 [texts, output_sequence_length]: the tokens' numbers, cut or padded with 0 at the end
        multi_hot  ///< f32 [texts, vocabulary]: 1 where the text has the token; padding and unknown ones do not count
    };

    Tokenizer tokenizer;
    OutputMode output_mode = OutputMode::integers;
    std::int64_t output_sequence_length = 0;  ///< of integers; 0: the longest of the texts

    Tensor apply(std::span<const std::string> texts) const;
    Tensor apply(const std::string& text) const { return apply(std::span<const std::string>(&text, 1)); }

    Config to_config() const;
    /// Throws `Error` where something is missing or of another kind.
    static TextVectorization from_config(const Config& config);
};

}  // namespace heddle
