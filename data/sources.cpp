#include "data/sources.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "core/check.h"
#include "core/env.h"
#include "data/detail/formats.h"

namespace heddle {
namespace {

namespace fs = std::filesystem;

struct Known {
    const char* name;
    std::vector<std::string> folders;  // below HEDDLE_DATA
    std::vector<std::string> system;   // absolute
    const char* summary;
    const char* how_to_get;
};

const std::vector<Known>& known_sets() {
    static const std::vector<Known> sets = {
        {"mnist",
         {"mnist", "MNIST/raw", "MNIST"},
         {"/usr/share/datasets/mnist"},
         "28x28 grey handwritten digits, 10 classes, 60,000 + 10,000",
         "put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
         "t10k-labels-idx1-ubyte.gz into $HEDDLE_DATA/mnist"},
        {"fashion-mnist",
         {"fashion-mnist", "FashionMNIST/raw", "FashionMNIST"},
         {"/usr/share/datasets/fashion-mnist"},
         "28x28 grey pictures of clothing, 10 classes, 60,000 + 10,000",
         "install the Debian package dataset-fashion-mnist, or put its four files into $HEDDLE_DATA/fashion-mnist"},
        {"cifar10",
         {"cifar10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin", "cifar-10"},
         {},
         "32x32 colour pictures, 10 classes, 50,000 + 10,000",
         "unpack cifar-10-binary.tar.gz (https://www.cs.toronto.edu/~kriz/cifar.html) into $HEDDLE_DATA"},
        {"cifar100",
         {"cifar100", "cifar-100-binary", "cifar100/cifar-100-binary", "cifar-100"},
         {},
         "32x32 colour pictures, 100 classes, 50,000 + 10,000",
         "unpack cifar-100-binary.tar.gz (https://www.cs.toronto.edu/~kriz/cifar.html) into $HEDDLE_DATA"},
    };
    return sets;
}

std::vector<std::string> places_of(const Known& known) {
    const fs::path root = env("HEDDLE_DATA").value_or(".");
    std::vector<std::string> places;
    if (root.filename() == known.name) places.push_back(root.string());  // HEDDLE_DATA names the folder itself
    for (const std::string& folder : known.folders) places.push_back((root / folder).string());
    places.insert(places.end(), known.system.begin(), known.system.end());
    return places;
}

std::string find(const Known& known) {
    for (const std::string& place : places_of(known))
        if (detail::is_idx_folder(place) || detail::is_cifar10_folder(place) || detail::is_cifar100_folder(place))
            return place;
    return {};
}

// `name` is empty where the path was given by the user.
DataSource open_path(const std::string& path, const std::string& name, const SourceOptions& options) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) {
        const std::string file = fs::path(path).filename().string();
        check(file.ends_with(".csv") || file.ends_with(".csv.gz") || file.ends_with(".tsv"),
              "{}: a data set is a folder, or a .csv or .tsv file", path);
        return detail::open_csv(path, options);
    }
    check(fs::is_directory(path, error), "{}: no such file or folder", path);
    check(options.label_column.empty(), "{}: no CSV file, so it has no column \"{}\" of labels", path,
          options.label_column);
    if (detail::is_idx_folder(path))
        return detail::open_idx_folder(path,
                                       detail::known_facts(name.empty() ? fs::path(path).filename().string() : name));
    if (detail::is_cifar10_folder(path) || detail::is_cifar100_folder(path)) return detail::open_cifar_folder(path);
    return detail::open_picture_folder(path, options);
}

}  // namespace

DataSource open_dataset(const std::string& name_or_path, const SourceOptions& options) {
    check(options.height >= 0 && options.width >= 0 && (options.height > 0) == (options.width > 0),
          "open_dataset: expected both height and width, or neither, got {} and {}", options.height, options.width);
    check(options.channels == 0 || options.channels == 1 || options.channels == 3,
          "open_dataset: expected 1 or 3 channels, got {}", options.channels);
    check(options.test_fraction > 0 && options.test_fraction < 1,
          "open_dataset: expected a test fraction between 0 and 1, got {}", options.test_fraction);
    const auto& sets = known_sets();
    const auto known =
        std::find_if(sets.begin(), sets.end(), [&](const Known& set) { return name_or_path == set.name; });
    std::error_code ignored;
    if (known == sets.end()) {
        std::vector<std::string> names;
        for (const Known& set : sets) names.emplace_back(set.name);
        check(fs::exists(name_or_path, ignored), "{}: no such file or folder, and not one of the known data sets ({})",
              name_or_path, fmt::join(names, ", "));
        return open_path(fs::path(name_or_path).lexically_normal().string(), {}, options);
    }
    const std::string place = find(*known);
    check(!place.empty(), "data set {}: not found in {}; to get it: {}{}", known->name,
          fmt::join(places_of(*known), ", "), known->how_to_get,
          env("HEDDLE_DATA") ? "" : " (HEDDLE_DATA is not set: it names the folder of data sets)");
    DataSource source = open_path(place, known->name, options);
    source.name = known->name;
    return source;
}

std::vector<DatasetName> dataset_names() {
    std::vector<DatasetName> names;
    for (const Known& known : known_sets())
        names.push_back({known.name, known.summary, find(known), places_of(known), known.how_to_get});
    return names;
}

}  // namespace heddle
