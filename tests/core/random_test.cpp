#include "core/random.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace {

using namespace heddle;

// kat_vectors of the Random123 distribution, philox4x32 with 10 rounds: counter words, key words, result.
struct KnownAnswer {
    std::uint32_t counter[4], key[2], result[4];
};
constexpr KnownAnswer known_answers[] = {{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                                         {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                                          {0xffffffff, 0xffffffff},
                                          {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                                         {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                                          {0xa4093822, 0x299f31d0},
                                          {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};

TEST(Philox, KnownAnswers) {
    const auto join = [](const std::uint32_t* words) { return std::uint64_t{words[1]} << 32 | words[0]; };
    for (const KnownAnswer& known : known_answers) {
        const Philox::Block block = Philox::block(join(known.key), join(known.counter + 2), join(known.counter));
        for (int i = 0; i < 4; ++i) EXPECT_EQ(block.word[i], known.result[i]);
    }
}

TEST(Philox, UniformStaysBelowOne) {
    EXPECT_EQ(Philox::uniform(0), 0.0f);
    EXPECT_LT(Philox::uniform(0xFFFFFFFF), 1.0f);
    EXPECT_EQ(Philox::uniform(0x80000000), 0.5f);
}

TEST(Generator, SameSeedSameNumbers) {
    Generator a(7), b(7), c(8);
    std::vector<std::uint64_t> x, y, z;
    for (int i = 0; i < 10; ++i) {
        x.push_back(a.bits());
        y.push_back(b.bits());
        z.push_back(c.bits());
    }
    EXPECT_EQ(x, y);
    EXPECT_NE(x, z);
    EXPECT_EQ(a.offset(), 10u);
    a.set(7, 4);
    EXPECT_EQ(a.bits(), x[4]);
}

TEST(Generator, BelowIsInRangeAndEven) {
    Generator g(3);
    for (const std::uint64_t bound : {1, 2, 3, 7, 10}) {
        std::vector<int> counts(bound, 0);
        const int draws = 20000;
        for (int i = 0; i < draws; ++i) ++counts.at(g.below(bound));
        const double want = draws / static_cast<double>(bound);
        double chi2 = 0;
        for (const int count : counts) chi2 += (count - want) * (count - want) / want;
        EXPECT_LT(chi2, 30) << bound;  // at most 9 degrees of freedom: one in 2000 seeds is worse
    }
    // Where a plain remainder would be off by a half: two thirds of the values fall below 2^63 / 3 * 2.
    const std::uint64_t bound = (std::uint64_t{1} << 63) + (std::uint64_t{1} << 62);
    int low = 0;
    for (int i = 0; i < 30000; ++i) {
        const std::uint64_t value = g.below(bound);
        ASSERT_LT(value, bound);
        low += value < bound / 3;
    }
    EXPECT_NEAR(low, 10000, 500);
}

TEST(Generator, TheDefaultIsPerThread) {
    set_seed(5);
    const std::uint64_t first = default_generator().bits();
    std::thread([] {
        set_seed(99);
        default_generator().bits();
    }).join();
    EXPECT_EQ(default_generator().seed(), 5u);
    EXPECT_EQ(default_generator().offset(), 1u);
    set_seed(5);
    EXPECT_EQ(default_generator().bits(), first);
}

}  // namespace
