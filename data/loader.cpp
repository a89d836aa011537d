#include "data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "core/check.h"
#include "core/parallel.h"
#include "data/permutation.h"

namespace heddle {
namespace {

// Whether nobody else can see the elements, so that they may be overwritten.
bool is_ours_alone(const Tensor& tensor) {
    return tensor.defined() && tensor.impl()->use_count() == 1 && tensor.impl()->storage->use_count() == 1 &&
           tensor.impl()->autograd == nullptr;
}

}  // namespace

struct DataLoader::State {
    Dataset dataset;
    LoaderOptions options;

    // Of the epoch in progress. The thread reads them; they change only while there is none.
    bool started = false;
    std::uint64_t epoch = 0;
    std::vector<std::int64_t> order;
    std::int64_t next_made = 0;   // the step whose batch is made next
    std::int64_t next_given = 0;  // the step whose batch `next` gives

    std::thread thread;
    std::mutex mutex;
    std::condition_variable changed;
    bool stopping = false;  // under mutex, as the rest
    std::deque<Batch> ready;
    std::vector<Batch> spare;    // tensors to use again
    std::exception_ptr failure;  // of the batch after those in `ready`

    ~State() { stop(); }

    std::int64_t steps() const {
        const std::int64_t size = dataset.size(), batch = options.batch_size;
        return options.drop_last ? size / batch : (size + batch - 1) / batch;
    }

    void make(std::int64_t step, Batch& batch) const {
        const std::int64_t first = step * options.batch_size;
        const std::int64_t last = std::min(first + options.batch_size, dataset.size());
        const std::span<const std::int64_t> all(order);
        dataset.fill(all.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first)),
                     {.seed = options.seed, .epoch = epoch}, batch);
    }

    // Leaves in `batch` only tensors that may be overwritten.
    static void clear_held(Batch& batch) {
        for (Tensor& input : batch.inputs)
            if (!is_ours_alone(input)) input = Tensor();
        if (!is_ours_alone(batch.target)) batch.target = Tensor();
        if (!is_ours_alone(batch.weight)) batch.weight = Tensor();
    }

    void run() {
        const SerialScope serial;
        const std::int64_t last = steps();
        std::unique_lock lock(mutex);
        while (next_made < last) {
            changed.wait(lock,
                         [this] { return stopping || ready.size() < static_cast<std::size_t>(options.prefetch); });
            if (stopping) return;
            Batch batch;
            if (!spare.empty()) {
                batch = std::move(spare.back());
                spare.pop_back();
            }
            const std::int64_t step = next_made++;
            lock.unlock();
            std::exception_ptr error;
            try {
                clear_held(batch);
                make(step, batch);
            } catch (...) {
                error = std::current_exception();
            }
            lock.lock();
            if (error)
                failure = error;
            else
                ready.push_back(std::move(batch));
            changed.notify_all();
            if (error) return;
        }
    }

    void stop() {
        if (!thread.joinable()) return;
        {
            const std::lock_guard lock(mutex);
            stopping = true;
        }
        changed.notify_all();
        thread.join();
    }

    void start(std::uint64_t wanted_epoch, std::int64_t first_step) {
        check(first_step >= 0 && first_step <= steps(), "DataLoader: expected a step 0 .. {}, got {}", steps(),
              first_step);
        stop();
        stopping = false;
        failure = nullptr;
        for (Batch& batch : ready) spare.push_back(std::move(batch));
        ready.clear();
        const bool same_order = !order.empty() && (!options.shuffle || (started && epoch == wanted_epoch));
        if (!same_order) order = epoch_order(dataset.size(), options.shuffle, options.seed, wanted_epoch);
        epoch = wanted_epoch;
        started = true;
        next_made = next_given = first_step;
        if (options.prefetch > 0 && first_step < steps()) thread = std::thread([this] { run(); });
    }

    bool next(Batch& batch) {
        check(started, "DataLoader: start(epoch) comes before next()");
        if (next_given >= steps()) {
            batch = Batch();
            return false;
        }
        if (options.prefetch == 0) {
            clear_held(batch);
            make(next_given++, batch);
            return true;
        }
        std::unique_lock lock(mutex);
        // Tensors that the caller has finished with are reused; no more are kept than are prefetched.
        if (!batch.inputs.empty() && spare.size() <= static_cast<std::size_t>(options.prefetch))
            spare.push_back(std::move(batch));
        batch = Batch();
        changed.wait(lock, [this] { return failure || !ready.empty(); });
        if (ready.empty()) std::rethrow_exception(failure);
        batch = std::move(ready.front());
        ready.pop_front();
        ++next_given;
        lock.unlock();
        changed.notify_all();
        return true;
    }
};

DataLoader::DataLoader(Dataset dataset, const LoaderOptions& options) : state_(std::make_unique<State>()) {
    check(dataset.defined(), "DataLoader: the data set is undefined");
    check(options.batch_size >= 1 && options.prefetch >= 0 && options.prefetch <= 1024,
          "DataLoader: expected a batch size of 1 or more and a prefetch of 0 .. 1024, got {} and {}",
          options.batch_size, options.prefetch);
    state_->dataset = std::move(dataset);
    state_->options = options;
}

DataLoader::~DataLoader() = default;
DataLoader::DataLoader(DataLoader&&) noexcept = default;
DataLoader& DataLoader::operator=(DataLoader&&) noexcept = default;

std::int64_t DataLoader::steps() const { return state_->steps(); }
const Dataset& DataLoader::dataset() const { return state_->dataset; }
const LoaderOptions& DataLoader::options() const { return state_->options; }
void DataLoader::start(std::uint64_t epoch, std::int64_t first_step) { state_->start(epoch, first_step); }
bool DataLoader::next(Batch& batch) { return state_->next(batch); }

DataLoader::Epoch DataLoader::epoch(std::uint64_t epoch, std::int64_t first_step) {
    start(epoch, first_step);
    return Epoch(this);
}

}  // namespace heddle
