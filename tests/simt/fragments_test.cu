#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/simt/fragments.h"
#include "tests/simt/simulate.h"

// The emulated matrix instructions against what a real GPU gave, once that has been recorded.
HEDDLE_KERNELS_BEGIN
namespace {

TEST(Fragments, AreThoseOfAGpu) {
    std::vector<std::uint32_t> words(fragment_count * fragment_words);
    in_every_order([&] { launch(record_fragments, 1, 32, 0, here, words.data()); });
    const std::string path = HEDDLE_TEST_FOLDER "/fragments_sm90.json";
    std::ifstream file(path);
    if (!file) {
        // Not a silent pass: the summary counts it as skipped until scripts/gpu_report.sh has recorded it.
        GTEST_SKIP() << path << " has not been recorded on a GPU yet";
    }
    const nlohmann::json recorded = nlohmann::json::parse(file);
    for (int i = 0; i < fragment_count; ++i) {
        const std::vector<std::uint32_t> wanted = recorded.at(fragment_names[i]);
        const std::vector<std::uint32_t> got(words.begin() + i * fragment_words,
                                             words.begin() + (i + 1) * fragment_words);
        EXPECT_EQ(got, wanted) << fragment_names[i];
    }
}

}  // namespace
HEDDLE_KERNELS_END
