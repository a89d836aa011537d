#include "tests/cli/command.h"
#include "tests/cli/samples.h"

// Bad data, bad options and full disks: one line that says what is wrong and where, and no incomplete file.
namespace heddle::cli_tests {
namespace {

using testing_files::read_bytes;
using testing_files::TempFolder;
using testing_files::write_bytes;

class Errors : public testing::Test {
  protected:
    std::vector<std::string> train(std::vector<std::string> more = {}) const {
        std::vector<std::string> all{"train", "linear", "--data", data, "--epochs", "1", "--out", out};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    void expect_refused(const std::vector<std::string>& parts) const {
        expect_complaint(heddle(train()), 1, parts);
        EXPECT_FALSE(std::filesystem::exists(out)) << "a folder was left";
    }

    const TempFolder folder;
    const std::string data = folder / "data", out = folder / "out";
};

TEST_F(Errors, MissingData) {
    expect_refused({data, "no such file or folder"});
    std::filesystem::create_directories(data);
    expect_refused({data});
    write_bytes(data + "/notes.txt", "nothing");
    expect_refused({data});
}

TEST_F(Errors, Idx) {
    const std::string images = data + "/train-images-idx3-ubyte", labels = data + "/train-labels-idx1-ubyte";
    write_idx_folder(data);
    const std::string whole = read_bytes(images);
    for (const std::size_t length : {std::size_t{0}, std::size_t{3}, std::size_t{10}, whole.size() - 1}) {
        write_bytes(images, whole.substr(0, length));
        expect_refused({images});
    }
    write_bytes(images, whole + "x");
    expect_refused({images});
    write_bytes(images, idx({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "x"));
    expect_refused({images});
    write_bytes(images, idx({96, 0, side}, ""));
    expect_refused({images});
    write_bytes(images, "PK\x03\x04 something else altogether");
    expect_refused({images});
    write_bytes(images, whole);
    write_bytes(labels, idx({95}, std::string(95, '\1')));
    expect_refused({labels, "96", "95"});
    std::filesystem::remove(labels);
    expect_refused({data, "train-labels"});
}

TEST_F(Errors, LabelsBeyondTheClasses) {
    // A folder called fashion-mnist has ten class names.
    const std::string named = folder / "fashion-mnist";
    write_idx_folder(named);
    std::string labels = read_bytes(named + "/train-labels-idx1-ubyte");
    labels.back() = '\x0A';
    write_bytes(named + "/train-labels-idx1-ubyte", labels);
    expect_complaint(heddle({"train", "linear", "--data", named, "--out", out}), 1, {"95", "10"});
    EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(Errors, Cifar) {
    const std::string batch = data + "/data_batch_1.bin";
    write_cifar_folder(data);
    const std::string whole = read_bytes(batch);
    for (const std::size_t length : {std::size_t{0}, std::size_t{100}, whole.size() - 1}) {
        write_bytes(batch, whole.substr(0, length));
        expect_refused({batch});
    }
    std::string label = whole;
    label[3073 * 4] = '\x0A';
    write_bytes(batch, label);
    expect_refused({batch, "4", "10"});
    write_bytes(batch, whole);
    std::filesystem::remove(data + "/test_batch.bin");
    expect_refused({data, "test_batch.bin"});
}

TEST_F(Errors, Pictures) {
    for (const char* name : {"a", "b"})
        for (int i = 0; i < 3; ++i) {
            std::filesystem::create_directories(data + "/" + name);
            save_png(data + "/" + name + "/" + std::to_string(i) + ".png", sample_picture(i));
        }
    const std::string bad = data + "/b/1.png", png = read_bytes(bad);
    write_bytes(bad, png.substr(0, png.size() / 2));
    expect_refused({bad});
    write_bytes(bad, "no picture");
    expect_refused({bad});
    std::string hostile = png;
    hostile.replace(16, 8, std::string("\x7F\xFF\xFF\xFF\x7F\xFF\xFF\xFF", 8));  // width and height
    write_bytes(bad, hostile);
    expect_refused({bad});
    save_png(bad, Picture(5, 7, 1));
    expect_refused({bad, "5 x 7", "--image-size"});
}

TEST_F(Errors, Csv) {
    const std::string path = folder / "table.csv";
    const auto refused = [&](const std::string& text, const std::vector<std::string>& parts) {
        write_bytes(path, text);
        expect_complaint(heddle({"train", "linear", "--data", path, "--out", out}), 1, parts);
        EXPECT_FALSE(std::filesystem::exists(out));
    };
    std::string good = "a,b,label\n";
    for (int i = 0; i < 30; ++i)
        good += std::to_string(i % 3) + "," + std::to_string(i % 7) + "," + (i % 2 ? "yes" : "no") + "\n";
    write_bytes(path, good);
    expect_done({"train", "linear", "--data", path, "--epochs", "1", "--quiet"});
    refused("", {path});
    refused(good + "1,2\n", {path, "32"});
    refused(good + "1,two,yes\n", {path, "32", "two"});
    refused("a;b;label\n1;2;yes\n2;3;no\n", {path, "';'"});
    refused("a,b,target\n1,2,0.5\n2,3,0.7\n3,4,0.9\n4,5,1.5\n", {path, "classes"});
}

TEST_F(Errors, Options) {
    write_idx_folder(data);
    const auto refused = [&](const std::vector<std::string>& more, const std::vector<std::string>& parts) {
        expect_complaint(heddle(train(more)), 2, parts);
        EXPECT_FALSE(std::filesystem::exists(out));
    };
    refused({"--unknown"}, {"--unknown"});
    refused({"--optimizer", "lion"}, {"--optimizer", "lion", "adamw"});
    refused({"--schedule", "x"}, {"--schedule", "cosine"});
    refused({"--augment", "x"}, {"--augment", "crop-flip"});
    refused({"--lr", "0"}, {"--lr"});
    refused({"--lr", "nan"}, {"--lr"});
    refused({"--lr", "fast"}, {"--lr", "fast"});
    refused({"--batch-size", "0"}, {"--batch-size"});
    refused({"--batch-size", "1.5"}, {"--batch-size", "1.5"});
    refused({"--steps", "-3"}, {"--steps"});
    refused({"--seed", "99999999999999999999"}, {"--seed"});
    refused({"--momentum", "1"}, {"--momentum"});
    refused({"--momentum", "0.9"}, {"--momentum", "adam"});
    refused({"--val-split", "1"}, {"--val-split"});
    refused({"--device", "tpu"}, {"--device", "tpu"});
    refused({"--precision", "f8"}, {"--precision"});
    refused({"--mixup", "-1"}, {"--mixup"});
    refused({"--accumulate", "0"}, {"--accumulate"});
    refused({"--warmup", "1000"}, {"--warmup"});
    refused({"--recipe", "nothing"}, {"\"nothing\"", "speed94"});
    refused({"--recipe", "speed94", "--lr", "1"}, {"speed94", "groups"});
    refused({"extra"}, {"extra"});
    expect_complaint(heddle({"train", "vgg", "--data", data}), 2, {"MODEL", "vgg", "resnet20"});
    expect_complaint(heddle({"train", "linear"}), 2, {"--data"});
    expect_complaint(heddle({"train", "linear", "--data", data, "--resume"}), 2, {"--out"});
    expect_complaint(heddle({"train", "linear", "--data", data, "--out", ""}), 2,
                     {"--out", "\"\"", "heddle train --help"});
    expect_complaint(heddle({"train", "linear", "--data", ""}), 2, {"--data", "\"\""});
    expect_complaint(heddle({}), 2, {"expected a command", "train", "bench"});
    expect_complaint(heddle({"paint"}), 2, {"\"paint\"", "train", "bench", "(see heddle --help)"});
    expect_complaint(heddle({"--paint"}), 2, {"--paint", "(see heddle --help)"});
}

TEST_F(Errors, WhatThisVersionCannot) {
    write_idx_folder(data);
    expect_complaint(heddle(train({"--device", "cuda:63"})), 1, {"device cuda:63"});
    expect_complaint(heddle(train({"--precision", "f16"})), 1, {"f16", "bf16"});
    expect_complaint(heddle({"train", "cnn", "--data", data, "--batch-size", "8", "--lr", "1e5", "--weight-decay",
                             "1e5", "--optimizer", "sgd", "--out", out}),
                     1, {"not finite", "--lr"});
    EXPECT_FALSE(std::filesystem::exists(out)) << "the folder made for the results stays though it is empty";
}

TEST_F(Errors, FullDisk) {
    write_idx_folder(data);
    // The first file that is too large is the checkpoint; nothing of it may be left.
    expect_complaint(Command(train(), 8192).finish(), 1, {out + "/checkpoint.safetensors", "File too large"});
    EXPECT_EQ(listing(out), (std::vector<std::string>{"history.csv", "run.json"}));

    // Results that were there stay whole.
    expect_done(train({"--quiet"}));
    const std::vector<std::string> files = listing(out);
    const std::string before = read_bytes(out + "/checkpoint.safetensors");
    expect_complaint(Command(train({"--seed", "2"}), 8192).finish(), 1, {"File too large"});
    EXPECT_EQ(read_bytes(out + "/checkpoint.safetensors"), before);
    EXPECT_EQ(listing(out), files);
}

TEST_F(Errors, OutputsThatCannotBeWritten) {
    write_idx_folder(data);
    expect_complaint(Command({"info"}, RLIM_INFINITY, "/dev/full").finish(), 1, {"standard output"});
    expect_complaint(
        Command({"train", "linear", "--data", data, "--json", "--epochs", "1"}, RLIM_INFINITY, "/dev/full").finish(), 1,
        {"standard output"});
    write_bytes(out, "a file");
    expect_complaint(heddle(train()), 1, {out});
    EXPECT_EQ(read_bytes(out), "a file");
}

}  // namespace
}  // namespace heddle::cli_tests
