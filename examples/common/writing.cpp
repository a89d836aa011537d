#include "examples/common/writing.h"

#include <cmath>

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

TextVectorization CharacterText::vectorization(std::int64_t window) const {
    return {.tokenizer = characters, .output_sequence_length = window};
}

}  // namespace heddle::examples
