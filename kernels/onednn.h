#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <dnnl.hpp>

#include "core/dtype.h"
#include "core/shape.h"
#include "kernels/plan_cache.h"
#include "kernels/table.h"

// What the families that stand on oneDNN share. Private to the library's sources.
namespace heddle::kernels::onednn {

/// The process's CPU engine.
const dnnl::engine& engine();
/// A stream of the calling thread; primitives run to their end before `execute` returns.
dnnl::stream& stream();

/// How many threads a primitive made or run here uses: Heddle's count, or 1 where the caller is itself a part of a
/// parallel region.
int threads();

/// oneDNN asks OpenMP for the number of threads, both when a primitive is made and when it runs. While a scope lives
/// that number is Heddle's on this thread; then the caller's again.
class ThreadScope {
  public:
    ThreadScope();
    ~ThreadScope();
    ThreadScope(const ThreadScope&) = delete;
    ThreadScope& operator=(const ThreadScope&) = delete;

  private:
    int saved_;
};

/// f32, and bf16 where this processor has instructions that oneDNN uses for it (AVX-512).
Support supports_dtype(DType dtype);
/// Throws `Error` for a type that oneDNN's CPU engine does not know (f64, i64, boolean).
dnnl::memory::data_type type_of(DType dtype);
/// A dense row-major tensor (a scalar as one element).
dnnl::memory::desc dense(const Shape& shape, DType dtype);
/// [N, H, W, C] in memory; oneDNN's own order of the extents is N, C, H, W.
dnnl::memory::desc images(const Shape& shape, DType dtype);
/// Convolution weights [O, kh, kw, C / groups] in memory; oneDNN's order is O, C, kh, kw, with the groups split off in
/// front where there are several.
dnnl::memory::desc filters(const Shape& shape, std::int64_t groups, DType dtype);
/// The same extents in a layout that the primitive chooses.
dnnl::memory::desc any_layout(const dnnl::memory::desc& desc);

/// The key of a cached primitive: the thread count is part of every one.
class Key : public PlanKey {
  public:
    Key() { *this << threads(); }
};

/// A primitive and the reorders between the caller's layouts and those that it wants. Running it is safe from several
/// threads; scratch memory comes from the caller.
class Plan {
  public:
    struct Operand {
        int argument;                ///< DNNL_ARG_...
        dnnl::memory::desc outside;  ///< the caller's layout
        bool output = false;
    };

    Plan() = default;
    /// `description` must have been made with `user_scratchpad()`; the plan is made and run under a `ThreadScope`.
    Plan(dnnl::primitive primitive, const dnnl::primitive_desc_base& description, std::vector<Operand> operands);

    std::size_t workspace_bytes() const { return workspace_bytes_; }
    /// `data`: the operands' memory in the order of construction. `workspace`: 64-byte aligned.
    void run(std::span<void* const> data, void* workspace) const;

  private:
    struct Slot {
        Operand operand;
        dnnl::memory::desc inside;
        dnnl::reorder reorder;  // empty where the layouts agree
        dnnl::memory::desc reorder_scratchpad;
        std::size_t offset = 0;  // of the copy in the workspace
    };
    dnnl::primitive primitive_;
    dnnl::memory::desc scratchpad_;
    std::vector<Slot> slots_;
    std::size_t scratchpad_bytes_ = 0, workspace_bytes_ = 0;
};

/// Attributes with scratchpads in the caller's memory.
dnnl::primitive_attr user_scratchpad();

}  // namespace heddle::kernels::onednn
