#include "kernels/reduce/sorted_rows.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/random.h"
#include "tests/simt/simulate.h"

// top_k by a sort of all rows: libheddle_cuda has CUB sort what these kernels prepare. Here std::stable_sort does.
HEDDLE_KERNELS_BEGIN
namespace {

template <class T>
double number(T value) {
    if constexpr (std::is_integral_v<T>)
        return value;
    else
        return to_f32(value);
}

/// Ties, infinities, both zeros, NaN of both signs.
template <class T>
std::vector<T> rows_with_everything(std::uint32_t count) {
    std::vector<T> x(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t bits = Philox::block(5, 0, i).word[0];
        const float small = static_cast<float>(static_cast<int>(bits % 21) - 10),
                    inf = std::numeric_limits<float>::infinity();
        if constexpr (std::is_integral_v<T>) {
            x[i] = bits % 7 == 0    ? std::numeric_limits<T>::min()
                   : bits % 11 == 0 ? std::numeric_limits<T>::max()
                                    : static_cast<T>(small);
        } else {
            const float special[] = {inf, -inf, 0.0f, -0.0f, std::nanf(""), -std::nanf(""), std::nanf("17"), 1e-40f};
            x[i] = from_f32<T>(bits % 3 == 0 ? special[bits / 3 % 8] : small);
        }
    }
    return x;
}

template <class T>
void expect_top(std::uint32_t rows, std::uint32_t n, std::uint32_t k) {
    const std::uint32_t count = rows * n, wanted = rows * k;
    const std::vector<T> x = rows_with_everything<T>(count);
    std::vector<std::uint64_t> keys(count);
    std::vector<std::uint32_t> places(count);
    const auto blocks = [](std::uint32_t items) { return (items + row_threads - 1) / row_threads; };
    launch(make_row_keys<T>, dim3(blocks(count)), dim3(row_threads), 0, here, x.data(), keys.data(), places.data(), n,
           count);

    const std::uint64_t sorted_bits =
        row_key_bits(rows) == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << row_key_bits(rows)) - 1;
    std::vector<std::uint32_t> order(count), sorted(count);
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return (keys[a] & sorted_bits) < (keys[b] & sorted_bits);
    });
    for (std::uint32_t i = 0; i < count; ++i) sorted[i] = places[order[i]];

    std::vector<T> values(wanted);
    std::vector<std::int64_t> indices(wanted, -1);
    launch(write_first_of_rows<T>, dim3(blocks(wanted)), dim3(row_threads), 0, here, x.data(), sorted.data(),
           values.data(), indices.data(), n, k, wanted);

    for (std::uint32_t row = 0; row < rows; ++row) {
        std::vector<std::int64_t> want(n);
        std::iota(want.begin(), want.end(), 0);
        std::stable_sort(want.begin(), want.end(),
                         [&](std::int64_t a, std::int64_t b) {  // the contract: NaN is the largest
                             const double left = number(x[row * n + a]), right = number(x[row * n + b]);
                             return std::isnan(left) ? !std::isnan(right) : left > right;
                         });
        for (std::uint32_t j = 0; j < k; ++j) {
            ASSERT_EQ(indices[row * k + j], want[j]) << "row " << row << ", place " << j;
            const double got = number(values[row * k + j]), wanted_value = number(x[row * n + want[j]]);
            ASSERT_TRUE(got == wanted_value || (std::isnan(got) && std::isnan(wanted_value)));
        }
    }
}

template <class T>
void expect_top_of_all_sizes() {
    in_every_order([] {
        expect_top<T>(1, 1, 1);
        expect_top<T>(3, 67, 67);
        expect_top<T>(5, 131, 17);
        expect_top<T>(300, 3, 2);
    });
}

TEST(SortedRows, F32) { expect_top_of_all_sizes<float>(); }
TEST(SortedRows, F16) { expect_top_of_all_sizes<__half>(); }
TEST(SortedRows, Bf16) { expect_top_of_all_sizes<__nv_bfloat16>(); }
TEST(SortedRows, I32) { expect_top_of_all_sizes<std::int32_t>(); }

TEST(SortedRows, Bits) {
    EXPECT_EQ(row_key_bits(1), 32);
    EXPECT_EQ(row_key_bits(2), 33);
    EXPECT_EQ(row_key_bits(3), 34);
    EXPECT_EQ(row_key_bits(256), 40);
    EXPECT_EQ(row_key_bits(257), 41);
    EXPECT_EQ(row_key_bits(std::int64_t{1} << 32), 64);
}

}  // namespace
HEDDLE_KERNELS_END
