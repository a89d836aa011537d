#include "kernels/stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "kernels/norm/norm.h"

// Outputs that are written past the caches: every element, and nothing beside them, wherever in a line they begin.
namespace {

using namespace heddle;
using namespace heddle::kernels;

constexpr std::int64_t rows = 32771, channels = 65, count = rows * channels;
static_assert(count * sizeof(float) >= streamed_bytes);
constexpr float untouched = -7;

TEST(Stream, BatchNormWritesAllOfItsOutputAndNoMore) {
    std::vector<float> x(count), mean(channels), inverse_deviation(channels);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 2654435761u % 1024) / 512 - 1;
    for (const std::size_t offset : {1, 4, 15}) {
        std::vector<float> framed(count + 32, untouched);
        float* const y = framed.data() + offset;
        const BatchNormForward args{.x = View(x.data(), {rows, channels}, DType::f32),
                                    .y = View(y, {rows, channels}, DType::f32),
                                    .mean = View(mean.data(), {channels}, DType::f32),
                                    .inverse_deviation = View(inverse_deviation.data(), {channels}, DType::f32)};
        const FlushDenormals flush;
        run_implementation(*batch_norm_forward().find("cpu", DeviceKind::cpu), args, Device::cpu(), 0);
        std::int64_t wrong = 0;
        for (std::int64_t i = 0; i < count; ++i) {
            const auto c = static_cast<std::size_t>(i % channels);
            const float want = (x[static_cast<std::size_t>(i)] - mean[c]) * inverse_deviation[c];
            wrong += !(std::abs(y[i] - want) <= 1e-5f);
        }
        EXPECT_EQ(wrong, 0) << "offset " << offset;
        EXPECT_EQ(std::count(framed.begin(), framed.begin() + static_cast<std::ptrdiff_t>(offset), untouched),
                  static_cast<std::ptrdiff_t>(offset));
        EXPECT_EQ(std::count(y + count, framed.data() + framed.size(), untouched),
                  static_cast<std::ptrdiff_t>(32 - offset));
    }
}

}  // namespace
