#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/simt/fragments.h"
#include "tests/simt/simulate.h"

// The emulated matrix instructions against what a real GPU gave, once that has been recorded.
HEDDLE_KERNELS_BEGIN
namespace {

/// Compares with what was recorded; skips where nothing is.
void compare(const std::vector<std::pair<const char*, std::vector<std::uint32_t>>>& got) {
    const std::string path = HEDDLE_TEST_FOLDER "/fragments_sm90.json";
    std::ifstream file(path);
    if (!file) {
        // Not a silent pass: the summary counts it as skipped until scripts/gpu_report.sh has recorded it.
        GTEST_SKIP() << path << " has not been recorded on a GPU yet";
    }
    const nlohmann::json recorded = nlohmann::json::parse(file);
    for (const auto& [name, words] : got) {
        const std::vector<std::uint32_t> wanted = recorded.at(name);
        EXPECT_EQ(words, wanted) << name;
    }
}

TEST(Fragments, AreThoseOfAGpu) {
    std::vector<std::uint32_t> words(fragment_count * fragment_words);
    in_every_order([&] { launch(record_fragments, 1, 32, 0, here, words.data()); });
    std::vector<std::pair<const char*, std::vector<std::uint32_t>>> got;
    for (int i = 0; i < fragment_count; ++i)
        got.push_back(
            {fragment_names[i], {words.begin() + i * fragment_words, words.begin() + (i + 1) * fragment_words}});
    compare(got);
}

TEST(Fragments, OfHopperAreThoseOfAGpu) {
    const std::vector<__half> a = warpgroup_operand(64), b = warpgroup_operand(warpgroup_n);
    const TensorMap of_a = tensor_map<__half>(warpgroup_boxes(a.data(), 64, 64), here);
    const TensorMap of_b = tensor_map<__half>(warpgroup_boxes(b.data(), warpgroup_n, 64), here);
    const TensorMap along_n = tensor_map<__half>(warpgroup_boxes(b.data(), 64, warpgroup_n), here);
    std::vector<std::uint32_t> words(2 * warpgroup_words + box_words);
    in_every_order(
        [&] { launch(record_warpgroup, 1, 128, warpgroup_shared_bytes, here, of_a, of_b, along_n, words.data()); });
    const auto second = words.begin() + warpgroup_words, third = second + warpgroup_words;
    compare({{warpgroup_names[0], {words.begin(), second}},
             {warpgroup_names[1], {second, third}},
             {box_name, {third, words.end()}}});
}

}  // namespace
HEDDLE_KERNELS_END
