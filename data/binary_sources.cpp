#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "core/check.h"
#include "data/detail/formats.h"
#include "data/files/cifar.h"
#include "data/files/idx.h"

// Folders of IDX and CIFAR files.
namespace heddle::detail {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

// The file, plain or gzipped, with "-" or "." before idx (both spellings are in use); empty where there is none.
std::string idx_file(const std::string& folder, const std::string& part, const char* rank) {
    for (const char* joint : {"-idx", ".idx"})
        for (const char* end : {"-ubyte", "-ubyte.gz"}) {
            const fs::path path = fs::path(folder) / (part + joint + rank + end);
            if (is_file(path)) return path.string();
        }
    return {};
}

struct Part {
    Tensor pictures, labels;
};

Part load_idx_part(const std::string& folder, const std::string& part) {
    const std::string picture_path = idx_file(folder, part + "-images", "3");
    const std::string label_path = idx_file(folder, part + "-labels", "1");
    check(!picture_path.empty() && !label_path.empty(),
          "{}: {}-images-idx3-ubyte[.gz] and {}-labels-idx1-ubyte[.gz] "
          "belong together; one is missing",
          folder, part, part);
    const Tensor pictures = load_idx(picture_path), labels = load_idx(label_path);
    check(pictures.dtype() == DType::u8 && pictures.rank() == 3 && pictures.elements() > 0,
          "{}: expected pictures u8 [N, height, width], got {} {}", picture_path, to_string(pictures.dtype()),
          pictures.shape().to_string());
    check(labels.dtype() == DType::u8 && labels.rank() == 1 && labels.size(0) == pictures.size(0),
          "{}: expected {} labels u8, got {} {}", label_path, pictures.size(0), to_string(labels.dtype()),
          labels.shape().to_string());
    const auto* label = labels.data<std::uint8_t>();
    const std::vector<std::int64_t> wide(label, label + labels.elements());
    return {pictures.reshape(Shape{pictures.size(0), pictures.size(1), pictures.size(2), 1}),
            Tensor::from(wide, Shape{labels.size(0)})};
}

std::int64_t largest(const Tensor& labels) {
    const auto* label = labels.data<std::int64_t>();
    return *std::max_element(label, label + labels.elements());
}

}  // namespace

bool is_idx_folder(const std::string& folder) { return !idx_file(folder, "train-images", "3").empty(); }
bool is_cifar10_folder(const std::string& folder) { return is_file(fs::path(folder) / "data_batch_1.bin"); }
bool is_cifar100_folder(const std::string& folder) {
    return is_file(fs::path(folder) / "train.bin") && is_file(fs::path(folder) / "test.bin");
}

void finish_images(DataSource& source, const Tensor& train_pictures, const Tensor& train_labels,
                   const Tensor& test_pictures, const Tensor& test_labels, PixelStatistics statistics) {
    if (statistics.mean.empty()) {
        statistics = pixel_statistics(train_pictures);
        for (float& deviation : statistics.deviation)
            if (deviation < 1e-6f) deviation = 1;  // a channel of one value
    }
    const ImageOptions options{source.class_names, statistics.mean, statistics.deviation};
    source.train = ImageDataset(train_pictures, train_labels, options);
    source.test = ImageDataset(test_pictures, test_labels, options);
    source.preprocessing = source.train.preprocessing();
}

DataSource open_idx_folder(const std::string& folder, const Facts& facts) {
    const Part train = load_idx_part(folder, "train");
    const Part test = load_idx_part(folder, "t10k");
    check(train.pictures.shape().range(1, 4) == test.pictures.shape().range(1, 4),
          "{}: training pictures are {}, test pictures {}", folder, train.pictures.shape().range(1, 4).to_string(),
          test.pictures.shape().range(1, 4).to_string());
    DataSource source{.name = fs::path(folder).filename().string(), .kind = "idx", .path = folder};
    const std::int64_t classes = std::max(largest(train.labels), largest(test.labels)) + 1;
    source.class_names = facts.class_names;
    if (source.class_names.empty())
        for (std::int64_t i = 0; i < classes; ++i) source.class_names.push_back(fmt::format("{}", i));
    finish_images(source, train.pictures, train.labels, test.pictures, test.labels, facts.statistics);
    return source;
}

DataSource open_cifar_folder(const std::string& folder) {
    const fs::path root = folder;
    const bool ten = is_cifar10_folder(folder);
    const CifarKind kind = ten ? CifarKind::cifar10 : CifarKind::cifar100_fine;
    std::vector<std::string> train_files;
    std::string test_file = (root / (ten ? "test_batch.bin" : "test.bin")).string();
    if (ten)
        for (int i = 1; is_file(root / fmt::format("data_batch_{}.bin", i)); ++i)
            train_files.push_back((root / fmt::format("data_batch_{}.bin", i)).string());
    else
        train_files.push_back((root / "train.bin").string());
    check(is_file(test_file), "{}: the folder has training files but no {}", folder,
          fs::path(test_file).filename().string());
    const CifarRecords train = load_cifar(train_files, kind), test = load_cifar({test_file}, kind);

    DataSource source{
        .name = fs::path(folder).filename().string(), .kind = ten ? "cifar10" : "cifar100", .path = folder};
    const fs::path names = root / (ten ? "batches.meta.txt" : "fine_label_names.txt");
    const std::size_t classes = ten ? 10 : 100;
    if (is_file(names)) {
        source.class_names = load_class_names(names.string());
        check(source.class_names.size() == classes, "{}: expected {} class names, got {}", names.string(), classes,
              source.class_names.size());
    } else if (ten) {
        source.class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
    } else {
        for (std::size_t i = 0; i < classes; ++i) source.class_names.push_back(fmt::format("{}", i));
    }
    if (ten && train_files.size() != 5) source.note = fmt::format("{} of 5 training files", train_files.size());
    // Published constants, so that a subset is normalised like the whole set.
    const PixelStatistics cifar10 = {{0.49139968f, 0.48215841f, 0.44653091f}, {0.24703223f, 0.24348513f, 0.26158784f}};
    const PixelStatistics cifar100 = {{0.50707516f, 0.48654887f, 0.44091784f}, {0.26733429f, 0.25643846f, 0.27615047f}};
    finish_images(source, train.pictures, train.labels, test.pictures, test.labels, ten ? cifar10 : cifar100);
    return source;
}

Facts known_facts(const std::string& name) {
    if (name == "fashion-mnist")
        return {
            {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
            {{0.2860f}, {0.3530f}}};
    if (name == "mnist") return {{}, {{0.1307f}, {0.3081f}}};
    return {};
}

}  // namespace heddle::detail
