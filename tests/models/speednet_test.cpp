#include "models/speednet.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "models/detail/eigen.h"
#include "models/models.h"
#include "ops/conv.h"
#include "ops/random.h"

namespace heddle {
namespace {

TEST(Eigen, OfASymmetricMatrix) {
    // A = V diag(values) V^T with random symmetric A: check A v = value v and orthonormal vectors.
    constexpr std::size_t n = 12;
    std::vector<double> a(n * n);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j <= i; ++j)
            a[i * n + j] = a[j * n + i] = std::sin(static_cast<double>(3 * i * i + 7 * j + 1));
    const detail::Eigen eigen = detail::eigen_of_symmetric(a, n);
    for (std::size_t k = 0; k < n; ++k) {
        for (std::size_t i = 0; i < n; ++i) {
            double product = 0;
            for (std::size_t j = 0; j < n; ++j) product += a[i * n + j] * eigen.vectors[k][j];
            EXPECT_NEAR(product, eigen.values[k] * eigen.vectors[k][i], 1e-12);
        }
        for (std::size_t other = 0; other < n; ++other) {
            double dot = 0;
            for (std::size_t i = 0; i < n; ++i) dot += eigen.vectors[k][i] * eigen.vectors[other][i];
            EXPECT_NEAR(dot, k == other ? 1 : 0, 1e-12);
        }
    }
}

Dataset pictures(std::int64_t count) {
    set_seed(3);
    const Tensor pixels = (ops::random_uniform({count, 32, 32, 3}, 0, 255) * 0.5 + 30.0).to(DType::u8);
    return ImageDataset(pixels, Tensor::zeros({count}, {DType::i64}), {.mean = {0.4f, 0.4f, 0.4f}});
}

TEST(SpeedNet, HasTheSizeOfThePaper) {
    const Model model = make_model("speednet94", {32, 32, 3}, 10);
    // 1.97 M with the whitening filters, which are no parameters here.
    EXPECT_EQ(model.parameter_count(),
              24 + 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256) + 2 * (64 + 256 + 256) + 2560);
    EXPECT_EQ(model.buffers().front().first, "whiten.weight");
}

TEST(SpeedNet, WhitenedPatchesHaveUnitCovariance) {
    const Model model = make_model("speednet94", {32, 32, 3}, 10);
    const Dataset data = pictures(40);
    whiten(model, data, 40);
    const Tensor weight = model.buffers().front().second;
    const Tensor y = ops::conv2d(data.batch(0, 40).inputs[0], weight, Tensor(), {});
    const std::vector<float> values = y.to_vector<float>();
    const std::size_t rows = values.size() / 24;
    for (std::size_t i = 0; i < 12; ++i)
        for (std::size_t j = 0; j <= i; ++j) {
            double sum = 0, negative = 0;
            for (std::size_t row = 0; row < rows; ++row) {
                sum += static_cast<double>(values[row * 24 + i]) * values[row * 24 + j];
                negative += static_cast<double>(values[row * 24 + i + 12]) * values[row * 24 + j];
            }
            const double expected = i == j ? 1 : 0;  // up to the 5e-4 beside eigenvalues of some 0.02
            EXPECT_NEAR(sum / static_cast<double>(rows), expected, 0.05) << i << " " << j;
            EXPECT_NEAR(negative / static_cast<double>(rows), -expected, 0.05);
        }
    EXPECT_THROW(whiten(make_model("cnn", {32, 32, 3}, 10), data), Error);
}

TEST(SpeedNet, ConvolutionsBeginAsTheIdentity) {
    const Model model = make_model("speednet94", {32, 32, 3}, 10);
    for (const auto& [name, tensor] : model.parameters()) {
        if (name.find("conv") == std::string::npos) continue;
        const std::vector<float> w = tensor.to_vector<float>();
        const std::int64_t channels = tensor.size(3), filters = tensor.size(0);
        for (std::int64_t filter = 0; filter < std::min(filters, channels); ++filter)
            for (std::int64_t i = 0; i < 9 * channels; ++i)
                ASSERT_EQ(w[static_cast<std::size_t>(filter * 9 * channels + i)], i == 4 * channels + filter ? 1 : 0);
    }
}

}  // namespace
}  // namespace heddle
