#include "examples/common/reviews.h"

#include <heddle/heddle.h>

#include <numeric>
#include <sstream>

#include "examples/common/example.h"

namespace heddle::examples {

Reviews load_reviews(const std::string& folder, std::int64_t limit) {
    std::vector<std::string> sentences;
    std::vector<std::int64_t> labels;
    for (const auto& [name, label] : {std::pair{"rt-polarity.neg", 0}, std::pair{"rt-polarity.pos", 1}}) {
        std::istringstream lines(read_text(folder + "/" + name));
        for (std::string line; std::getline(lines, line);) {
            sentences.push_back(line);
            labels.push_back(label);
        }
    }
    std::vector<std::size_t> order(sentences.size());
    std::iota(order.begin(), order.end(), 0);
    Generator generator(2005);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[generator.below(i)]);

    Reviews reviews;
    const std::size_t held_out = order.size() / 10;
    for (std::size_t i = 0; i < order.size(); ++i) {
        const bool test = i < held_out;
        if (!test && limit > 0 && i - held_out >= static_cast<std::size_t>(limit)) break;
        (test ? reviews.test : reviews.train).push_back(sentences[order[i]]);
        (test ? reviews.test_labels : reviews.train_labels).push_back(labels[order[i]]);
    }
    return reviews;
}

}  // namespace heddle::examples
