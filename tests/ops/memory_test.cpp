#include <gtest/gtest.h>

#include <functional>

#include "core/allocator.h"
#include "ops/autograd/grad_mode.h"
#include "ops/conv.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/random.h"
#include "ops/softmax.h"

// How much memory functions hold, in tensors of one size: what backward has used is freed, gradients are overwritten
// where nobody else sees them, and nothing is kept that backward does not need.
namespace heddle {
namespace {

constexpr std::int64_t rows = 512, columns = 512;
constexpr double tensor_bytes = rows * columns * sizeof(float);

/// Counts from where it begins, in tensors.
class Meter {
  public:
    Meter() : start_(stats().allocated) { allocator(Device::cpu()).reset_peak(); }
    double held() const { return in_tensors(stats().allocated); }
    double peak() const { return in_tensors(stats().peak_allocated); }

  private:
    static MemoryStats stats() { return allocator(Device::cpu()).stats(); }
    double in_tensors(std::size_t bytes) const {
        return (static_cast<double>(bytes) - static_cast<double>(start_)) / tensor_bytes;
    }
    std::size_t start_;
};

// Small things (scalars, channel vectors) are far below a tenth of a tensor.
#define EXPECT_TENSORS(expected, actual) EXPECT_NEAR(actual, expected, 0.1)

Tensor leaf() {
    Tensor tensor = Tensor::ones({rows, columns});
    tensor.set_requires_grad();
    return tensor;
}

/// A gradient to begin with that no meter counts.
const Tensor& ones() {
    static const Tensor tensor = Tensor::ones({rows, columns});
    return tensor;
}

TEST(OpsMemory, WithoutRecordingAChainHoldsTwoTensors) {
    const Tensor x = leaf();
    const NoGrad no_grad;
    const Meter meter;
    Tensor y = x;
    for (int i = 0; i < 8; ++i) y = ops::tanh(y);
    EXPECT_TENSORS(1, meter.held());
    EXPECT_TENSORS(2, meter.peak());
}

TEST(OpsMemory, WhatBackwardDoesNotNeedIsNotKept) {
    const Tensor x = leaf();
    const Meter meter;
    Tensor y = x;
    for (int i = 0; i < 8; ++i) y = (y + 1.0) * 0.5 - 2.0;
    EXPECT_TENSORS(1, meter.held());
    y = y.reshape({columns, rows}).reshape({rows, columns});
    EXPECT_TENSORS(1, meter.held());
}

TEST(OpsMemory, BackwardFreesAsItGoes) {
    const Tensor x = leaf();
    ones();
    const Meter meter;
    Tensor y = x;
    for (int i = 0; i < 8; ++i) y = ops::tanh(y);  // each keeps its result
    EXPECT_TENSORS(8, meter.held());
    y.backward(ones());
    // One gradient, overwritten on its way down, while the results go.
    EXPECT_TENSORS(9, meter.peak());
    EXPECT_TENSORS(2, meter.held());  // y and the gradient of x
    y = Tensor();
    EXPECT_TENSORS(1, meter.held());
}

TEST(OpsMemory, ARetainedGraphKeepsItsTensors) {
    const Tensor x = leaf();
    const Tensor& dy = ones();
    const Meter meter;
    Tensor y = x;
    for (int i = 0; i < 4; ++i) y = ops::tanh(y);
    y.backward(dy, true);
    EXPECT_TENSORS(5, meter.held());
    y = Tensor();
    EXPECT_TENSORS(1, meter.held());
}

TEST(OpsMemory, AGraphThatIsDroppedFreesItsTensors) {
    const Tensor x = leaf();
    const Meter meter;
    {
        Tensor y = x;
        for (int i = 0; i < 4; ++i) y = ops::exp(y * y);
        EXPECT_TENSORS(4, meter.held());  // an exponential keeps its result, not the square
    }
    EXPECT_TENSORS(0, meter.held());
}

TEST(OpsMemory, ASecondGradientIsAddedInPlace) {
    const Tensor x = leaf();
    ops::tanh(x).backward(ones());
    const void* before = x.grad().raw();
    const Meter meter;
    ops::tanh(x).backward(ones());
    EXPECT_EQ(x.grad().raw(), before);
    EXPECT_TENSORS(0, meter.held());
    EXPECT_TENSORS(2, meter.peak());  // the result, and the gradient to be added
}

TEST(OpsMemory, BranchesJoinInPlace) {
    const Tensor x = leaf();
    ones();
    const Meter meter;
    Tensor y = ops::tanh(x) + ops::sigmoid(x);
    EXPECT_TENSORS(3, meter.held());
    y.backward(ones());
    EXPECT_TENSORS(2, meter.held());
    // The sum hands its own gradient to both branches, so each makes one. The first branch's result is gone when the
    // second makes its gradient, which is added to the first in place.
    EXPECT_TENSORS(4, meter.peak());
}

TEST(OpsMemory, BackwardStepsOverwriteTheirGradient) {
    // `mask`: kept beside the result; `kept`: 1 where backward needs the result itself.
    const auto check = [](const char* what, double mask, double kept,
                          const std::function<Tensor(const Tensor&)>& function) {
        SCOPED_TRACE(what);
        const Tensor x = leaf();
        ones();
        const Meter meter;
        Tensor y = function(x);
        EXPECT_TENSORS(1 + mask, meter.held());
        // Through * 2 the gradient is one that nobody else holds.
        Tensor doubled = y * 2.0;
        y = Tensor();
        doubled.backward(ones());
        EXPECT_TENSORS(mask + kept + 2, meter.peak());
        EXPECT_TENSORS(2, meter.held());
    };
    check("softmax", 0, 1, [](const Tensor& x) { return ops::softmax(x); });
    check("relu", 0, 1, [](const Tensor& x) { return ops::relu(x); });
    check("dropout", 0.25, 0, [](const Tensor& x) { return ops::dropout(x, 0.5f, true); });  // a byte an element
    check("batch norm", 0, 0,
          [](const Tensor& x) { return ops::batch_norm(x, Tensor(), Tensor(), Tensor(), Tensor(), true); });
}

TEST(OpsMemory, FusedReluMasksTheGradientInPlace) {
    const Tensor x = leaf(), bias = Tensor::ones({columns});
    Tensor w = Tensor::ones({columns, columns});
    w.set_requires_grad();
    ones();
    const Meter meter;
    Tensor y = ops::linear(x, w, bias, ops::FusedActivation::relu) * 2.0;
    EXPECT_TENSORS(2, meter.held());
    y.backward(ones());
    // The result and its double, the gradient (masked in place), those of x and w.
    EXPECT_TENSORS(5, meter.peak());
    EXPECT_TENSORS(3, meter.held());
}

TEST(OpsMemory, FrozenInputsCostNothing) {
    const Tensor x = Tensor::ones({rows, columns});
    Tensor w = leaf();
    ones();
    const Meter meter;
    Tensor y = ops::linear(x, w);
    EXPECT_TENSORS(1, meter.held());
    y.backward(ones());
    EXPECT_TENSORS(2, meter.held());
    EXPECT_TENSORS(2, meter.peak());  // no gradient for x
}

}  // namespace
}  // namespace heddle
