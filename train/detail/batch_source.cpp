#include "train/detail/batch_source.h"

#include "core/check.h"
#include "train/detail/notice.h"

namespace heddle::detail {
namespace {

/// Null where the data stays on the host.
std::unique_ptr<ResidentData> make_resident(const Dataset& data, const LoaderOptions& options, Device device,
                                            DType dtype, std::optional<std::size_t> limit) {
    if (device.kind == DeviceKind::cpu || (limit && *limit == 0)) return nullptr;
    const std::optional<StoredExamples> stored = data.impl()->stored();
    if (!stored) {
        notice(fmt::format(
            "the batches of a data set that fills them itself ({} examples) are made on the host and sent to {} (its "
            "class has no `stored`)",
            data.size(), device));
        return nullptr;
    }
    const std::size_t bytes = ResidentData::bytes(*stored);
    if (!may_stay(bytes, device, limit)) {
        notice(fmt::format("{} MiB of examples do not stay on {}, so each batch is sent there (resident_bytes: {})",
                           (bytes >> 20) + 1, device,
                           limit ? fmt::format("{} MiB", *limit >> 20) : "half of the memory that is free"));
        return nullptr;
    }
    return std::make_unique<ResidentData>(*stored, options, device, dtype);
}

}  // namespace

bool may_stay(std::size_t bytes, Device device, std::optional<std::size_t> limit) {
    return bytes <= (limit ? *limit : driver(device).free_memory() / 2);
}

BatchSource::BatchSource(const Dataset& data, const LoaderOptions& options, Device device, DType dtype,
                         std::optional<std::size_t> resident_bytes)
    : loader_(data, options), resident_(make_resident(data, options, device, dtype, resident_bytes)) {
    if (!resident_) feed_ = std::make_unique<DeviceFeed>(loader_, device);
}

void BatchSource::start(std::uint64_t epoch, std::int64_t first_step) {
    resident_ ? resident_->start(epoch, first_step) : feed_->start(epoch, first_step);
}

bool BatchSource::next(StepBatch& batch) {
    batch.resident = resident_.get();
    if (!resident_) {
        const bool more = feed_->next(batch.given);
        batch.samples = batch.given.size();
        batch.targets = feed_->targets();
        return more;
    }
    batch.samples = resident_->take();
    batch.targets = resident_->targets();
    return batch.samples > 0;
}

}  // namespace heddle::detail
