#pragma once

#include <string>

#include "data/sources.h"

// What a data set on disk may look like: private to `data/`.
namespace heddle::detail {

bool is_idx_folder(const std::string& folder);
bool is_cifar10_folder(const std::string& folder);
bool is_cifar100_folder(const std::string& folder);

/// What is known of a set by name; empty where nothing is.
struct Facts {
    std::vector<std::string> class_names = {};
    PixelStatistics statistics = {};
};
Facts known_facts(const std::string& name);

DataSource open_idx_folder(const std::string& folder, const Facts& facts);
DataSource open_cifar_folder(const std::string& folder);
DataSource open_picture_folder(const std::string& folder, const SourceOptions& options);
DataSource open_csv(const std::string& path, const SourceOptions& options);

/// Makes the two parts and the preprocessing of a source whose class names are set. Empty statistics are taken from the
/// training part.
void finish_images(DataSource& source, const Tensor& train_pictures, const Tensor& train_labels,
                   const Tensor& test_pictures, const Tensor& test_labels, PixelStatistics statistics = {});

}  // namespace heddle::detail
