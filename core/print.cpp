#include "core/print.h"

#include <ostream>

namespace heddle {

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << tensor.to_string(); }
std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.to_string(); }
std::ostream& operator<<(std::ostream& out, DType dtype) { return out << to_string(dtype); }
std::ostream& operator<<(std::ostream& out, Device device) { return out << device.to_string(); }

}  // namespace heddle
