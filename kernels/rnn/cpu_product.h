#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "kernels/onednn.h"

namespace heddle::kernels {

struct PackedProductPlan;

/// c = a op(weights) [+ c] in f32, run many times with the same weights, which are packed once. Plain sgemm would pack
/// them in every run, which takes a third of its time.
class PackedProduct {
  public:
    /// a [rows, k], weights [k, n] (transposed: [n, k]), c [rows, n]. Runs on the threads that it is made for: make and
    /// run it under the same SerialScope, or under none.
    PackedProduct(std::int64_t rows, std::int64_t n, std::int64_t k, bool transposed, bool accumulate,
                  std::int64_t runs);
    ~PackedProduct();
    PackedProduct(PackedProduct&&) noexcept;
    PackedProduct& operator=(PackedProduct&&) = delete;

    std::size_t workspace_bytes() const;
    /// `weights` must stay until the last run. `workspace`: 64-byte aligned.
    void prepare(const float* weights, void* workspace);
    void run(const float* a, float* c);

  private:
    std::int64_t rows_, n_, k_;
    bool transposed_, accumulate_;
    std::shared_ptr<const PackedProductPlan> plan_;  // null: too small to be worth one
    dnnl::matmul product_;
    std::unordered_map<int, dnnl::memory> arguments_;
    const float* weights_ = nullptr;
};

}  // namespace heddle::kernels
