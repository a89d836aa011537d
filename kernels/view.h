#pragma once

#include <type_traits>

#include "core/dtype.h"
#include "core/shape.h"

namespace heddle {

/// What a kernel sees of a tensor: address, shape, type. It owns nothing and knows nothing of autograd. A default View
/// is absent (an optional operand that was not given).
struct View {
    void* data = nullptr;
    Shape shape = {};
    DType dtype = DType::f32;
    bool present = false;

    View() = default;
    View(void* memory, const Shape& extents, DType type) : data(memory), shape(extents), dtype(type), present(true) {}

    explicit operator bool() const { return present; }
    std::int64_t elements() const { return shape.elements(); }
    template <class T>
    T* as() const {
        return static_cast<T*>(data);
    }
};

}  // namespace heddle
