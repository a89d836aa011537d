#include <algorithm>
#include <cstring>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>

#include "core/check.h"
#include "core/parallel.h"
#include "data/detail/formats.h"
#include "data/permutation.h"

// Folders of pictures, one folder per class.
namespace heddle::detail {
namespace {

namespace fs = std::filesystem;

struct Item {
    std::string path;
    std::int64_t label = 0;
};

bool is_picture_name(const fs::path& path) {
    std::string end = path.extension().string();
    std::transform(end.begin(), end.end(), end.begin(), [](unsigned char letter) {
        return static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter);
    });
    return end == ".jpg" || end == ".jpeg" || end == ".png";
}

// The entries of a folder, without hidden ones, sorted by name.
std::vector<fs::path> listing(const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> paths;
    for (fs::directory_iterator next(folder, error), end; !error && next != end; next.increment(error))
        if (!next->path().filename().string().starts_with(".")) paths.push_back(next->path());
    check(!error, "{}: cannot be listed: {}", folder.string(), error.message());
    std::sort(paths.begin(), paths.end());
    return paths;
}

using Classes = std::map<std::string, std::vector<std::string>>;  // the pictures of each class

Classes list_classes(const fs::path& folder, std::int64_t& others) {
    Classes classes;
    for (const fs::path& path : listing(folder)) {
        std::error_code error;
        if (!fs::is_directory(path, error)) {
            ++others;
            continue;
        }
        std::vector<std::string> pictures;
        for (const fs::path& file : listing(path)) {
            if (is_picture_name(file))
                pictures.push_back(file.string());
            else
                ++others;
        }
        check(!pictures.empty(), "{}: no .jpg, .jpeg or .png file; a folder of pictures per class is expected",
              path.string());
        classes[path.filename().string()] = std::move(pictures);
    }
    check(classes.size() >= 2,
          "{}: {} folders of pictures; a data set has one per class, at least two, or train/ and "
          "test/ with those (IDX and CIFAR files were looked for too)",
          folder.string(), classes.size());
    return classes;
}

Tensor load_pictures(const std::vector<Item>& items, const Shape& shape, bool resizes) {
    const auto count = static_cast<std::int64_t>(items.size());
    Tensor pictures = Tensor::empty(Shape{count, shape[0], shape[1], shape[2]}, {.dtype = DType::u8});
    auto* pixels = pictures.data<std::uint8_t>();
    const auto bytes = static_cast<std::size_t>(shape.elements());
    const auto height = static_cast<int>(shape[0]), width = static_cast<int>(shape[1]);
    std::mutex mutex;
    std::int64_t failed_at = count;  // the first failure in the order of files, whatever the threads do
    std::exception_ptr failure;
    parallel_for(count, 16, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) try {
                const std::string& path = items[static_cast<std::size_t>(i)].path;
                Picture picture = load_picture(path, static_cast<int>(shape[2]));
                check(resizes || (picture.height == height && picture.width == width),
                      "{}: is {} x {} where the first picture is {} x {}; bring all to one size "
                      "(SourceOptions::height and width, heddle train --image-size)",
                      path, picture.width, picture.height, width, height);
                if (resizes) picture = resize(picture, width, height);
                std::memcpy(pixels + static_cast<std::size_t>(i) * bytes, picture.pixels.data(), bytes);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (i < failed_at) {
                    failed_at = i;
                    failure = std::current_exception();
                }
                return;
            }
    });
    if (failure) std::rethrow_exception(failure);
    return pictures;
}

Tensor labels_of(const std::vector<Item>& items) {
    std::vector<std::int64_t> labels;
    for (const Item& item : items) labels.push_back(item.label);
    return Tensor::from(labels, Shape{static_cast<std::int64_t>(items.size())});
}

}  // namespace

DataSource open_picture_folder(const std::string& folder, const SourceOptions& options) {
    DataSource source{.name = fs::path(folder).filename().string(), .kind = "pictures", .path = folder};
    std::error_code ignored;
    const fs::path root = folder;
    const bool has_train = fs::is_directory(root / "train", ignored);
    const fs::path test_folder = fs::is_directory(root / "test", ignored) ? root / "test" : root / "val";
    const bool has_test = has_train && fs::is_directory(test_folder, ignored);
    std::int64_t others = 0;
    const Classes train_classes = list_classes(has_train ? root / "train" : root, others);

    std::vector<Item> train, test;
    std::map<std::string, std::int64_t> numbers;
    for (const auto& [name, pictures] : train_classes) {
        const auto label = static_cast<std::int64_t>(source.class_names.size());
        numbers[name] = label;
        source.class_names.push_back(name);
        const auto count = static_cast<std::int64_t>(pictures.size());
        std::vector<std::int64_t> order = epoch_permutation(count, options.seed, static_cast<std::uint64_t>(label));
        const auto wanted = static_cast<std::int64_t>(static_cast<double>(count) * options.test_fraction + 0.5);
        const std::int64_t held_out = has_test || count < 2 ? 0 : std::clamp<std::int64_t>(wanted, 1, count - 1);
        std::sort(order.begin(), order.end() - held_out);  // the training part stays in the order of the files
        for (std::int64_t i = 0; i < count; ++i)
            (i < count - held_out ? train : test)
                .push_back({pictures[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])], label});
    }
    if (has_test) {
        for (const auto& [name, pictures] : list_classes(test_folder, others)) {
            check(numbers.contains(name), "{}: the class \"{}\" is not among those of train/", test_folder.string(),
                  name);
            for (const std::string& path : pictures) test.push_back({path, numbers[name]});
        }
    } else {
        source.note = fmt::format(
            "no test folder: {} of {} pictures ({} % of each class, shuffled with seed {}) are the "
            "test part",
            test.size(), train.size() + test.size(), options.test_fraction * 100, options.seed);
    }
    check(!test.empty(), "{}: too few pictures to split off a test part", folder);
    if (others > 0)
        source.note += fmt::format("{}{} other files were left out", source.note.empty() ? "" : "; ", others);

    const bool resizes = options.height > 0;
    const int channels = options.channels == 0 ? 3 : options.channels;
    Shape shape{options.height, options.width, channels};
    if (!resizes) {
        const Picture first = load_picture(train[0].path, channels);
        shape = Shape{first.height, first.width, channels};
    }
    finish_images(source, load_pictures(train, shape, resizes), labels_of(train), load_pictures(test, shape, resizes),
                  labels_of(test));
    return source;
}

}  // namespace heddle::detail
