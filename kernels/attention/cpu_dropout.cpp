#include "kernels/attention/cpu_dropout.h"

#include "core/parallel.h"

namespace heddle::kernels {
namespace {

/// Eight words of 32 bits, each in 64: products of them need no shuffling. (GCC's and Clang's vectors: one register of
/// AVX-512, two of AVX2's.)
using Wide = std::uint64_t __attribute__((vector_size(64)));
constexpr std::uint64_t low_word = 0xFFFFFFFF;

/// The four words of eight Philox blocks that follow each other: `Philox::block`, eight at a time.
[[gnu::always_inline]] inline void eight_blocks(std::uint64_t seed, std::uint64_t offset, std::uint32_t row,
                                                std::uint64_t column, std::uint64_t (&words)[4][8]) {
    Wide c0 = Wide{0, 1, 2, 3, 4, 5, 6, 7} + column, c1 = Wide{} + row, c2 = Wide{} + (offset & low_word),
         c3 = Wide{} + (offset >> 32);
    auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const Wide p0 = (c0 & low_word) * std::uint64_t{0xD2511F53}, p1 = (c2 & low_word) * std::uint64_t{0xCD9E8D57};
        c0 = (p1 >> 32) ^ c1 ^ std::uint64_t{key0};
        c1 = p1;
        c2 = (p0 >> 32) ^ c3 ^ std::uint64_t{key1};
        c3 = p0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    __builtin_memcpy(words[0], &c0, sizeof(c0));
    __builtin_memcpy(words[1], &c1, sizeof(c1));
    __builtin_memcpy(words[2], &c2, sizeof(c2));
    __builtin_memcpy(words[3], &c3, sizeof(c3));
}

HEDDLE_SIMD_CLONES void factors(std::uint64_t seed, std::uint64_t offset, std::uint32_t row, std::int64_t first_key,
                                std::int64_t keys, std::uint32_t limit, float factor, float* lower, float* upper) {
    for (std::int64_t k = 0; k < keys; k += kept_keys, lower += kept_keys, upper += kept_keys) {
        std::uint64_t wide[4][8];
        eight_blocks(seed, offset, row, static_cast<std::uint64_t>(first_key + k) / 4, wide);
        std::uint32_t words[kept_keys];  // in the order of the keys
        for (int m = 0; m < 4; ++m)
            for (int i = 0; i < 8; ++i) words[8 * m + i] = static_cast<std::uint32_t>(wide[m][i]);
        for (std::int64_t i = 0; i < kept_keys; ++i) lower[i] = words[i] << 16 > limit ? factor : 0.0f;
        for (std::int64_t i = 0; i < kept_keys; ++i) upper[i] = words[i] > limit ? factor : 0.0f;
    }
}

}  // namespace

void keep_factors(const WeightDropout& dropout, std::uint64_t offset, std::uint32_t row, std::int64_t first_key,
                  std::int64_t keys, float* lower, float* upper) {
    factors(dropout.seed(), offset, row, first_key, keys, dropout.limit(), dropout.factor, lower, upper);
}

}  // namespace heddle::kernels
