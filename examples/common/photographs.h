#pragma once

#include <heddle/heddle.h>

#include <cstdint>
#include <string>

namespace heddle::examples {

/// Photographs with one object each: f32 [side, side, 3] in 0..1, squeezed to squares, and f32 [5]: class 0, then the
/// box's centre, width and height as fractions of what is shown. Every epoch shows each photograph as another random
/// crop that holds the whole object, mirrored or not, in other light; `without_augmentation()` shows it whole.
class Photographs : public Dataset {
  public:
    static constexpr std::int64_t side = 64;
    /// The folder has the CSV file `list`, with columns filename, width, height, xmin, ymin, xmax, ymax (of each file
    /// the first row counts), and the files in images/. Throws `Error` for a file that cannot be read.
    Photographs(const std::string& folder, const std::string& list);
};

}  // namespace heddle::examples
