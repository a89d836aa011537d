#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/dataset.h"

namespace heddle {

struct PadSequencesOptions {
    enum class Side { pre, post };

    std::int64_t maxlen = 0;      ///< 0: the longest sequence
    Side padding = Side::pre;     ///< where values are added to shorter ones
    Side truncating = Side::pre;  ///< where elements of longer ones are left out
    std::int64_t value = 0;
};

/// Sequences of different lengths as i64 [sequences, maxlen]: Keras' `pad_sequences`.
HEDDLE_API Tensor pad_sequences(std::span<const std::vector<std::int64_t>> sequences,
                                const PadSequencesOptions& options = {});

struct SequenceWindowsOptions {
    std::int64_t sequence_stride = 1;  ///< rows between the beginnings of two windows
    std::int64_t sampling_rate = 1;    ///< rows between two steps of a window
    /// The target of the window that begins at row i is row i + `target_offset` of the targets: the window's length to
    /// forecast the row behind it (at sampling rate 1). 0 is Keras', which wants targets shifted beforehand.
    std::int64_t target_offset = 0;
    std::int64_t target_length = 0;  ///< > 0: so many rows from there, with a time dimension of their own
};

/// Windows of a time series as examples, Keras' `timeseries_dataset_from_array`: example k has rows i, i + rate, ...
/// (`sequence_length` of them, i = k stride) of `data` [time, ...] and a target from `targets` [time, ...], which may
/// be the same tensor. Windows with missing rows or targets are left out. Nothing is copied until it is fetched. Throws
/// `Error` if there is no complete window.
HEDDLE_API Dataset sequence_windows(const Tensor& data, const Tensor& targets, std::int64_t sequence_length,
                                    const SequenceWindowsOptions& options = {});

/// Text for a language model: windows of `length` tokens, each with the tokens that follow its own, [length], as the
/// target. `stride` 0: the length, so that windows do not overlap.
HEDDLE_API Dataset next_token_windows(std::span<const std::int64_t> tokens, std::int64_t length,
                                      std::int64_t stride = 0);

}  // namespace heddle
