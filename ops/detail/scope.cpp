#include "ops/detail/scope.h"

namespace heddle::ops {
namespace {

thread_local const LayerScope* innermost = nullptr;

}  // namespace

LayerScope::LayerScope(const char* class_name, const std::string& name)
    : class_name_(class_name), name_(name), outer_(innermost) {
    innermost = this;
}

LayerScope::~LayerScope() { innermost = outer_; }

std::string LayerScope::who(const char* operation) {
    if (!innermost) return operation;
    std::string path;
    for (const LayerScope* scope = innermost; scope; scope = scope->outer_)
        if (!scope->name_.empty()) path = scope->name_ + (path.empty() ? "" : "/" + path);
    return path.empty() ? std::string(innermost->class_name_) : fmt::format("{} \"{}\"", innermost->class_name_, path);
}

}  // namespace heddle::ops
