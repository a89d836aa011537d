#pragma once

#include <string>
#include <vector>

#include "core/config.h"
#include "data/picture.h"
#include "train/history.h"

namespace heddle::cli {

struct PagePicture {
    std::string title = {};
    std::vector<std::uint8_t> png = {};
    int width = 0;  ///< in pixels
};

/// A run as one HTML page that needs no other file: `run` is what run.json holds (cli/run_record.h). Throws `Error`
/// naming the key where something is missing.
std::string run_page(const Config& run, const History& history, const std::vector<PagePicture>& pictures);

}  // namespace heddle::cli
