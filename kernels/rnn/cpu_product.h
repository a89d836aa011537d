#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "kernels/onednn.h"

namespace heddle::kernels {

struct StepProductPlan;

/// c = a op(weights) [+ c] in f32, run once a step with the same memory, on the calling thread alone. The weights are
/// put once into the layout that the processor likes: plain sgemm would do so at every step, which costs it a third of
/// its time.
class StepProduct {
  public:
    /// a [rows, k], weights [k, n] (transposed: [n, k]), c [rows, n]. Make and use it under a SerialScope.
    StepProduct(std::int64_t rows, std::int64_t n, std::int64_t k, bool transposed, bool accumulate,
                std::int64_t steps);
    ~StepProduct();
    StepProduct(const StepProduct&) = delete;
    StepProduct& operator=(const StepProduct&) = delete;

    std::size_t workspace_bytes() const;
    /// The memory of all runs. `workspace`: 64-byte aligned.
    void prepare(float* a, float* weights, float* c, void* workspace);
    void run();

  private:
    std::int64_t rows_, n_, k_;
    bool transposed_, accumulate_;
    std::shared_ptr<const StepProductPlan> plan_;  // null: too small to be worth one
    dnnl::matmul product_;
    std::unordered_map<int, dnnl::memory> arguments_;
    float *a_ = nullptr, *weights_ = nullptr, *c_ = nullptr;
};

}  // namespace heddle::kernels
