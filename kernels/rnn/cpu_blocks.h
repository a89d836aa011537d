#pragma once

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/rnn/cpu_product.h"
#include "kernels/rnn/extents.h"

// Shared by the CPU's forward and backward passes: how the work is divided, and how rows are converted to f32.
//
// Time is divided into blocks of steps. Everything that does not depend on the state is one product over all rows of a
// block, which stays in cache until its steps have used it. In between, each thread computes all steps of a block for
// some rows of the batch, so that no step waits for another thread.
namespace heddle::kernels {

/// Consecutive pieces of the workspace, aligned to 64 bytes; with a null start their sizes are only added up.
class Pieces {
  public:
    explicit Pieces(void* start) : start_(static_cast<std::byte*>(start)) {}
    void* take_bytes(std::size_t bytes) {
        std::byte* const piece = start_ ? start_ + used_ : nullptr;
        used_ += (bytes + 63) / 64 * 64;
        return piece;
    }
    float* take(std::int64_t floats) {
        return static_cast<float*>(take_bytes(static_cast<std::size_t>(floats) * sizeof(float)));
    }
    std::size_t used() const { return used_; }

  private:
    std::byte* start_;
    std::size_t used_ = 0;
};

/// The batch in parts of about the same number of rows, one for each thread.
struct Shares {
    std::int64_t batch, count;

    explicit Shares(const RnnExtents& e) : batch(e.batch) {
        // With fewer than four rows a product is bound by reading the weights, which every thread does.
        const bool small = e.batch * e.time * e.width * e.units < (1 << 18);
        count = small ? 1 : std::clamp<std::int64_t>(e.batch / 4, 1, thread_count());
    }
    std::int64_t first(std::int64_t share) const { return batch * share / count; }
    std::int64_t rows(std::int64_t share) const { return first(share + 1) - first(share); }

    template <class Body>
    void run(const Body& body) const {
        parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
            const SerialScope serial;
            for (std::int64_t share = begin; share < end; ++share) body(share);
        });
    }
};

/// All steps in blocks of at most `span`; the last one may be shorter.
struct Blocks {
    std::int64_t time, span, count;

    /// `rows`: how many rows of all steps a block has at least, unless time ends.
    Blocks(const RnnExtents& e, std::int64_t rows) : time(e.time) {
        span = std::clamp<std::int64_t>((rows + e.batch - 1) / std::max<std::int64_t>(e.batch, 1), 1, time);
        count = (time + span - 1) / span;
        span = (time + count - 1) / count;
        count = (time + span - 1) / span;
    }
    std::int64_t first(std::int64_t block) const { return block * span; }
    std::int64_t last(std::int64_t block) const { return std::min(time, first(block) + span); }
};

inline void copy_wide(const float* from, float* to, std::int64_t count) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
}
inline void copy_wide(const BFloat16* from, float* to, std::int64_t count) { widen(from, to, count); }
inline void copy_back(const float* from, float* to, std::int64_t count) { copy_wide(from, to, count); }
inline void copy_back(const float* from, BFloat16* to, std::int64_t count) { narrow(from, to, count); }

template <class T>
void clear(T* row, std::int64_t count) {
    if (row) std::fill_n(row, count, T{});
}

/// Elements of `view` in f32, or zeros where it is absent.
template <class T>
void copy_or_clear(const View& view, float* to, std::int64_t count) {
    if (view)
        copy_wide(view.as<T>(), to, count);
    else
        clear(to, count);
}

/// Row `place` of a tensor whose rows have `length` elements; null where it is absent.
template <class T>
T* row_at(const View& view, std::int64_t place, std::int64_t length) {
    return view ? view.as<T>() + place * length : nullptr;
}

/// Calls body(place in [batch, time], row of the block) for the rows of a block, which lie step by step, on all
/// threads; `elements`: of a row.
template <class Body>
void for_rows(const RnnExtents& e, std::int64_t first, std::int64_t last, std::int64_t elements, const Body& body) {
    const std::int64_t grain = 16384 / std::max<std::int64_t>(elements, 1) + 1;
    parallel_for((last - first) * e.batch, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row)
            body(row % e.batch * e.time + e.step(first + row / e.batch), row);
    });
}

}  // namespace heddle::kernels
