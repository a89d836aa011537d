#include <random>

#include "tests/simt/simulate.h"

// Matrix instructions: the fragments as matrix.h states them, against plain loops.
HEDDLE_KERNELS_BEGIN
namespace {

template <class T>
std::uint32_t pack(T low, T high) {
    std::uint16_t bits[2];
    __builtin_memcpy(&bits[0], static_cast<const void*>(&low), 2);
    __builtin_memcpy(&bits[1], static_cast<const void*>(&high), 2);
    return bits[0] | static_cast<std::uint32_t>(bits[1]) << 16;
}

/// d = c + a b of a warp, fragments filled by hand.
template <class T>
__global__ void multiply(const T* a, const T* b, const float* c, float* d) {
    const unsigned g = threadIdx.x / 4, t = threadIdx.x % 4;
    const auto pair_a = [&](unsigned row, unsigned column) {
        return pack(a[row * 16 + column], a[row * 16 + column + 1]);
    };
    const auto pair_b = [&](unsigned row, unsigned column) {
        return pack(b[row * 8 + column], b[(row + 1) * 8 + column]);
    };
    const std::uint32_t fragment_a[4] = {pair_a(g, 2 * t), pair_a(g + 8, 2 * t), pair_a(g, 2 * t + 8),
                                         pair_a(g + 8, 2 * t + 8)};
    const std::uint32_t fragment_b[2] = {pair_b(2 * t, g), pair_b(2 * t + 8, g)};
    float sum[4] = {c[g * 8 + 2 * t], c[g * 8 + 2 * t + 1], c[(g + 8) * 8 + 2 * t], c[(g + 8) * 8 + 2 * t + 1]};
    matrix_multiply_add<T>(sum, fragment_a, fragment_b);
    d[g * 8 + 2 * t] = sum[0];
    d[g * 8 + 2 * t + 1] = sum[1];
    d[(g + 8) * 8 + 2 * t] = sum[2];
    d[(g + 8) * 8 + 2 * t + 1] = sum[3];
}

template <class T>
class Matrix : public ::testing::Test {};
using Elements = ::testing::Types<__half, __nv_bfloat16>;
TYPED_TEST_SUITE(Matrix, Elements);

TYPED_TEST(Matrix, Product) {
    std::mt19937 generator(3);
    std::normal_distribution<float> normal;
    in_every_order([&] {
        std::vector<TypeParam> a(16 * 16), b(16 * 8);
        std::vector<float> c(16 * 8), d(16 * 8);
        for (auto& value : a) value = from_f32<TypeParam>(normal(generator));
        for (auto& value : b) value = from_f32<TypeParam>(normal(generator));
        for (auto& value : c) value = normal(generator);
        launch(multiply<TypeParam>, 1, 32, 0, here, a.data(), b.data(), c.data(), d.data());
        for (int i = 0; i < 16; ++i)
            for (int j = 0; j < 8; ++j) {
                double sum = c[i * 8 + j], magnitude = std::abs(sum);
                for (int k = 0; k < 16; ++k) {
                    const double product = static_cast<double>(to_f32(a[i * 16 + k])) * to_f32(b[k * 8 + j]);
                    sum += product;
                    magnitude += std::abs(product);
                }
                ASSERT_NEAR(d[i * 8 + j], sum, 16 * 6e-8 * magnitude) << i << ", " << j;
            }
    });
}

// All 65536 bit patterns of f16, which the emulation converts by itself, NaN, infinities and subnormal numbers
// included.
TEST(MatrixF16, ConvertsEveryNumber) {
    std::vector<__half> a(256), b(128);
    std::vector<float> c(128), d(128);
    for (int i = 0; i < 8; ++i) b[i * 8 + i] = __float2half_rn(1.0f);  // the left half of a
    for (unsigned start = 0; start < 65536; start += 128) {
        for (unsigned i = 0; i < 128; ++i)
            a[i / 8 * 16 + i % 8] = __ushort_as_half(static_cast<unsigned short>(start + i));
        launch(multiply<__half>, 1, 32, 0, here, a.data(), b.data(), c.data(), d.data());
        for (unsigned i = 0; i < 128; ++i) {
            const bool finite_row = [&] {
                for (unsigned k = 0; k < 8; ++k)
                    if (!std::isfinite(to_f32(a[i / 8 * 16 + k]))) return false;
                return true;
            }();
            if (finite_row)
                ASSERT_EQ(d[i], to_f32(a[i / 8 * 16 + i % 8])) << start + i;
            else  // infinity times the zeros of b is NaN
                ASSERT_FALSE(std::isfinite(d[i])) << start + i;
        }
    }
}

template <class T>
struct Tiles {
    T element[4][8][8];
};

/// Four tiles in shared memory, rows 48 bytes apart, as padded tiles are.
template <bool transposed>
__global__ void load(const std::uint16_t* x, std::uint32_t* fragments) {
    HEDDLE_SHARED(std::uint16_t, tile, [32][24]);
    for (unsigned i = 0; i < 8; ++i) tile[threadIdx.x][i] = x[threadIdx.x * 8 + i];
    __syncthreads();
    std::uint32_t fragment[4];
    load_matrix_x4<transposed>(fragment, &tile[threadIdx.x][0]);
    for (unsigned i = 0; i < 4; ++i) fragments[i * 32 + threadIdx.x] = fragment[i];
}

TEST(MatrixLoad, BothForms) {
    std::vector<std::uint16_t> x(256);
    for (unsigned i = 0; i < 256; ++i) x[i] = static_cast<std::uint16_t>(i * 257);
    std::vector<std::uint32_t> plain(128), turned(128);
    in_every_order([&] {
        launch(load<false>, 1, 32, 0, here, x.data(), plain.data());
        launch(load<true>, 1, 32, 0, here, x.data(), turned.data());
        for (unsigned tile = 0; tile < 4; ++tile)
            for (unsigned lane = 0; lane < 32; ++lane) {
                const auto at = [&](unsigned row, unsigned column) -> std::uint32_t {
                    return x[tile * 64 + row * 8 + column];
                };
                const unsigned g = lane / 4, t = lane % 4;
                EXPECT_EQ(plain[tile * 32 + lane], at(g, 2 * t) | at(g, 2 * t + 1) << 16);
                EXPECT_EQ(turned[tile * 32 + lane], at(2 * t, g) | at(2 * t + 1, g) << 16);
            }
    });
}

/// The usual way: a and b from shared memory by ldmatrix (b row-major, so transposed), as a tile of a product takes
/// them.
template <class T>
__global__ void multiply_from_shared(const T* a, const T* b, float* d) {
    HEDDLE_SHARED(T, tile_a, [16][24]);
    HEDDLE_SHARED(T, tile_b, [16][16]);
    const unsigned lane = threadIdx.x;
    for (unsigned i = lane; i < 256; i += 32) tile_a[i / 16][i % 16] = a[i];
    for (unsigned i = lane; i < 128; i += 32) tile_b[i / 8][i % 8] = b[i];
    for (unsigned i = lane; i < 128; i += 32) tile_b[i / 8][i % 8 + 8] = from_f32<T>(0.0f);
    __syncwarp();
    std::uint32_t fragment_a[4], fragment_b[4];
    load_matrix_x4(fragment_a, &tile_a[lane % 16][lane / 16 * 8]);
    load_matrix_x4<true>(fragment_b, &tile_b[lane % 16][lane / 16 * 8]);
    float sum[4] = {};
    matrix_multiply_add<T>(sum, fragment_a, {fragment_b[0], fragment_b[1]});
    const unsigned g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sum[i];
}

TYPED_TEST(Matrix, ProductFromSharedMemory) {
    std::vector<TypeParam> a(256), b(128);
    std::vector<float> d(128);
    for (int i = 0; i < 256; ++i) a[i] = from_f32<TypeParam>(static_cast<float>(i % 7 - 3));
    for (int i = 0; i < 128; ++i) b[i] = from_f32<TypeParam>(static_cast<float>(i % 5 - 2));
    in_every_order([&] {
        launch(multiply_from_shared<TypeParam>, 1, 32, 0, here, a.data(), b.data(), d.data());
        for (int i = 0; i < 16; ++i)
            for (int j = 0; j < 8; ++j) {
                float sum = 0;
                for (int k = 0; k < 16; ++k) sum += to_f32(a[i * 16 + k]) * to_f32(b[k * 8 + j]);
                EXPECT_EQ(d[i * 8 + j], sum) << i << ", " << j;  // small integers: exact
            }
    });
}

}  // namespace
HEDDLE_KERNELS_END
