#include <random>

#include "kernels/simt/tensor_map.h"
#include "kernels/simt/wgmma.h"
#include "tests/simt/simulate.h"

// mbarriers, copies of boxes and products of warpgroups, as their headers state them, against plain loops. Bugs planted
// in kernels that use them: hopper_bugs_test.cu.
HEDDLE_KERNELS_BEGIN
namespace {

/// The first multiple of 1024 bytes.
__device__ inline unsigned char* aligned(unsigned char* shared) {
    return shared + (1024 - reinterpret_cast<std::uintptr_t>(shared) % 1024) % 1024;
}

/// One thread hands numbers to another through one cell, and gets it back: two barriers, many phases.
__global__ void hand_over(float* y, int count) {
    HEDDLE_SHARED(Mbarrier, full, [1]);
    HEDDLE_SHARED(Mbarrier, empty, [1]);
    HEDDLE_SHARED(float, cell, [1]);
    if (threadIdx.x == 0) {
        mbarrier_init(full[0], 1);
        mbarrier_init(empty[0], 2);
        fence_async();
    }
    __syncthreads();
    if (threadIdx.x == 0)
        for (int i = 0; i < count; ++i) {
            mbarrier_wait(empty[0], (i & 1) ^ 1);
            cell[0] = static_cast<float>(i);
            mbarrier_arrive(full[0]);
        }
    else
        for (int i = 0; i < count; ++i) {
            mbarrier_wait(full[0], i & 1);
            y[(threadIdx.x - 1) * static_cast<unsigned>(count) + static_cast<unsigned>(i)] = cell[0];
            mbarrier_arrive(empty[0]);
        }
}

TEST(Mbarrier, HandsOverInPhases) {
    in_every_order([] {
        constexpr int count = 7;
        std::vector<float> y(2 * count, -1);
        launch(hand_over, 1, 3, 0, here, y.data(), count);
        for (int i = 0; i < 2 * count; ++i) EXPECT_EQ(y[i], static_cast<float>(i % count));
    });
}

/// Brings one box and writes out what lies there, piece by piece.
__global__ void bring_box(const __grid_constant__ TensorMap map, int column, int row, int item, std::uint16_t* y,
                          int rows) {
    HEDDLE_SHARED_DYNAMIC(unsigned char, shared);
    HEDDLE_SHARED(Mbarrier, full, [1]);
    unsigned char* const box = aligned(shared);
    if (threadIdx.x == 0) {
        mbarrier_init(full[0], 1);
        fence_async();
        mbarrier_arrive_expect(full[0], static_cast<unsigned>(box_bytes(rows)));
        copy_box(box, map, column, row, item, full[0]);
    }
    __syncthreads();
    mbarrier_wait(full[0], 0);
    const auto* const elements = reinterpret_cast<const std::uint16_t*>(box);
    for (int i = static_cast<int>(threadIdx.x); i < rows * box_columns; i += static_cast<int>(blockDim.x))
        y[i] = elements[i];
}

TEST(TensorMap, BringsABoxInTheSwizzle) {
    constexpr int columns = 72, rows = 13, items = 2, box_rows = 16;
    std::vector<__half> x(columns * rows * items);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = __ushort_as_half(static_cast<unsigned short>(i + 1));
    const MatrixBoxes boxes{x.data(), columns, rows, items, columns, columns * rows, box_rows};
    const TensorMap map = tensor_map<__half>(boxes, here);
    in_every_order([&] {
        for (const int column : {0, 8, 64, -3, 128})
            for (const int row : {0, 5, -2, 13})
                for (const int item : {0, 1, 2}) {
                    std::vector<std::uint16_t> y(box_rows * box_columns);
                    launch(bring_box, 1, 64, box_bytes(box_rows) + 1024, here, map, column, row, item, y.data(),
                           box_rows);
                    for (int r = 0; r < box_rows; ++r)
                        for (int c = 0; c < box_columns; ++c) {
                            const int i = row + r, j = column + c;
                            const bool inside = i >= 0 && i < rows && j >= 0 && j < columns && item < items;
                            const int place = r * 64 + (c / 8 ^ r % 8) * 8 + c % 8;
                            ASSERT_EQ(y[place], inside ? (item * rows + i) * columns + j + 1 : 0)
                                << row << ", " << column << ", " << item << ": " << r << ", " << c;
                        }
                }
    });
}

TEST(TensorMap, SaysWhatTheCopyEngineCannotDo) {
    alignas(16) static const __half x[64] = {};
    const MatrixBoxes good{x, 8, 8, 1, 8, 64, 8};
    EXPECT_EQ(why_no_tensor_map(good), "");
    MatrixBoxes bad = good;
    bad.row_step = 12;
    EXPECT_EQ(why_no_tensor_map(bad), "rows that begin at no multiple of 16 bytes");
    bad = good;
    bad.data = x + 1;
    EXPECT_EQ(why_no_tensor_map(bad), "memory that is not aligned to 16 bytes");
    bad = good;
    bad.box_rows = 257;
    EXPECT_EQ(why_no_tensor_map(bad), "boxes of more than 256 rows");
    bad = good;
    bad.rows = 0;
    EXPECT_EQ(error_of([&] { tensor_map<__half>(bad, here); }), "planted: a tensor map: an extent of 0");
}

/// d = start + a b for two slabs of 64 along k, with a and b in shared memory as their majors say; a: 64 rows, b: n.
template <class T, int n, bool a_along_k, bool b_along_k>
__global__ void multiply(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, float* d,
                         bool accumulate) {
    HEDDLE_SHARED_DYNAMIC(unsigned char, shared);
    HEDDLE_SHARED(Mbarrier, full, [1]);
    constexpr int a_bytes = box_bytes(64), b_bytes = box_bytes(n);
    unsigned char* const a_tile = aligned(shared);
    unsigned char* const b_tile = a_tile + a_bytes;
    if (threadIdx.x == 0) {
        mbarrier_init(full[0], 1);
        fence_async();
    }
    __syncthreads();
    float sums[n / 2];
    for (int i = 0; i < n / 2; ++i) sums[i] = static_cast<float>(i);
    for (int slab = 0; slab < 2; ++slab) {
        if (threadIdx.x == 0) {
            mbarrier_arrive_expect(full[0], a_bytes + b_bytes);
            copy_box(a_tile, a, a_along_k ? slab * 64 : 0, a_along_k ? 0 : slab * 64, 0, full[0]);
            if (b_along_k)
                copy_box(b_tile, b, slab * 64, 0, 0, full[0]);
            else
                for (int i = 0; i < n / 64; ++i) copy_box(b_tile + i * box_bytes(64), b, i * 64, slab * 64, 0, full[0]);
        }
        mbarrier_wait(full[0], slab & 1);
        const std::uint64_t of_a = wgmma_operand(a_tile, box_bytes(64)), of_b = wgmma_operand(b_tile, box_bytes(64));
        wgmma_fence();
        for (int step = 0; step < 4; ++step)
            wgmma<T, n, !a_along_k, !b_along_k>(sums, wgmma_step<a_along_k>(of_a, step),
                                                wgmma_step<b_along_k>(of_b, step), accumulate || slab > 0 || step > 0);
        wgmma_commit();
        wgmma_wait<0>();
        settle(sums);
        __syncthreads();
    }
    const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
    for (int i = 0; i < n / 2; ++i)
        d[(warp * 16 + lane / 4 + i / 2 % 2 * 8) * n + i / 4 * 8 + lane % 4 * 2 + i % 2] = sums[i];
}

template <class T, int n, bool a_along_k, bool b_along_k>
void check_product() {
    constexpr int k = 128;
    std::mt19937 generator(5);
    std::uniform_int_distribution<int> small(-4, 4);
    std::vector<T> a(64 * k), b(n * k);
    for (T& value : a) value = from_f32<T>(static_cast<float>(small(generator)));
    for (T& value : b) value = from_f32<T>(static_cast<float>(small(generator)));
    const auto boxes = [](const std::vector<T>& x, int extent, bool along_k) {
        return MatrixBoxes{x.data(),   along_k ? k : extent, along_k ? extent : k, 1, along_k ? k : extent,
                           extent * k, along_k ? extent : 64};
    };
    const TensorMap of_a = tensor_map<T>(boxes(a, 64, a_along_k), here);
    const TensorMap of_b = tensor_map<T>(boxes(b, n, b_along_k), here);
    in_every_order([&] {
        for (const bool accumulate : {false, true}) {
            std::vector<float> d(64 * n);
            launch(multiply<T, n, a_along_k, b_along_k>, 1, 128, box_bytes(64) + box_bytes(n) + 1024, here, of_a, of_b,
                   d.data(), accumulate);
            for (int i = 0; i < 64; ++i)
                for (int j = 0; j < n; ++j) {
                    float sum = accumulate ? static_cast<float>(j / 8 * 4 + i / 8 % 2 * 2 + j % 2) : 0;
                    for (int p = 0; p < k; ++p)
                        sum += to_f32(a[a_along_k ? i * k + p : p * 64 + i]) *
                               to_f32(b[b_along_k ? j * k + p : p * n + j]);
                    ASSERT_EQ(d[i * n + j], sum) << i << ", " << j;  // small integers: exact
                }
        }
    });
}

TEST(Wgmma, BothAlongK) { check_product<__half, 128, true, true>(); }
TEST(Wgmma, BAlongN) { check_product<__nv_bfloat16, 256, true, false>(); }
TEST(Wgmma, AAlongM) { check_product<__half, 256, false, true>(); }
TEST(Wgmma, NeitherAlongK) { check_product<__nv_bfloat16, 128, false, false>(); }

}  // namespace
HEDDLE_KERNELS_END
