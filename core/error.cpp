#include "core/error.h"

namespace heddle {

Error::~Error() = default;

void fail(const std::string& message) { throw Error(message); }

}  // namespace heddle
