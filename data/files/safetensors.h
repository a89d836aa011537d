#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace heddle {

/// The tensors of a safetensors file in the order of their bytes, and its `__metadata__`.
struct HEDDLE_API SafetensorsFile {
    std::vector<std::pair<std::string, Tensor>> tensors = {};
    std::map<std::string, std::string> metadata = {};

    bool has(const std::string& name) const;
    /// Throws `Error` naming the missing tensor.
    const Tensor& at(const std::string& name) const;
};

/// Reads a file of F64, F32, F16, BF16, I64, I32, U8 and BOOL tensors into CPU memory. The header is held against the
/// file before anything is allocated: its length, JSON, types, shapes, and that the ranges cover the bytes with no hole
/// and no overlap. Throws `Error` naming the file and the tensor.
HEDDLE_API SafetensorsFile load_safetensors(const std::string& path);

/// The header alone: what `load_safetensors` would return as metadata.
HEDDLE_API std::map<std::string, std::string> load_safetensors_metadata(const std::string& path);

/// Writes the tensors, those of wider types first (so that each is aligned), else in the order given; what is on
/// another device is copied. Atomic (core/atomic_file.h). Throws `Error` for two tensors of one name.
HEDDLE_API void save_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                                 const std::map<std::string, std::string>& metadata = {});

}  // namespace heddle
