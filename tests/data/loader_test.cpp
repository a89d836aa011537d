#include "data/loader.h"

#include <atomic>
#include <chrono>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>

#include "core/parallel.h"
#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;

TensorDataset numbers(std::int64_t count) {
    std::vector<std::int64_t> y(static_cast<std::size_t>(count));
    std::iota(y.begin(), y.end(), 0);
    const Tensor values = Tensor::from(y, Shape{count});
    return TensorDataset(values, values);
}

using Targets = std::vector<std::vector<std::int64_t>>;

Targets targets_of(DataLoader& loader, std::uint64_t epoch, std::int64_t step = 0) {
    Targets result;
    for (const Batch& batch : loader.epoch(epoch, step)) {
        EXPECT_EQ(batch.inputs[0].to_vector<std::int64_t>(), batch.target.to_vector<std::int64_t>());
        result.push_back(batch.target.to_vector<std::int64_t>());
    }
    return result;
}

TEST(Loader, InOrder) {
    for (const int prefetch : {0, 1, 3}) {
        DataLoader loader(numbers(7), {.batch_size = 3, .prefetch = prefetch});
        EXPECT_EQ(loader.steps(), 3);
        EXPECT_EQ(targets_of(loader, 0), (Targets{{0, 1, 2}, {3, 4, 5}, {6}}));
        EXPECT_EQ(targets_of(loader, 1, 2), (Targets{{6}}));
        EXPECT_TRUE(targets_of(loader, 1, 3).empty());
        DataLoader full(numbers(7), {.batch_size = 3, .drop_last = true, .prefetch = prefetch});
        EXPECT_EQ(targets_of(full, 0), (Targets{{0, 1, 2}, {3, 4, 5}}));
        DataLoader none(numbers(2), {.batch_size = 3, .drop_last = true, .prefetch = prefetch});
        EXPECT_TRUE(targets_of(none, 0).empty());
    }
}

TEST(Loader, ShufflesTheSameWithAnyPrefetchAndResumesAnywhere) {
    DataLoader reference(numbers(103), {.batch_size = 8, .shuffle = true, .seed = 5, .prefetch = 0});
    const Targets third = targets_of(reference, 3), fourth = targets_of(reference, 4);
    EXPECT_NE(third, fourth);
    for (const int prefetch : {0, 1, 2, 20}) {
        DataLoader loader(numbers(103), {.batch_size = 8, .shuffle = true, .seed = 5, .prefetch = prefetch});
        EXPECT_EQ(targets_of(loader, 3), third);
        EXPECT_EQ(targets_of(loader, 4), fourth);
        EXPECT_EQ(targets_of(loader, 3), third);
        EXPECT_EQ(targets_of(loader, 4, 5), Targets(fourth.begin() + 5, fourth.end()));
    }
    DataLoader other(numbers(103), {.batch_size = 8, .shuffle = true, .seed = 6});
    EXPECT_NE(targets_of(other, 3), third);
}

TEST(Loader, KeptBatchesAreNotOverwritten) {
    DataLoader loader(numbers(64), {.batch_size = 2, .prefetch = 2});
    std::vector<Tensor> kept;
    loader.start(0);
    for (Batch batch; loader.next(batch);) kept.push_back(batch.target);
    ASSERT_EQ(kept.size(), 32u);
    for (std::int64_t i = 0; i < 32; ++i)
        EXPECT_EQ(kept[static_cast<std::size_t>(i)].to_vector<std::int64_t>(),
                  (std::vector<std::int64_t>{2 * i, 2 * i + 1}));
}

TEST(Loader, TensorsThatNobodyHoldsAreUsedAgain) {
    for (const int prefetch : {0, 2}) {
        DataLoader loader(numbers(200), {.batch_size = 2, .prefetch = prefetch});
        std::set<const void*> places;
        loader.start(0);
        for (Batch batch; loader.next(batch);) places.insert(batch.target.raw());
        EXPECT_LE(places.size(), static_cast<std::size_t>(prefetch) + 3);
    }
}

class Recorder : public DatasetImpl {
  public:
    std::int64_t size() const override { return 100; }
    std::vector<Shape> input_shapes() const override { return {Shape{1}}; }
    std::vector<DType> input_dtypes() const override { return {DType::f32}; }
    Shape target_shape() const override { return {}; }
    DType target_dtype() const override { return DType::i64; }
    void fill(std::span<const std::int64_t> indices, const FillContext&, Batch& batch) const override {
        ++filled;
        threads = thread_count();
        for (const std::int64_t index : indices)
            if (index == fails_at) throw std::runtime_error("picture 42 is damaged");
        std::copy(indices.begin(), indices.end(), batch.target.data<std::int64_t>());
    }
    mutable std::atomic<int> filled{0}, threads{0};
    std::int64_t fails_at = -1;
};

TEST(Loader, ErrorsReachTheCallerAfterTheBatchesBefore) {
    for (const int prefetch : {0, 1, 4}) {
        auto impl = std::make_shared<Recorder>();
        impl->fails_at = 42;
        DataLoader loader{Dataset(impl), {.batch_size = 10, .prefetch = prefetch}};
        loader.start(0);
        Batch batch;
        for (int i = 0; i < 4; ++i) EXPECT_TRUE(loader.next(batch)) << i;
        EXPECT_THROW(loader.next(batch), std::runtime_error);
        loader.start(0, 5);
        EXPECT_TRUE(loader.next(batch));
        EXPECT_EQ(batch.target.to_vector<std::int64_t>()[0], 50);
    }
}

TEST(Loader, MakesNoMoreThanItMayAndStopsEarly) {
    auto impl = std::make_shared<Recorder>();
    {
        DataLoader loader{Dataset(impl), {.batch_size = 1, .prefetch = 3}};
        loader.start(0);
        Batch batch;
        EXPECT_TRUE(loader.next(batch));
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        EXPECT_LE(impl->filled, 4);
        EXPECT_EQ(impl->threads, 1) << "the prefetching thread must leave the cores to the training step";
        loader.start(1);
        EXPECT_TRUE(loader.next(batch));
    }
    const int filled = impl->filled;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(impl->filled, filled);
    for (int i = 0; i < 200; ++i) {
        DataLoader loader{Dataset(impl), {.batch_size = 1}};
        loader.start(0);
        if (i % 2) {
            Batch batch;
            loader.next(batch);
        }
    }
}

TEST(Loader, CanBeMovedWhileItPrefetches) {
    DataLoader loader(numbers(30), {.batch_size = 10});
    loader.start(0);
    DataLoader moved = std::move(loader);
    Batch batch;
    EXPECT_TRUE(moved.next(batch));
    EXPECT_EQ(batch.target.to_vector<std::int64_t>()[0], 0);
}

TEST(Loader, WrongOptions) {
    EXPECT_ERROR(DataLoader(numbers(3), {.batch_size = 0}), "batch size");
    EXPECT_ERROR(DataLoader(numbers(3), {.prefetch = -1}), "prefetch");
    EXPECT_ERROR(DataLoader(Dataset{}), "undefined");
    DataLoader loader(numbers(3));
    Batch batch;
    EXPECT_ERROR(loader.next(batch), "start");
    EXPECT_ERROR(loader.start(0, 2), "step");
}

}  // namespace
