#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace heddle::examples {

/// Sentences of film reviews, 1 for praise and 0 for blame: sentence polarity v1.0 (Pang and Lee 2005).
struct Reviews {
    std::vector<std::string> train = {}, test = {};
    std::vector<std::int64_t> train_labels = {}, test_labels = {};
};

/// Where to get it, for `About::how_to_get`.
inline constexpr const char* reviews_hint =
    "Folder of rt-polarity.pos and rt-polarity.neg: https://www.cs.cornell.edu/people/pabo/movie-review-data/";

/// Reads `folder`, shuffles by a fixed seed and holds out a tenth; at most `limit` training sentences (0: all).
Reviews load_reviews(const std::string& folder, std::int64_t limit);

}  // namespace heddle::examples
