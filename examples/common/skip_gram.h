#pragma once

#include <heddle/heddle.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace heddle::examples {

struct SkipGramOptions {
    std::int64_t epochs = 10;
    std::int64_t window = 5;     ///< words on either side, drawn anew between 1 and this for each word
    std::int64_t negatives = 5;  ///< random words for each pair
    double learning_rate = 2e-3;
    std::uint64_t seed = 1;
};

/// Skip-gram with negative sampling (Mikolov et al. 2013): a word's vector says which words stand near it, against
/// random ones drawn by frequency^0.75; very frequent words are left out at random. `input` gives the vectors [n, size]
/// of words [n] and owns `parameters`; the vectors of the words nearby are kept here and dropped in the end.
void train_skip_gram(const std::vector<std::string>& sentences, const Tokenizer& words, std::int64_t size,
                     const NamedTensors& parameters, const std::function<Tensor(const Tensor&)>& input,
                     const SkipGramOptions& options);

/// Unit vectors [words, size] against one of them: numbers of words (from 2 on), the nearest first, itself left out.
std::vector<std::int64_t> nearest(const Tensor& unit_vectors, const Tensor& vector, std::int64_t itself);

/// Rows of length 1.
Tensor unit_rows(const Tensor& vectors);

}  // namespace heddle::examples
