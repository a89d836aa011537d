#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/strides.h"
#include "kernels/view.h"

// How CPU kernels read broadcast operands: chunk by chunk, each written out in a small buffer that stays in the first
// cache, so that one contiguous inner loop serves every pattern of broadcasting.
namespace heddle::kernels {

/// Elements of a chunk: three buffers of them take 12 KiB.
inline constexpr std::int64_t expand_chunk = 1024;

/// Reads an operand as if it had the shape of the output. Adjacent axes that are walked alike are merged.
template <class T>
class Expanded {
  public:
    Expanded(const View& from, const Shape& to) : data_(from.as<const T>()) {
        const std::int64_t elements = from.elements();
        if (elements == to.elements()) {
            kind_ = Kind::dense;
        } else if (elements == 1) {
            kind_ = Kind::scalar;
        } else {
            const Strides strides = broadcast_strides(from.shape, to);
            for (int axis = 0; axis < to.rank(); ++axis) append(to[axis], strides[static_cast<std::size_t>(axis)]);
        }
    }

    /// Where the operand is a row that is repeated, such as a bias, the row's length; else 0.
    std::int64_t period() const {
        return kind_ == Kind::strided && rank_ == 2 && strides_[0] == 0 && strides_[1] == 1 ? extents_[1] : 0;
    }

    /// Elements [first, first + count) of the broadcast operand, count <= expand_chunk; `buffer` may be used for them.
    const T* read(std::int64_t first, std::int64_t count, T* buffer) const {
        if (kind_ == Kind::dense) return data_ + first;
        write(first, count, buffer);
        return buffer;
    }

    /// Writes elements [first, first + count) to `to`; any count.
    void write(std::int64_t first, std::int64_t count, T* to) const {
        if (kind_ == Kind::dense)
            std::copy_n(data_ + first, count, to);
        else if (kind_ == Kind::scalar)
            std::fill_n(to, count, *data_);
        else
            write_strided(first, count, to);
    }

  private:
    enum class Kind { dense, scalar, strided };

    void append(std::int64_t extent, std::int64_t stride) {
        if (extent == 1) return;
        if (rank_ > 0 && strides_[rank_ - 1] == stride * extent) {
            extents_[rank_ - 1] *= extent;
            strides_[rank_ - 1] = stride;
            return;
        }
        extents_[rank_] = extent;
        strides_[rank_++] = stride;
    }

    /// A row, such as a bias, again and again: each copy doubles what is there.
    void write_repeated(std::int64_t first, std::int64_t count, T* buffer) const {
        const std::int64_t period = extents_[1], start = first % period;
        const std::int64_t rest = std::min(count, period - start);
        std::copy_n(data_ + start, rest, buffer);
        std::int64_t done = rest;
        if (done < count) {
            const std::int64_t again = std::min(count - done, start);
            std::copy_n(data_, again, buffer + done);
            done += again;
        }
        while (done < count) {  // a whole period at least is there
            const std::int64_t more = std::min(count - done, done / period * period);
            std::copy_n(buffer, more, buffer + done);
            done += more;
        }
    }

    void write_strided(std::int64_t first, std::int64_t count, T* buffer) const {
        if (period() > 0) return write_repeated(first, count, buffer);
        Index index{};
        std::int64_t offset = 0;
        for (std::size_t axis = rank_; axis-- > 0; first /= extents_[axis]) {
            index[axis] = first % extents_[axis];
            offset += index[axis] * strides_[axis];
        }
        const std::size_t last = rank_ - 1;
        while (count > 0) {
            const std::int64_t run = std::min(count, extents_[last] - index[last]);
            if (strides_[last] == 0)
                std::fill_n(buffer, run, data_[offset]);
            else
                std::copy_n(data_ + offset, run, buffer);
            buffer += run;
            count -= run;
            index[last] += run;
            offset += run * strides_[last];
            for (std::size_t axis = last; axis > 0 && index[axis] == extents_[axis]; --axis) {
                offset += strides_[axis - 1] - index[axis] * strides_[axis];
                index[axis] = 0;
                ++index[axis - 1];
            }
        }
    }

    const T* data_;
    Kind kind_ = Kind::strided;
    std::size_t rank_ = 0;
    std::array<std::int64_t, Shape::max_rank> extents_{};
    Strides strides_{};
};

}  // namespace heddle::kernels
