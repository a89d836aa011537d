#pragma once

#include <string>

#include "core/check.h"
#include "core/export.h"

namespace heddle::ops {

/// The layer that runs on this thread; scopes nest. Errors name the path of the innermost.
class HEDDLE_API LayerScope {
  public:
    LayerScope(const char* class_name, const std::string& name);
    ~LayerScope();
    LayerScope(const LayerScope&) = delete;
    LayerScope& operator=(const LayerScope&) = delete;

    /// The subject of an error message: `Conv2D "stage2/block0/conv1"` inside a layer, else the operation's name.
    static std::string who(const char* operation);

  private:
    const char* class_name_;
    const std::string& name_;
    const LayerScope* outer_;
};

/// Like `check`; the message is led by the layer or the operation.
template <class... Args>
inline void require(bool ok, const char* operation, fmt::format_string<Args...> format, Args&&... args) {
    if (!ok) [[unlikely]]
        fail(LayerScope::who(operation) + ": " + fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace heddle::ops
