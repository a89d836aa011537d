#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::examples {

/// Words between blanks.
std::vector<std::string> split(std::string_view sentence);

/// The words that occur at least `minimum` times, the most frequent first, numbered from 2: 0 is padding, 1 any other
/// word.
class Words {
  public:
    Words(const std::vector<std::string>& sentences, std::int64_t minimum);

    std::int64_t size() const { return static_cast<std::int64_t>(words_.size()); }
    std::int64_t number(const std::string& word) const;  ///< 1 for an unknown one
    const std::string& word(std::int64_t number) const { return words_[static_cast<std::size_t>(number)]; }
    std::int64_t count(std::int64_t number) const { return counts_[static_cast<std::size_t>(number)]; }
    std::vector<std::int64_t> encode(std::string_view sentence) const;

  private:
    std::vector<std::string> words_;
    std::vector<std::int64_t> counts_;
    std::map<std::string, std::int64_t, std::less<>> numbers_;
};

}  // namespace heddle::examples
