#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace heddle {

/// numpy's .npy, versions 1 to 3: little-endian f2, f4, f8, i4, i8, u1 and b1 in C order. Fortran order and other types
/// are refused with what to do about it in numpy. Throws `Error` naming the file.
HEDDLE_API Tensor load_npy(const std::string& path);
/// bf16 has no numpy type: convert it first. Atomic.
HEDDLE_API void save_npy(const std::string& path, const Tensor& tensor);

/// numpy's .npz (a zip of .npy files, stored or deflated), in the order of the archive; names without ".npy".
HEDDLE_API std::vector<std::pair<std::string, Tensor>> load_npz(const std::string& path);
/// Stored, not compressed, as numpy.savez does. Atomic; the archive must stay below 4 GiB.
HEDDLE_API void save_npz(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& arrays);

}  // namespace heddle
