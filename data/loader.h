#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <vector>

#include "core/export.h"
#include "data/dataset.h"

namespace heddle {

struct LoaderOptions {
    std::int64_t batch_size = 32;
    bool shuffle = false;
    bool drop_last = false;  ///< leave out a last batch that is not full
    std::uint64_t seed = 0;  ///< of the order of the examples and of their augmentation
    int prefetch = 2;        ///< batches made ahead, on a thread; 0: made when asked for
};

/// Batches of a data set, epoch after epoch. Which examples a batch holds, and what they look like, depends on (seed,
/// epoch, step) alone, so training resumes anywhere. One thread makes batches ahead (serially: it leaves the other
/// cores to the training step); what it throws reaches the caller of `next`. Batch tensors that nobody holds are used
/// again.
class HEDDLE_API DataLoader {
  public:
    DataLoader(Dataset dataset, const LoaderOptions& options = {});
    ~DataLoader();
    DataLoader(DataLoader&&) noexcept;
    DataLoader& operator=(DataLoader&&) noexcept;

    /// Batches in an epoch.
    std::int64_t steps() const;
    const Dataset& dataset() const;
    const LoaderOptions& options() const;

    /// Goes to a batch; batches prefetched for another place are dropped.
    void start(std::uint64_t epoch, std::int64_t first_step = 0);
    /// The next batch of the epoch; false (and `batch` empty) at its end. Throws what making the batch threw.
    bool next(Batch& batch);

    /// `for (const Batch& batch : loader.epoch(3)) ...`
    class Epoch;
    Epoch epoch(std::uint64_t epoch, std::int64_t first_step = 0);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The batches of one epoch, once.
class DataLoader::Epoch {
  public:
    class Iterator {
      public:
        using value_type = Batch;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        explicit Iterator(DataLoader* loader) : loader_(loader) { ++*this; }
        const Batch& operator*() const { return batch_; }
        const Batch* operator->() const { return &batch_; }
        Iterator& operator++() {
            if (!loader_->next(batch_)) loader_ = nullptr;
            return *this;
        }
        bool operator==(std::default_sentinel_t) const { return loader_ == nullptr; }

      private:
        DataLoader* loader_;
        Batch batch_;
    };
    explicit Epoch(DataLoader* loader) : loader_(loader) {}
    Iterator begin() const { return Iterator(loader_); }
    std::default_sentinel_t end() const { return {}; }

  private:
    DataLoader* loader_;
};

}  // namespace heddle
