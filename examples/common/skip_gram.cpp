#include "examples/common/skip_gram.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "examples/common/example.h"

namespace heddle::examples {
namespace {

// Draws numbers of words by frequency^0.75.
class Noise {
  public:
    explicit Noise(const std::vector<double>& counts) {
        double sum = 0;
        for (const double count : counts) cumulative_.push_back(sum += std::pow(count, 0.75));
    }
    std::int64_t draw(Generator& generator) const {
        return std::upper_bound(cumulative_.begin(), cumulative_.end(), uniform(generator) * cumulative_.back()) -
               cumulative_.begin();
    }

  private:
    std::vector<double> cumulative_;
};

struct Pairs {
    std::vector<std::int64_t> words, nearby;
};

// All pairs of one epoch, shuffled.
Pairs make_pairs(const std::vector<std::vector<std::int64_t>>& sentences, const std::vector<double>& counts,
                 std::int64_t window, Generator& generator) {
    const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
    std::vector<std::pair<std::int64_t, std::int64_t>> all;
    for (const auto& sentence : sentences) {
        std::vector<std::int64_t> kept;
        for (const std::int64_t word : sentence) {
            if (word == Tokenizer::unknown) continue;
            const double part = counts[static_cast<std::size_t>(word)] / total;
            if (uniform(generator) < std::sqrt(1e-3 / part)) kept.push_back(word);
        }
        for (std::size_t i = 0; i < kept.size(); ++i) {
            const std::size_t reach = 1 + generator.below(static_cast<std::uint64_t>(window));
            for (std::size_t j = i > reach ? i - reach : 0; j < std::min(kept.size(), i + reach + 1); ++j)
                if (j != i) all.emplace_back(kept[i], kept[j]);
        }
    }
    for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[generator.below(i)]);
    Pairs pairs;
    for (const auto& [word, near] : all) pairs.words.push_back(word), pairs.nearby.push_back(near);
    return pairs;
}

}  // namespace

void train_skip_gram(const std::vector<std::string>& sentences, const Tokenizer& words, std::int64_t size,
                     const NamedTensors& parameters, const std::function<Tensor(const Tensor&)>& input,
                     const SkipGramOptions& options) {
    constexpr std::size_t batch = 1024;
    std::vector<std::vector<std::int64_t>> numbered;
    std::vector<double> counts(static_cast<std::size_t>(words.size()));  // padding and unknown words: 0, never drawn
    for (const std::string& sentence : sentences) {
        numbered.push_back(words.encode(sentence));
        for (const std::int64_t word : numbered.back())
            if (word != Tokenizer::unknown) ++counts[static_cast<std::size_t>(word)];
    }
    Tensor nearby = Tensor::zeros(Shape{words.size(), size});
    nearby.set_requires_grad();
    NamedTensors all = parameters;
    all.emplace_back("nearby", nearby);
    Generator generator(options.seed);
    const Noise noise(counts);
    const Optimizer optimizer = Adam({.learning_rate = options.learning_rate});
    const std::int64_t choices = 1 + options.negatives;
    const Tensor target = ops::one_hot(Tensor::zeros(Shape{batch}, {DType::i64}), choices);
    for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
        const Pairs pairs = make_pairs(numbered, counts, options.window, generator);
        double sum = 0;
        std::int64_t steps = 0;
        for (std::size_t first = 0; first + batch <= pairs.words.size(); first += batch, ++steps) {
            std::vector<std::int64_t> candidates;
            for (std::size_t i = first; i < first + batch; ++i) {
                candidates.push_back(pairs.nearby[i]);
                for (std::int64_t k = 0; k < options.negatives; ++k) candidates.push_back(noise.draw(generator));
            }
            const Tensor chosen = Tensor::from(std::span(pairs.words).subspan(first, batch), Shape{batch});
            const Tensor vectors = input(chosen).reshape(Shape{batch, 1, size});
            const Tensor others = ops::gather(nearby, Tensor::from(candidates, Shape{batch, choices}));
            const Tensor logits = ops::sum(others * vectors, {2});
            const Tensor loss = ops::binary_cross_entropy(logits, target) * static_cast<double>(choices);
            loss.backward();
            optimizer.step(all);
            for (const auto& [name, parameter] : all) parameter.zero_grad();
            sum += loss.item();
        }
        if (steps == 0)
            throw Error("the text is too short for a batch of " + std::to_string(batch) + " pairs of words");
        std::printf("epoch %lld: %zu pairs, loss %.4f\n", static_cast<long long>(epoch + 1), pairs.words.size(),
                    sum / static_cast<double>(steps));
        std::fflush(stdout);
    }
}

Tensor unit_rows(const Tensor& vectors) {
    return vectors / ops::sqrt(ops::sum(ops::square(vectors), {1}, true) + 1e-12);
}

std::vector<std::int64_t> nearest(const Tensor& unit_vectors, const Tensor& vector, std::int64_t itself) {
    const Tensor unit = unit_rows(vector.reshape(Shape{1, -1})).reshape(Shape{-1, 1});
    const std::vector<float> cosine = ops::matmul(unit_vectors, unit).to_vector<float>();
    std::vector<std::int64_t> order(cosine.size());
    std::iota(order.begin(), order.end(), 0);
    std::erase_if(order, [itself](std::int64_t i) { return i < 2 || i == itself; });
    std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return cosine[static_cast<std::size_t>(a)] > cosine[static_cast<std::size_t>(b)];
    });
    return order;
}

}  // namespace heddle::examples
