#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <vector>

#include "data/detail/augmentation.h"
#include "data/loader.h"

namespace heddle::detail {

/// A data set in a device's memory: the stored examples (pictures as bytes), the order of an epoch, and the random
/// draws of its augmentation. Batches are made there, with the same bits as a DataLoader's. The position of the next
/// batch is in the device's memory too, so that a captured step advances it.
class ResidentData {
  public:
    /// Batches come as a DataLoader with `options` gives them, pictures in `dtype`. Copies everything, and waits for
    /// it.
    ResidentData(const StoredExamples& stored, const LoaderOptions& options, Device device, DType dtype);
    ResidentData(const ResidentData&) = delete;
    ResidentData& operator=(const ResidentData&) = delete;

    /// How much of the device's memory a data set takes.
    static std::size_t bytes(const StoredExamples& stored);

    /// Goes to a batch, as a DataLoader does.
    void start(std::uint64_t epoch, std::int64_t first_step);
    /// Advances the host's position; returns the number of examples in the next batch, 0 at the end of the epoch.
    std::int64_t take();
    /// Queues the making of a batch of the next `count` examples, and advances the device's position. To be called once
    /// for each `take`, captured or not.
    Batch make(std::int64_t count);

    /// All targets, on the host.
    const Tensor& targets() const { return host_target_; }

  private:
    /// The plan of an epoch: the order of the examples and, in that order, the random draws for them.
    struct Plan {
        std::vector<std::int64_t> order = {};
        AugmentationDraws draws = {};
    };

    void place(const StoredExamples& stored);
    Plan plan(std::uint64_t epoch) const;
    void send(const Plan& plan);
    void make_pictures(const Batch& batch) const;
    void make_rows(const Tensor& examples, const Batch& batch) const;
    Tensor next_examples(std::int64_t count) const;

    LoaderOptions options_;
    Device device_;
    std::int64_t size_, given_ = 0;
    std::vector<std::int64_t> rows_;  // the examples' numbers in what they are drawn by; empty: their own
    std::optional<StoredExamples::Pictures> pictures_;
    DType dtype_;

    std::vector<Tensor> inputs_;  // all examples, on the device
    Tensor host_target_, target_, weight_, mean_, inverse_deviation_;
    Tensor order_, shifts_, flips_, holes_;  // the epoch's, a row for each place in it
    Tensor position_, places_;               // i64 [1]: where the next batch begins; 0, 1, ... a batch long

    std::optional<std::uint64_t> sent_;  // the epoch that the device knows
    std::uint64_t ahead_ = 0;
    std::future<Plan> next_;  // of epoch `ahead_`, made while another is trained on; last: it waits for its thread
};

}  // namespace heddle::detail
