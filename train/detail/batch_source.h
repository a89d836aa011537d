#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "data/loader.h"
#include "train/detail/feed.h"
#include "train/detail/resident.h"

namespace heddle::detail {

/// The batch of a step: either tensors, or a number of examples that the step itself (usually captured) takes from
/// resident data.
struct StepBatch {
    Batch given = {};
    ResidentData* resident = nullptr;
    std::int64_t samples = 0;
    Tensor targets = {};  ///< those of a batch for a device, or all resident ones, on the host

    /// Once a step.
    Batch make() const { return resident ? resident->make(samples) : given; }
};

/// The batches of a data set for the steps of a device: made there if the data may stay there (see
/// `FitOptions::resident_bytes`), else sent from a loader, which a notice says once. On the CPU, those of the loader.
class BatchSource {
  public:
    /// Pictures come in `dtype` where they are resident, else in f32.
    BatchSource(const Dataset& data, const LoaderOptions& options, Device device, DType dtype,
                std::optional<std::size_t> resident_bytes);

    /// As DataLoader's. The tensors of a batch may be written again three batches later.
    void start(std::uint64_t epoch, std::int64_t first_step = 0);
    bool next(StepBatch& batch);
    bool resident() const { return resident_ != nullptr; }

  private:
    DataLoader loader_;  // which has checked the options, also where nobody asks it for batches
    std::unique_ptr<ResidentData> resident_;
    std::unique_ptr<DeviceFeed> feed_;
};

/// Whether this many bytes may be kept on a device: up to `limit`, by default half of the free memory.
bool may_stay(std::size_t bytes, Device device, std::optional<std::size_t> limit);

}  // namespace heddle::detail
