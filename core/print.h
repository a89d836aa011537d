#pragma once

#include <iosfwd>

#include "core/device.h"
#include "core/dtype.h"
#include "core/export.h"
#include "core/shape.h"
#include "core/tensor.h"

namespace heddle {

/// What `to_string` says, on a stream: `std::cout << x << '\n'`.
HEDDLE_API std::ostream& operator<<(std::ostream& out, const Tensor& tensor);
HEDDLE_API std::ostream& operator<<(std::ostream& out, const Shape& shape);
HEDDLE_API std::ostream& operator<<(std::ostream& out, DType dtype);
HEDDLE_API std::ostream& operator<<(std::ostream& out, Device device);

}  // namespace heddle
