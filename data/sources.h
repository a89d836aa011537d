#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace heddle {

/// A data set found by name or folder, ready for training.
struct DataSource {
    std::string name = {};
    std::string kind = {};  ///< "idx", "cifar10", "cifar100", "pictures" or "csv"
    std::string path = {};  ///< where it was found
    Dataset train = {};
    Dataset test = {};
    std::vector<std::string> class_names = {};  ///< empty for regression
    std::optional<Preprocessing> preprocessing = {};
    std::string note =
        {};  ///< what was decided for the user: how the test part was split off, which column is the label
};

struct SourceOptions {
    /// The size that pictures are resized to; 0: all must have the same size (CIFAR and IDX keep theirs).
    int height = 0;
    int width = 0;
    int channels = 0;               ///< of picture folders: 1 or 3; 0: 3
    std::string label_column = {};  ///< of CSV files; empty: "label", "class" or "target", else the last one
    double test_fraction = 0.1;     ///< split off where the data has no test part of its own
    std::uint64_t seed = 0;         ///< of that split
};

/// Opens a named data set (see `dataset_names`), or a path:
/// - a folder of IDX files (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., each plain or .gz);
/// - a folder of CIFAR-10 (data_batch_1.bin ..., test_batch.bin) or CIFAR-100 (train.bin, test.bin) binary files;
/// - a folder with a folder of JPEG and PNG pictures per class, or train/ and test/ with those. Without test/, the last
///   `test_fraction` of each class after a shuffle from `seed` is the test part;
/// - a CSV file of numbers, with a label column; the test part is split off likewise.
///
/// Pictures are normalised by the training set's mean and deviation (known constants for the named sets). Throws
/// `Error` with the places that were tried, or with what is wrong with the files.
HEDDLE_API DataSource open_dataset(const std::string& name_or_path, const SourceOptions& options = {});

/// What `heddle datasets` lists.
struct DatasetName {
    std::string name = {};
    std::string summary = {};
    std::string found = {};                ///< the folder it was found in; empty where it was not
    std::vector<std::string> places = {};  ///< where it is looked for, in order
    std::string how_to_get = {};
};
HEDDLE_API std::vector<DatasetName> dataset_names();

}  // namespace heddle
