#pragma once

#include <cstddef>
#include <string>

#include "core/config.h"
#include "data/dataset.h"
#include "train/history.h"

namespace heddle::cli {

/// Text to stdout. Throws `Error` where it cannot be written (the disk is full, say).
void print(const std::string& text);
/// A JSON object on a line of its own, at once.
void print_json(const Config& record);
/// Adds the finite ones of `values`: JSON knows no others.
void set_finite(Config& record, const Result& values);

/// Throws `Error` if the folder of this file does not exist: better before the work than after it. "" is accepted.
void check_folder_of(const std::string& path);

/// 12,345,678 bytes as "12.3 MB".
std::string megabytes(std::size_t bytes);
/// What the examples of a data set are called: "pictures", or "examples".
const char* unit(const Dataset& data);

}  // namespace heddle::cli
