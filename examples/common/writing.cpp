#include "examples/common/writing.h"

#include <algorithm>
#include <cmath>

#include "examples/common/example.h"

namespace heddle::examples {

CharacterText CharacterText::read(const std::string& path, std::int64_t limit, std::int64_t window) {
    std::string text = read_text(path);
    if (limit > 0 && static_cast<std::size_t>(limit) < text.size()) text.resize(static_cast<std::size_t>(limit));
    CharacterText result{
        .characters = Tokenizer(std::span(&text, 1), {.unit = TokenizerOptions::Unit::character, .lower = false})};
    const std::vector<std::int64_t> all = result.characters.encode(text);
    const std::span<const std::int64_t> tokens(all);
    const std::size_t held_out = all.size() / 10;
    result.train = next_token_windows(tokens.first(all.size() - held_out), window, window / 2);
    result.validation = next_token_windows(tokens.last(held_out), window);

    std::vector<double> counts(static_cast<std::size_t>(result.characters.size()));
    for (const std::int64_t token : all) ++counts[static_cast<std::size_t>(token)];
    const auto total = static_cast<double>(all.size());
    for (const double count : counts)
        if (count > 0) result.entropy -= count / total * std::log(count / total);
    return result;
}

std::string write(const Model& model, const Tokenizer& characters, const std::string& begin, int count,
                  double temperature, std::int64_t window) {
    std::vector<std::int64_t> text = characters.encode(begin);
    Generator generator(7);
    for (int i = 0; i < count; ++i) {
        // The last characters, and nothing behind them: places after the last one are not looked at.
        const std::size_t seen = std::min(text.size(), static_cast<std::size_t>(window));
        std::vector<std::int64_t> last(text.end() - static_cast<std::ptrdiff_t>(seen), text.end());
        last.resize(static_cast<std::size_t>(window), Tokenizer::padding);
        const Tensor logits =
            model.predict(Tensor::from(last, Shape{1, window}))[0][static_cast<std::int64_t>(seen) - 1];
        const std::vector<float> p = ops::softmax(logits * (1 / temperature)).to_vector<float>();
        double left = uniform(generator);
        std::size_t next = 0;
        while (next + 1 < p.size() && (left -= static_cast<double>(p[next])) > 0) ++next;
        text.push_back(static_cast<std::int64_t>(next));
    }
    return characters.decode(text);
}

}  // namespace heddle::examples
