#include "data/sources.h"

#include <cstdlib>

#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;

class Environment {
  public:
    Environment(const char* name, const std::string& value) : name_(name) {
        if (const char* old = std::getenv(name)) old_ = old;
        ::setenv(name, value.c_str(), 1);
    }
    ~Environment() { old_.empty() ? ::unsetenv(name_) : ::setenv(name_, old_.c_str(), 1); }

  private:
    const char* name_;
    std::string old_;
};

std::string idx(const std::vector<std::uint8_t>& shape, const std::string& data) {
    std::string bytes = {0, 0, 8, static_cast<char>(shape.size())};
    for (const std::uint8_t extent : shape) bytes += std::string(3, '\0') + static_cast<char>(extent);
    return bytes + data;
}

void write_idx_folder(const std::string& folder) {
    write_bytes(folder + "/train-images-idx3-ubyte", idx({3, 2, 2}, std::string(6, '\0') + std::string(6, '\xFF')));
    write_bytes(folder + "/train-labels-idx1-ubyte", idx({3}, std::string("\x00\x01\x02", 3)));
    write_bytes(folder + "/t10k-images-idx3-ubyte", idx({1, 2, 2}, "abcd"));
    write_bytes(folder + "/t10k-labels-idx1-ubyte", idx({1}, "\x02"));
}

std::string cifar_record(int label, char value) { return static_cast<char>(label) + std::string(3072, value); }

TEST(Sources, IdxFolder) {
    const TempFolder folder;
    write_idx_folder(folder / "mine");
    const DataSource source = open_dataset(folder / "mine");
    EXPECT_EQ(source.kind, "idx");
    EXPECT_EQ(source.name, "mine");
    EXPECT_EQ(source.train.size(), 3);
    EXPECT_EQ(source.test.size(), 1);
    EXPECT_EQ(source.train.input_shape(), (Shape{2, 2, 1}));
    EXPECT_EQ(source.class_names, (std::vector<std::string>{"0", "1", "2"}));
    ASSERT_TRUE(source.preprocessing.has_value());
    EXPECT_FLOAT_EQ(source.preprocessing->mean.at(0), 0.5f);
    EXPECT_FLOAT_EQ(source.preprocessing->deviation.at(0), 0.5f);
    EXPECT_FLOAT_EQ(source.train.batch(0, 1).inputs[0].to_vector<float>()[0], -1);

    std::filesystem::remove(folder / "mine/t10k-labels-idx1-ubyte");
    EXPECT_ERROR(open_dataset(folder / "mine"), "t10k-labels-idx1-ubyte");
    write_bytes(folder / "mine/t10k-labels-idx1-ubyte", idx({2}, "\x01\x02"));
    EXPECT_ERROR(open_dataset(folder / "mine"), "expected 1 labels");
}

TEST(Sources, NamedSets) {
    const TempFolder folder;
    write_idx_folder(folder / "fashion-mnist");
    write_bytes(folder / "cifar-10-batches-bin/data_batch_1.bin", cifar_record(3, 'a') + cifar_record(9, 'b'));
    write_bytes(folder / "cifar-10-batches-bin/test_batch.bin", cifar_record(1, 'a'));
    const Environment data("HEDDLE_DATA", folder.path());
    const DataSource fashion = open_dataset("fashion-mnist");
    EXPECT_EQ(fashion.class_names.at(9), "Ankle boot");
    EXPECT_EQ(fashion.train.class_names(), fashion.class_names);
    EXPECT_EQ(fashion.preprocessing->class_names, fashion.class_names);
    EXPECT_FLOAT_EQ(fashion.preprocessing->mean[0], 0.2860f);
    const DataSource cifar = open_dataset("cifar10");
    EXPECT_EQ(cifar.train.size(), 2);
    EXPECT_EQ(cifar.class_names.at(9), "truck");
    EXPECT_FLOAT_EQ(cifar.preprocessing->mean[0], 0.49139968f);
    EXPECT_EQ(cifar.note, "1 of 5 training files");

    EXPECT_ERROR(open_dataset("cifar100"), folder / "cifar-100-binary");
    EXPECT_ERROR(open_dataset("cifar100"), "cifar-100-binary.tar.gz");
    EXPECT_ERROR(open_dataset("imagenet"), "mnist, fashion-mnist, cifar10, cifar100");
    for (const DatasetName& name : dataset_names()) {
        EXPECT_FALSE(name.how_to_get.empty());
        const bool ten = name.name == "cifar10", hundred = name.name == "cifar100";
        EXPECT_TRUE(!ten || name.found == folder / "cifar-10-batches-bin") << name.found;
        EXPECT_TRUE(!hundred || name.found.empty()) << name.found;
    }
}

TEST(Sources, Cifar100Folder) {
    const TempFolder folder;
    const std::string record = std::string("\x02\x63") + std::string(3072, 'x');
    write_bytes(folder / "c/train.bin", record);
    write_bytes(folder / "c/test.bin", record);
    const DataSource source = open_dataset(folder / "c");
    EXPECT_EQ(source.kind, "cifar100");
    EXPECT_EQ(source.class_names.size(), 100u);
    EXPECT_EQ(source.train.batch(0, 1).target.to_vector<std::int64_t>()[0], 99);
    write_bytes(folder / "c/test.bin", record + "x");
    EXPECT_ERROR(open_dataset(folder / "c"), "3074");
}

TEST(Sources, PictureFolders) {
    const TempFolder folder;
    for (int i = 0; i < 20; ++i) {
        const auto value = static_cast<std::uint8_t>(10 * i);
        save_png(folder / (std::string("cat") + std::to_string(i)), Picture(4, 3, 3, value));
        std::filesystem::create_directories(folder / "all/cat");
        std::filesystem::create_directories(folder / "all/dog");
        std::filesystem::rename(folder / (std::string("cat") + std::to_string(i)),
                                folder / (std::string(i % 2 ? "all/cat/" : "all/dog/") + std::to_string(i) + ".PNG"));
    }
    write_bytes(folder / "all/cat/notes.txt", "x");
    write_bytes(folder / "all/.hidden", "x");
    const DataSource source = open_dataset(folder / "all", {.test_fraction = 0.2, .seed = 3});
    EXPECT_EQ(source.kind, "pictures");
    EXPECT_EQ(source.class_names, (std::vector<std::string>{"cat", "dog"}));
    EXPECT_EQ(source.train.input_shape(), (Shape{3, 4, 3}));
    EXPECT_EQ(source.train.size(), 16);
    EXPECT_EQ(source.test.batch(0, 4).target.to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 0, 1, 1}));
    EXPECT_NE(source.note.find("4 of 20"), std::string::npos) << source.note;
    EXPECT_NE(source.note.find("1 other files"), std::string::npos) << source.note;
    const auto again = open_dataset(folder / "all", {.test_fraction = 0.2, .seed = 3});
    EXPECT_EQ(again.test.batch(0, 4).inputs[0].to_vector<float>(),
              source.test.batch(0, 4).inputs[0].to_vector<float>());

    save_png(folder / "all/cat/big.png", Picture(8, 8, 3, 7));
    EXPECT_ERROR(open_dataset(folder / "all"), "big.png: is 8 x 8");
    EXPECT_EQ(open_dataset(folder / "all", {.height = 5, .width = 6, .channels = 1}).train.input_shape(),
              (Shape{5, 6, 1}));
    write_bytes(folder / "all/cat/broken.png", "x");
    EXPECT_ERROR(open_dataset(folder / "all", {.height = 5, .width = 6}), "broken.png");
}

TEST(Sources, PictureFoldersWithATestPart) {
    const TempFolder folder;
    for (const char* part : {"train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png", "test/b/2.png"}) {
        std::filesystem::create_directories(std::filesystem::path(folder / part).parent_path());
        save_png(folder / part, Picture(2, 2, 3, 9));
    }
    const DataSource source = open_dataset(folder.path());
    EXPECT_EQ(source.train.size(), 2);
    EXPECT_EQ(source.test.size(), 3);
    EXPECT_EQ(source.note, "");
    std::filesystem::rename(folder / "test/b", folder / "test/c");
    EXPECT_ERROR(open_dataset(folder.path()), "the class \"c\"");
    std::filesystem::create_directories(folder / "none/x");
    std::filesystem::create_directories(folder / "bare");
    EXPECT_ERROR(open_dataset(folder / "none"), "no .jpg");
    EXPECT_ERROR(open_dataset(folder / "bare"), "0 folders of pictures");
}

TEST(Sources, CsvClassesAndNumbers) {
    const TempFolder folder;
    std::string classes = "x,y,kind\n", numbers = "date,a,b\n", digits = "label,a\n";
    for (int i = 0; i < 40; ++i) {
        classes += std::to_string(i) + ",1," + (i % 2 ? "odd" : "even") + "\n";
        numbers += std::string("d") + std::to_string(i) + ",2," + std::to_string(i) + ".5\n";
        digits += std::to_string(i % 3) + ",5\n";
    }
    write_bytes(folder / "classes.csv", classes);
    write_bytes(folder / "numbers.csv", numbers);
    write_bytes(folder / "digits.csv", digits);
    const DataSource kinds = open_dataset(folder / "classes.csv");
    EXPECT_EQ(kinds.class_names, (std::vector<std::string>{"even", "odd"}));
    EXPECT_EQ(kinds.train.size(), 36);
    EXPECT_EQ(kinds.test.size(), 4);
    EXPECT_EQ(kinds.train.input_shape(), (Shape{2}));
    const Batch batch = kinds.train.batch(0, 36);
    for (std::size_t i = 0; i < 36; ++i)
        EXPECT_EQ(static_cast<std::int64_t>(batch.inputs[0].to_vector<float>()[2 * i]) % 2,
                  batch.target.to_vector<std::int64_t>()[i]);

    const DataSource values = open_dataset(folder / "numbers.csv");
    EXPECT_TRUE(values.class_names.empty());
    EXPECT_EQ(values.train.target_shape(), (Shape{1}));
    EXPECT_EQ(values.train.target_dtype(), DType::f32);
    EXPECT_NE(values.note.find("left out, as not all its fields are numbers: date"), std::string::npos) << values.note;
    EXPECT_EQ(open_dataset(folder / "digits.csv").class_names.size(), 3u);
    EXPECT_EQ(open_dataset(folder / "numbers.csv", {.label_column = "a"}).train.input_shape(), (Shape{1}));
    EXPECT_ERROR(open_dataset(folder / "numbers.csv", {.label_column = "c"}), "no column \"c\"");
}

TEST(Sources, WrongPathsAndOptions) {
    const TempFolder folder;
    EXPECT_ERROR(open_dataset(folder / "none"), "no such file or folder");
    write_bytes(folder / "a.bin", "x");
    EXPECT_ERROR(open_dataset(folder / "a.bin"), ".csv");
    EXPECT_ERROR(open_dataset(folder.path(), {.height = 3}), "both height and width");
    EXPECT_ERROR(open_dataset(folder.path(), {.label_column = "kind"}), "no CSV file, so it has no column \"kind\"");
    EXPECT_ERROR(open_dataset(folder.path(), {.channels = 2}), "1 or 3 channels");
    EXPECT_ERROR(open_dataset(folder.path(), {.test_fraction = 1}), "fraction");
}

// Real data, where it is installed.
TEST(Sources, RealFashionMnist) {
    const auto names = dataset_names();
    const auto& fashion = names.at(1);
    ASSERT_EQ(fashion.name, "fashion-mnist");
    if (fashion.found.empty()) GTEST_SKIP() << "Fashion-MNIST is not installed: " << fashion.how_to_get;
    const DataSource source = open_dataset("fashion-mnist");
    EXPECT_EQ(source.train.size(), 60'000);
    EXPECT_EQ(source.test.size(), 10'000);
    std::vector<int> counts(10);
    for (const std::int64_t label : source.test.batch(0, 10'000).target.to_vector<std::int64_t>())
        ++counts[static_cast<std::size_t>(label)];
    EXPECT_EQ(counts, std::vector<int>(10, 1000));
    const auto plain = source.train.with_normalization({}, {}).batch(0, 60'000).inputs[0];
    double sum = 0;
    for (std::int64_t i = 0; i < plain.elements(); ++i) sum += static_cast<double>(plain.data<float>()[i]);
    EXPECT_NEAR(sum / static_cast<double>(plain.elements()), 0.2860, 5e-5);
}

}  // namespace
