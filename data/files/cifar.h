#pragma once

#include <string>
#include <vector>

#include "core/tensor.h"

namespace heddle {

/// CIFAR binary records: pictures u8 [N, 32, 32, 3] (converted to NHWC from the file's planes) and labels i64 [N].
struct CifarRecords {
    Tensor pictures = {};
    Tensor labels = {};
};

/// Which of the two formats: CIFAR-100 has two label bytes a record, coarse (20 classes) and fine (100).
enum class CifarKind { cifar10, cifar100_fine, cifar100_coarse };

/// Reads files one after the other (their record counts come from their sizes). Throws `Error` naming the file where a
/// size is not a multiple of a record's, and the record where a label is out of range.
HEDDLE_API CifarRecords load_cifar(const std::vector<std::string>& paths, CifarKind kind = CifarKind::cifar10);

/// The class names of a batches.meta.txt, fine_label_names.txt or coarse_label_names.txt: one a line.
HEDDLE_API std::vector<std::string> load_class_names(const std::string& path);

}  // namespace heddle
