#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "samples.h"
#include "tests/data/files.h"

// What goes wrong with checkpoints: one line that names the file, the old checkpoint as it was, nothing left beside it.
namespace heddle {
namespace {

using testing_files::read_bytes;
using testing_files::TempFolder;
using testing_files::write_bytes;

Model network(const Optimizer& optimizer, std::int64_t classes = 3) {
    set_seed(17);
    Sequential model{Flatten(), Dense(classes)};
    model.compile({.optimizer = optimizer, .loss = SparseCategoricalCrossentropy({.from_logits = true})});
    return model;
}

/// Root may write anywhere: somebody else while this lives.
class NotRoot {
  public:
    NotRoot() : root_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
    ~NotRoot() {
        if (root_ && ::seteuid(0) != 0) ADD_FAILURE() << "root did not come back";
    }
    NotRoot(const NotRoot&) = delete;
    NotRoot& operator=(const NotRoot&) = delete;

  private:
    bool root_;
};

class CheckpointErrors : public testing::Test {
  protected:
    CheckpointErrors() {
        network("adam").fit(data, options(1));
        whole = read_bytes(path);
    }
    FitOptions options(std::int64_t epochs, bool resume = false) const {
        return {.epochs = epochs,
                .batch_size = 8,
                .verbose = 0,
                .seed = 5,
                .checkpoint_dir = folder.path(),
                .resume = resume};
    }
    /// Training says this, in one line with the file's name, and leaves the checkpoint alone.
    void expect_error(const Model& model, const FitOptions& o, const std::string& part) const {
        const std::string before = read_bytes(path);
        const std::string message = testing_files::error_of([&] { model.fit(data, o); });
        EXPECT_NE(message.find(part), std::string::npos) << message;
        EXPECT_NE(message.find(path), std::string::npos) << message;
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
        EXPECT_EQ(read_bytes(path), before);
        EXPECT_EQ(folder.files(), 1u);
    }

    const TempFolder folder;
    const std::string path = checkpoint_path(folder.path());
    const Dataset data = samples::pictures(24);
    std::string whole;
};

TEST_F(CheckpointErrors, FullDisk) {
    rlimit old{};
    getrlimit(RLIMIT_FSIZE, &old);
    void (*handler)(int) = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{whole.size() / 2, old.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    expect_error(network("adam"), options(2), "cannot be written: writing: File too large");
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    // With space again, training goes on from it.
    EXPECT_EQ(network("adam").fit(data, options(2, true)).epochs().size(), 2u);
}

TEST_F(CheckpointErrors, ReadOnlyFolder) {
    ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
    {
        const NotRoot user;
        ASSERT_NE(::geteuid(), 0u);
        expect_error(network("adam"), options(2), "cannot be written: creating " + path + ".tmp: Permission denied");
        FitOptions o = options(1);
        o.checkpoint_dir = folder.path() + "/inside";
        const std::string message = testing_files::error_of([&] { network("adam").fit(data, o); });
        EXPECT_EQ(message, "fit: cannot create the folder " + o.checkpoint_dir + ": Permission denied");
    }
    ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
}

TEST_F(CheckpointErrors, AFolderInItsPlace) {
    const std::string place = folder.path() + "/other";
    std::filesystem::create_directories(checkpoint_path(place));
    FitOptions o = options(1);
    o.checkpoint_dir = place;
    const std::string message = testing_files::error_of([&] { network("adam").fit(data, o); });
    EXPECT_NE(message.find(checkpoint_path(place)), std::string::npos) << message;
    EXPECT_NE(message.find("a folder, not a regular file"), std::string::npos) << message;
}

TEST_F(CheckpointErrors, AnotherModelsOrOptimizers) {
    expect_error(network("adam", 4), options(2, true), "the checkpoint is of another model: ");
    expect_error(network("sgd"), options(2, true), "made with Adam, the model is compiled with SGD");
    expect_error(network(OptimizerGroups({{{"*"}, Adam()}})), options(2, true),
                 "made with Adam, the model is compiled with OptimizerGroups");
    FitOptions o = options(2, true);
    o.seed = 6;
    expect_error(network("adam"), o, "it was made with seed 5, now it is 6");
    o = options(2, true);
    o.shuffle = false;
    expect_error(network("adam"), o, "it was made with shuffling");
}

TEST_F(CheckpointErrors, ARefusedCheckpointChangesNoWeight) {
    const Model model = network("sgd");
    model.build(Shape{8, 8, 3});
    const Tensor before = model.parameters()[0].second.clone();
    expect_error(model, options(2, true), "Adam");
    EXPECT_TRUE(samples::same_bits(model.parameters()[0].second, before));
}

TEST_F(CheckpointErrors, TruncatedAnywhere) {
    testing_files::expect_truncations_refused(
        whole, [](const std::string& file) { Checkpoint::load(file); }, std::max<std::size_t>(whole.size() / 60, 1));
    write_bytes(path, whole.substr(0, whole.size() - 1));
    expect_error(network("adam"), options(2, true), "cannot resume from ");
    write_bytes(path, "");
    expect_error(network("adam"), options(2, true), "cannot resume from ");
}

TEST_F(CheckpointErrors, ChangedBytes) {
    const std::size_t header = std::min<std::size_t>(whole.size(), 2000);
    EXPECT_GT(testing_files::fuzz(
                  whole, [](const std::string& file) { Checkpoint::load(file); }, 200, header),
              0.3);
}

}  // namespace
}  // namespace heddle
