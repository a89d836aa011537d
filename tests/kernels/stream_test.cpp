#include "kernels/stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "kernels/norm/norm.h"

// Outputs that are written past the caches: every element is written, and nothing else, wherever in a line they begin.
namespace {

using namespace heddle;
using namespace heddle::kernels;

constexpr std::int64_t rows = 32771, channels = 65, count = rows * channels;
static_assert(count * sizeof(float) >= streamed_bytes);
constexpr float untouched = -7;

using Values = std::vector<float>;

/// Values in [-1, 1).
Values some(std::int64_t size, std::size_t seed) {
    Values values(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>((i + seed) * 2654435761u % 1024) / 512 - 1;
    return values;
}
Values positive(std::int64_t size, std::size_t seed) {
    Values values = some(size, seed);
    for (float& value : values) value = std::abs(value) + 0.5f;
    return values;
}

View matrix(Values& values) { return View(values.data(), {rows, channels}, DType::f32); }
View vector(Values& values) { return View(values.data(), {static_cast<std::int64_t>(values.size())}, DType::f32); }

/// `make(output)` gives the arguments of a call; values agree within `tolerance`.
template <class Args, class Make>
void expect_output(KernelTable<Args>& table, float tolerance, const Make& make) {
    const FlushDenormals flush;
    Values want(static_cast<std::size_t>(count));
    const auto run = [&](const char* name, float* output) {
        run_implementation(*table.find(name, DeviceKind::cpu), make(View(output, {rows, channels}, DType::f32)),
                           Device::cpu(), 0);
    };
    run("reference", want.data());
    for (const std::size_t offset : {1, 4, 15}) {
        Values framed(count + 32, untouched);
        float* const got = framed.data() + offset;
        run("cpu", got);
        std::int64_t wrong = 0;
        for (std::int64_t i = 0; i < count; ++i)
            wrong += !(std::abs(got[i] - want[static_cast<std::size_t>(i)]) <= tolerance);
        EXPECT_EQ(wrong, 0) << "offset " << offset;
        EXPECT_EQ(std::count(framed.begin(), framed.begin() + static_cast<std::ptrdiff_t>(offset), untouched),
                  static_cast<std::ptrdiff_t>(offset));
        EXPECT_EQ(std::count(got + count, framed.data() + framed.size(), untouched),
                  static_cast<std::ptrdiff_t>(32 - offset));
    }
}

TEST(Stream, BatchNormWritesAllOfItsOutputAndNoMore) {
    Values x = some(count, 0), mean(channels), inverse_deviation(channels);
    expect_output(batch_norm_forward(), 1e-5f, [&](const View& y) {
        return BatchNormForward{
            .x = matrix(x), .y = y, .mean = vector(mean), .inverse_deviation = vector(inverse_deviation)};
    });
}

TEST(Stream, BatchNormBackwardWritesAllOfItsOutputAndNoMore) {
    Values x = some(count, 0), y = some(count, 3), dy = some(count, 7), mean = some(channels, 1),
           inverse_deviation = positive(channels, 2);
    for (const bool training : {true, false})
        expect_output(batch_norm_backward(), 2e-5f, [&](const View& dx) {
            return BatchNormBackward{.x = matrix(x),
                                     .y = matrix(y),
                                     .dy = matrix(dy),
                                     .mean = vector(mean),
                                     .inverse_deviation = vector(inverse_deviation),
                                     .activation = FusedActivation::relu,
                                     .training = training,
                                     .dx = dx};
        });
}

}  // namespace
