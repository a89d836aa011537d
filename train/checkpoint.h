#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/export.h"
#include "layers/layer.h"
#include "train/history.h"
#include "train/model.h"

namespace heddle {

/// Everything that the rest of a training run depends on besides the data and the program: a run resumed from it gives
/// the same bits as an uninterrupted one, also from the middle of an epoch.
struct HEDDLE_API Checkpoint {
    std::int64_t epoch = 0;  ///< the epoch that comes next, or is under way
    std::int64_t step = 0;   ///< steps done in it
    std::int64_t total_steps = 0;
    std::uint64_t seed = 0;  ///< of the data's order and augmentation
    std::int64_t batch_size = 0;
    std::int64_t gradient_accumulation_steps = 1;
    bool shuffle = true;
    std::int64_t samples = 0;                      ///< in the data set
    std::optional<ClassWeight> class_weight = {};  ///< empty: the file does not say
    std::uint64_t generator_seed = 0;
    std::uint64_t generator_offset = 0;
    History history = {};
    std::string optimizer_class = {};
    NamedTensors model = {};      ///< parameters and buffers
    NamedTensors optimizer = {};  ///< its state
    std::vector<double> loss = {};
    std::vector<std::vector<double>> metrics = {};  ///< what each has gathered in the epoch under way
    std::vector<NamedTensors> callbacks = {};

    /// A safetensors file, written beside the old one and renamed: a kill at any moment leaves a loadable file.
    void save(const std::string& path) const;
    /// Throws one `Error` for a file that is damaged or not a checkpoint.
    static Checkpoint load(const std::string& path);

    /// Copies parameters, buffers and optimizer state into a compiled and built model. Throws one `Error`, with nothing
    /// changed, where the checkpoint is of another model or optimizer.
    void restore(const Model& target) const;
};

/// `checkpoint.safetensors` in a folder.
HEDDLE_API std::string checkpoint_path(const std::string& folder);

}  // namespace heddle
