#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/dtype.h"
#include "core/export.h"
#include "core/intrusive_ptr.h"
#include "core/shape.h"
#include "core/storage.h"

namespace heddle {

namespace autograd {
struct Meta;  // ops/autograd/node.h
}

struct TensorOptions {
    DType dtype = DType::f32;
    Device device = {};
};

/// What a tensor is: a shape and type over a part of a storage, and what autograd knows of it.
class HEDDLE_API TensorImpl final : public RefCounted {
  public:
    TensorImpl(IntrusivePtr<Storage> storage, std::size_t byte_offset, const Shape& shape, DType dtype);
    ~TensorImpl() override;

    IntrusivePtr<Storage> storage;
    std::size_t byte_offset = 0;
    Shape shape;
    DType dtype = DType::f32;
    autograd::Meta* autograd = nullptr;  ///< owned; null for a tensor that needs no gradient
};

/// A cheap handle to a dense, row-major array; copying it shares the elements. `reshape` and `slice` are views,
/// everything else makes a new tensor. A default-constructed tensor is *undefined*: only `defined()` may be asked of
/// it.
///
/// Images are NHWC, sequences [batch, time, features]. Arithmetic, reductions and `backward()` are defined in `ops/`.
class HEDDLE_API Tensor {
  public:
    Tensor() noexcept = default;
    explicit Tensor(IntrusivePtr<TensorImpl> impl) noexcept : impl_(std::move(impl)) {}

    /// Creation. `from` copies; `from_blob` wraps memory that the caller keeps alive until `release` is called.
    static Tensor empty(const Shape& shape, TensorOptions options = {});
    static Tensor zeros(const Shape& shape, TensorOptions options = {});
    static Tensor ones(const Shape& shape, TensorOptions options = {});
    static Tensor full(const Shape& shape, double value, TensorOptions options = {});
    /// 0, 1, ..., count - 1.
    static Tensor arange(std::int64_t count, TensorOptions options = {DType::i64});
    template <class T>
    static Tensor from(std::span<const T> values, const Shape& shape, Device device = {}) {
        return copy_from_host(values.data(), values.size(), shape, dtype_of<T>, device);
    }
    template <class T>
    static Tensor from(const std::vector<T>& values, const Shape& shape, Device device = {}) {
        return from(std::span<const T>(values), shape, device);
    }
    template <class T>
    static Tensor from(std::initializer_list<T> values, const Shape& shape, Device device = {}) {
        return from(std::span<const T>(values.begin(), values.size()), shape, device);
    }
    static Tensor scalar(double value, TensorOptions options = {}) { return full(Shape{}, value, options); }
    static Tensor from_blob(void* memory, const Shape& shape, TensorOptions options = {},
                            std::function<void()> release = {});

    bool defined() const noexcept { return static_cast<bool>(impl_); }
    const Shape& shape() const { return impl_->shape; }
    int rank() const { return impl_->shape.rank(); }
    std::int64_t size(int axis) const { return impl_->shape.at(axis); }
    std::int64_t elements() const { return impl_->shape.elements(); }
    DType dtype() const { return impl_->dtype; }
    Device device() const { return impl_->storage->device(); }
    std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype()); }
    TensorOptions options() const { return {dtype(), device()}; }

    /// The first element's address, on the tensor's device. The typed form checks the dtype and that the host can read
    /// it.
    void* raw() const { return static_cast<std::byte*>(impl_->storage->data()) + impl_->byte_offset; }
    template <class T>
    T* data() const {
        check_host_access(dtype_of<T>);
        return static_cast<T*>(raw());
    }
    /// The only element, converted; throws `Error` for more than one element.
    double item() const;
    /// A host copy, converted to T.
    template <class T>
    std::vector<T> to_vector() const;

    /// Views: the same elements. One extent of `reshape` may be -1. `slice` takes rows `first` .. `last` - 1 of the
    /// leading dimension; `select` one row, dropping the dimension.
    Tensor reshape(const Shape& shape) const;
    Tensor flatten() const { return reshape(Shape{elements()}); }
    Tensor slice(std::int64_t first, std::int64_t last) const;
    Tensor operator[](std::int64_t row) const;

    /// Copies where device or dtype differ, else the tensor itself. Differentiable.
    Tensor to(Device device) const;
    Tensor to(DType dtype) const;
    Tensor clone() const;
    /// Overwrites the elements (same shape; dtype and device are converted). Not differentiable.
    void copy_(const Tensor& from) const;
    void fill_(double value) const;

    /// Autograd.
    bool requires_grad() const;
    /// Marks a leaf (a tensor made by no recorded operation) as one whose gradient is wanted. Floating types only.
    Tensor& set_requires_grad(bool wanted = true);
    /// The accumulated gradient; undefined where there is none.
    Tensor grad() const;
    void set_grad(const Tensor& gradient) const;
    void zero_grad() const;  ///< drops the gradient
    /// Adds the gradient of this tensor (a scalar, or with `gradient` of the same shape given) to `grad()` of every
    /// leaf it came from. The graph is freed on the way unless `retain_graph`.
    void backward(const Tensor& gradient = Tensor(), bool retain_graph = false) const;
    /// The same elements, unknown to autograd.
    Tensor detach() const;
    std::uint32_t version() const { return impl_->storage->version(); }

    /// Arithmetic with numpy's broadcasting; dtypes are promoted.
    Tensor operator-() const;
    Tensor sum() const;
    Tensor sum(int axis, bool keep_dims = false) const;
    Tensor mean() const;
    Tensor mean(int axis, bool keep_dims = false) const;
    Tensor max(int axis, bool keep_dims = false) const;
    Tensor argmax(int axis = -1) const;
    Tensor transpose() const;  ///< swaps the last two dimensions (a copy)

    /// "Tensor f32 [2, 3] cpu" and the elements; beyond 64 elements, the first and last three.
    std::string to_string() const;

    TensorImpl* impl() const noexcept { return impl_.get(); }
    const IntrusivePtr<TensorImpl>& handle() const noexcept { return impl_; }
    bool is_same(const Tensor& other) const noexcept { return impl_ == other.impl_; }

  private:
    static Tensor copy_from_host(const void* values, std::size_t count, const Shape& shape, DType dtype, Device device);
    void check_host_access(DType dtype) const;

    IntrusivePtr<TensorImpl> impl_;
};

HEDDLE_API Tensor operator+(const Tensor& a, const Tensor& b);
HEDDLE_API Tensor operator-(const Tensor& a, const Tensor& b);
HEDDLE_API Tensor operator*(const Tensor& a, const Tensor& b);
HEDDLE_API Tensor operator/(const Tensor& a, const Tensor& b);
HEDDLE_API Tensor operator+(const Tensor& a, double b);
HEDDLE_API Tensor operator-(const Tensor& a, double b);
HEDDLE_API Tensor operator*(const Tensor& a, double b);
HEDDLE_API Tensor operator/(const Tensor& a, double b);
HEDDLE_API Tensor operator+(double a, const Tensor& b);
HEDDLE_API Tensor operator-(double a, const Tensor& b);
HEDDLE_API Tensor operator*(double a, const Tensor& b);
HEDDLE_API Tensor operator/(double a, const Tensor& b);

}  // namespace heddle
