#include "data/sequences.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace heddle {
namespace {

Shape behind_first(const Tensor& tensor) { return tensor.shape().range(1, tensor.rank()); }

Shape with_time(std::int64_t time, const Shape& row) {
    Shape shape{time};
    for (const std::int64_t extent : row) shape.push_back(extent);
    return shape;
}

class Windows final : public DatasetImpl {
  public:
    Windows(const Tensor& data, const Tensor& targets, std::int64_t length, const SequenceWindowsOptions& options)
        : data_(data.to(Device::cpu())), targets_(targets.to(Device::cpu())), length_(length), options_(options) {
        const std::int64_t reach = (length - 1) * options.sampling_rate + 1;
        const std::int64_t target_reach = options.target_offset + std::max<std::int64_t>(options.target_length, 1);
        const std::int64_t last = std::min(data.size(0) - reach, targets.size(0) - target_reach);  // window's beginning
        check(last >= 0,
              "sequence_windows: no window of {} rows (every {}) and its target fit into {} rows of data and {} of "
              "targets",
              length, options.sampling_rate, data.size(0), targets.size(0));
        size_ = last / options.sequence_stride + 1;
    }

    std::int64_t size() const override { return size_; }
    std::vector<Shape> input_shapes() const override { return {with_time(length_, behind_first(data_))}; }
    std::vector<DType> input_dtypes() const override { return {data_.dtype()}; }
    Shape target_shape() const override {
        const Shape row = behind_first(targets_);
        return options_.target_length > 0 ? with_time(options_.target_length, row) : row;
    }
    DType target_dtype() const override { return targets_.dtype(); }

    void fill(std::span<const std::int64_t> indices, const FillContext&, Batch& batch) const override {
        auto* input = static_cast<std::byte*>(batch.inputs[0].raw());
        auto* target = static_cast<std::byte*>(batch.target.raw());
        for (const std::int64_t index : indices) {
            const std::int64_t start = index * options_.sequence_stride;
            copy_rows(data_, start, length_, options_.sampling_rate, input);
            copy_rows(targets_, start + options_.target_offset, std::max<std::int64_t>(options_.target_length, 1), 1,
                      target);
        }
    }

  private:
    /// Moves `to` behind what was written.
    static void copy_rows(const Tensor& from, std::int64_t first, std::int64_t count, std::int64_t every,
                          std::byte*& to) {
        const std::size_t row = from.bytes() / static_cast<std::size_t>(from.size(0));
        const auto* rows = static_cast<const std::byte*>(from.raw());
        for (std::int64_t i = 0; i < count; ++i, to += row)
            std::memcpy(to, rows + static_cast<std::size_t>(first + i * every) * row, row);
    }

    Tensor data_, targets_;
    std::int64_t length_;
    SequenceWindowsOptions options_;
    std::int64_t size_ = 0;
};

}  // namespace

Tensor pad_sequences(std::span<const std::vector<std::int64_t>> sequences, const PadSequencesOptions& options) {
    using Side = PadSequencesOptions::Side;
    check(options.maxlen >= 0, "pad_sequences: maxlen must not be negative, got {}", options.maxlen);
    auto length = static_cast<std::size_t>(options.maxlen);
    if (length == 0)
        for (const auto& sequence : sequences) length = std::max(length, sequence.size());
    std::vector<std::int64_t> padded(sequences.size() * length, options.value);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
        const std::size_t kept = std::min(length, sequences[i].size());
        const auto from = options.truncating == Side::pre ? sequences[i].end() - static_cast<std::ptrdiff_t>(kept)
                                                          : sequences[i].begin();
        const std::size_t place = i * length + (options.padding == Side::pre ? length - kept : 0);
        std::copy_n(from, kept, padded.begin() + static_cast<std::ptrdiff_t>(place));
    }
    return Tensor::from(padded, Shape{static_cast<std::int64_t>(sequences.size()), static_cast<std::int64_t>(length)});
}

Dataset sequence_windows(const Tensor& data, const Tensor& targets, std::int64_t sequence_length,
                         const SequenceWindowsOptions& options) {
    check(data.defined() && data.rank() >= 1 && targets.defined() && targets.rank() >= 1,
          "sequence_windows: expected data and targets [time, ...], got {} and {}", data, targets);
    check(sequence_length >= 1 && options.sequence_stride >= 1 && options.sampling_rate >= 1,
          "sequence_windows: length, stride and sampling rate must be at least 1, got {}, {} and {}", sequence_length,
          options.sequence_stride, options.sampling_rate);
    check(options.target_offset >= 0 && options.target_length >= 0,
          "sequence_windows: target_offset and target_length must not be negative, got {} and {}",
          options.target_offset, options.target_length);
    return Dataset(std::make_shared<Windows>(data, targets, sequence_length, options));
}

Dataset next_token_windows(std::span<const std::int64_t> tokens, std::int64_t length, std::int64_t stride) {
    check(length >= 1 && stride >= 0, "next_token_windows: expected a length of at least 1 and a stride, got {} and {}",
          length, stride);
    check(static_cast<std::int64_t>(tokens.size()) > length, "next_token_windows: {} tokens make no window of {}",
          tokens.size(), length);
    const Tensor all = Tensor::from(tokens, Shape{static_cast<std::int64_t>(tokens.size())});
    return sequence_windows(
        all, all, length,
        {.sequence_stride = stride > 0 ? stride : length, .target_offset = 1, .target_length = length});
}

}  // namespace heddle
