#include "examples/common/words.h"

#include <algorithm>
#include <sstream>

namespace heddle::examples {

std::vector<std::string> split(std::string_view sentence) {
    std::istringstream stream{std::string(sentence)};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

Words::Words(const std::vector<std::string>& sentences, std::int64_t minimum)
    : words_{"<padding>", "<unknown>"}, counts_{0, 0} {
    std::map<std::string, std::int64_t> counts;
    for (const std::string& sentence : sentences)
        for (const std::string& word : split(sentence)) ++counts[word];
    std::vector<std::pair<std::string, std::int64_t>> sorted(counts.begin(), counts.end());
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    for (const auto& [word, count] : sorted) {
        if (count < minimum) {
            counts_[1] += count;
            continue;
        }
        numbers_[word] = size();
        words_.push_back(word);
        counts_.push_back(count);
    }
}

std::int64_t Words::number(const std::string& word) const {
    const auto found = numbers_.find(word);
    return found == numbers_.end() ? 1 : found->second;
}

std::vector<std::int64_t> Words::encode(std::string_view sentence) const {
    std::vector<std::int64_t> numbers;
    for (const std::string& word : split(sentence)) numbers.push_back(number(word));
    return numbers;
}

}  // namespace heddle::examples
