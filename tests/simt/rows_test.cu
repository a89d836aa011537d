#include "kernels/simt/rows.h"

#include "tests/simt/simulate.h"

// Rows of all kinds: each element is read and written by one thread, nothing else is.
HEDDLE_KERNELS_BEGIN
namespace {

using Kind = RowPlan::Kind;

/// y[c] = x[c] + c mod 5; sums: of each row of x.
template <class T, class Row>
__global__ void add_columns(const T* x, T* y, float* sums, RowTiles tiles) {
    Row row(tiles);
    auto values = row.read(x);
    float sum = 0;
    for_columns(
        row, [&](auto, float value) { sum += value; }, values);
    sum = row.reduce(sum, Sum{}, 0.0f);
    write_columns(
        row, y, [&](auto column, float value) { return value + static_cast<float>(column % 5); }, values);
    if (row.leads()) sums[row.row] += sum;
}

/// Runs it on arrays that begin so many elements behind an aligned address.
template <class T>
void expect_each_once(std::int64_t rows, std::int64_t length, int x_offset, int y_offset) {
    SCOPED_TRACE(::testing::Message() << rows << " x " << length << ", offsets " << x_offset << ", " << y_offset);
    constexpr int guard = 16;
    const auto count = static_cast<std::size_t>(rows * length);
    const auto aligned = [](std::vector<T>& memory) {
        T* data = memory.data();
        while (!is_aligned(data)) ++data;
        return data;
    };
    std::vector<T> x_memory(count + guard, from_f32<T>(0)), y_memory(count + 2 * guard, from_f32<T>(-1));
    T *const x = aligned(x_memory) + x_offset, *const y = aligned(y_memory) + y_offset;
    for (std::size_t i = 0; i < count; ++i) x[i] = from_f32<T>(static_cast<float>(i * i % 7 % 2));
    std::vector<float> sums(static_cast<std::size_t>(rows));
    const RowPlan plan = plan_rows<T>(rows, length, 1, {x, y});
    with_row<T>(plan, [&](auto kind) {
        launch(add_columns<T, typename decltype(kind)::type>, plan.grid, plan.block, plan.shared_bytes, here, x, y,
               sums.data(), plan.tiles);
    });
    for (std::int64_t row = 0; row < rows; ++row) {
        float sum = 0;
        for (std::int64_t c = 0; c < length; ++c) {
            const float value = to_f32(x[row * length + c]);
            sum += value;
            ASSERT_EQ(to_f32(y[row * length + c]), value + static_cast<float>(c % 5)) << row << ", " << c;
        }
        ASSERT_EQ(sums[static_cast<std::size_t>(row)], sum) << row;
    }
    for (T* before = y_memory.data(); before < y; ++before) ASSERT_EQ(to_f32(*before), -1);
    for (T* after = y + count; after < y_memory.data() + y_memory.size(); ++after) ASSERT_EQ(to_f32(*after), -1);
}

template <class T>
void expect_all() {
    for (const std::int64_t length : {1, 3, 8, 10, 64, 255, 256, 257, 512, 1003, 1024, 1031, 2048})
        for (const std::int64_t rows : {1, 37})
            for (const auto& [x, y] : {std::pair{0, 0}, {0, 1}, {1, 1}, {3, 2}})
                expect_each_once<T>(rows, length, x, y);
    expect_each_once<T>(1100, 10, 0, 0);
    expect_each_once<T>(1100, 8, 0, 0);
    expect_each_once<T>(0, 8, 0, 0);
}

TEST(Rows, EachElementOnceInF32) { expect_all<float>(); }
TEST(Rows, EachElementOnceInF16) { expect_all<__half>(); }

template <class T>
RowPlan plan_of(std::int64_t length, std::size_t x, std::size_t y, int reads = 1) {
    return plan_rows<T>(100, length, reads, {reinterpret_cast<void*>(x), reinterpret_cast<void*>(y)});
}

TEST(Rows, WholeVectorsAreKept) {
    EXPECT_EQ(plan_of<float>(4, 256, 512).kind, Kind::kept);
    EXPECT_EQ(plan_of<float>(1024, 256, 512).kind, Kind::kept);
    EXPECT_EQ(plan_of<__half>(1000, 256, 512).kind, Kind::kept);
    EXPECT_EQ(plan_of<float>(64, 256, 512).tiles.width, 2);
    EXPECT_EQ(plan_of<__half>(1024, 256, 512).tiles.width, 32);
}

TEST(Rows, OthersAreStagedWhileShort) {
    EXPECT_EQ(plan_of<float>(10, 256, 512).kind, Kind::staged);
    EXPECT_EQ(plan_of<__half>(252, 256, 512).kind, Kind::staged);
    EXPECT_EQ(plan_of<float>(64, 256, 516).kind, Kind::staged);
    EXPECT_EQ(plan_of<float>(10, 256, 512, 2).shared_bytes, 2 * 128 * 10 * sizeof(float));
}

TEST(Rows, LongOnesAreWalked) {
    EXPECT_EQ(plan_of<float>(1028, 256, 512).kind, Kind::walked);
    EXPECT_EQ(plan_of<float>(257, 256, 512).kind, Kind::walked);
    EXPECT_EQ(plan_of<float>(257, 256, 512).block.x, 128u);
    EXPECT_EQ(plan_of<float>(4096, 256, 512).block.x, 256u);
    EXPECT_EQ(plan_of<float>(4096, 256, 512, 2).block.x, 512u);
    EXPECT_EQ(plan_of<__half>(50257, 256, 512).block.x, 1024u);
    EXPECT_EQ(plan_of<__half>(50257, 258, 514).tiles.skew, 1);
    EXPECT_EQ(plan_of<__half>(50257, 258, 512).tiles.skew, -1);
}

}  // namespace
HEDDLE_KERNELS_END
