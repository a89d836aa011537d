#pragma once

#include <cstdint>

namespace heddle::kernels {

/// Memory that is needed soon: `rows` of `pieces` of `length` floats each. A loop that computes asks for some lines of
/// it now and then, so that they come while it computes, not before.
class Prefetch {
  public:
    Prefetch() = default;
    Prefetch(const float* data, std::int64_t length, std::int64_t pieces = 1, std::int64_t piece_step = 0,
             std::int64_t rows = 1, std::int64_t row_step = 0)
        : piece_(data),
          length_(length),
          pieces_(pieces),
          piece_step_(piece_step),
          next_row_(row_step - (pieces - 1) * piece_step),
          pieces_left_(pieces),
          rows_left_(rows) {}

    std::int64_t lines() const { return (length_ + line - 1) / line * pieces_ * rows_left_; }

    /// Asks for the next `count` lines, into the second-level cache. False: nothing is left.
    [[gnu::always_inline]] bool fetch(std::int64_t count) {
        for (; count > 0 && rows_left_ > 0; --count) {
            __builtin_prefetch(piece_ + offset_, 0, 2);
            offset_ += line;
            if (offset_ < length_) continue;
            offset_ = 0;
            if (--pieces_left_ > 0) {
                piece_ += piece_step_;
                continue;
            }
            pieces_left_ = pieces_;
            --rows_left_;
            piece_ += next_row_;
        }
        return rows_left_ > 0;
    }

  private:
    static constexpr std::int64_t line = 16;  // floats
    const float* piece_ = nullptr;
    std::int64_t length_ = 0, pieces_ = 0, piece_step_ = 0, next_row_ = 0;
    std::int64_t offset_ = 0, pieces_left_ = 0, rows_left_ = 0;
};

}  // namespace heddle::kernels
