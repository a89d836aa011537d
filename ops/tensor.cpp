// The parts of core/tensor.h that need kernels or the tape: filling, copies, casts, views.
#include "core/tensor.h"

#include "kernels/elementwise/elementwise.h"
#include "ops/autograd/grad_mode.h"
#include "ops/autograd/node.h"
#include "ops/detail/numbers.h"
#include "ops/detail/run.h"
#include "ops/detail/scope.h"

namespace heddle {
namespace {

using autograd::Gradients;

void require_defined(const Tensor& tensor, const char* operation) {
    ops::require(tensor.defined(), operation, "the tensor is undefined");
}

Tensor alias(const Tensor& tensor, const Shape& shape, std::size_t byte_offset) {
    return Tensor(make_intrusive<TensorImpl>(tensor.impl()->storage, byte_offset, shape, tensor.dtype()));
}

/// Waits until what has been queued so far has written the tensor.
void wait_for_writer(const Tensor& tensor) {
    const Tensor* read = &tensor;
    { const ops::Ordered behind_the_writer(tensor.device(), std::span(&read, 1), {}); }
    scheduler(tensor.device()).synchronize(current_stream(tensor.device()));
}

/// Copies the elements; same shape and dtype, any devices. Host memory is not pinned, so the host waits. It also does
/// for a copy between two devices, before and behind it, because their streams know nothing of each other.
void copy_elements(const Tensor& from, const Tensor& to) {
    if (to.bytes() == 0) return;
    const bool on_device = to.device().kind != DeviceKind::cpu, from_device = from.device().kind != DeviceKind::cpu;
    const bool between_devices = on_device && from_device && from.device() != to.device();
    if (between_devices && from.device().kind != to.device().kind)  // neither reaches the other's memory
        return copy_elements(from.detach().to(Device::cpu()), to);
    if (between_devices) wait_for_writer(from);
    const Device device = on_device ? to.device() : from.device();
    const CopyKind kind = !on_device    ? CopyKind::device_to_host
                          : from_device ? CopyKind::device_to_device
                                        : CopyKind::host_to_device;
    const Tensor *source = &from, *target = &to;
    std::optional<ops::Ordered> ordered;
    if (on_device || from_device) ordered.emplace(device, std::span(&source, 1), std::span(&target, 1));
    driver(device).copy(to.raw(), from.raw(), to.bytes(), kind, current_stream(device));
    if (kind != CopyKind::device_to_device || between_devices) driver(device).synchronize(current_stream(device));
}

}  // namespace

Tensor Tensor::full(const Shape& shape, double value, TensorOptions options) {
    Tensor tensor = empty(shape, options);
    tensor.fill_(value);
    return tensor;
}

Tensor Tensor::ones(const Shape& shape, TensorOptions options) { return full(shape, 1, options); }

Tensor Tensor::arange(std::int64_t count, TensorOptions options) {
    check(count >= 0, "Tensor::arange: expected a count, got {}", count);
    std::vector<std::int64_t> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i);
    return from(values, Shape{count}).to(options.dtype).to(options.device);
}

void Tensor::fill_(double value) const {
    require_defined(*this, "fill_");
    ops::require_number("fill_", value, dtype());
    ops::run(kernels::fill(), {.value = value, .y = ops::view(*this)}, {}, {this});
    impl_->storage->bump_version();
}

void Tensor::copy_(const Tensor& from) const {
    require_defined(*this, "copy_");
    check(from.defined() && from.shape() == shape(), "copy_: expected shape {}, got {}", shape(), from);
    const NoGrad no_grad;
    copy_elements(from.to(dtype()), *this);
    impl_->storage->bump_version();
}

Tensor Tensor::clone() const {
    require_defined(*this, "clone");
    Tensor copy = empty(shape(), options());
    copy_elements(*this, copy);
    if (autograd::wants_record({this}))
        autograd::record("clone", {this}, copy, [](Gradients& g) { g.dx(0) = std::move(g.dy()); });
    return copy;
}

Tensor Tensor::to(Device target) const {
    require_defined(*this, "to");
    if (device() == target) return *this;
    Tensor copy = empty(shape(), {dtype(), target});
    copy_elements(*this, copy);
    if (autograd::wants_record({this}))
        autograd::record("to", {this}, copy, [home = device()](Gradients& g) { g.dx(0) = g.dy().to(home); });
    return copy;
}

Tensor Tensor::to(DType target) const {
    require_defined(*this, "to");
    if (dtype() == target) return *this;
    Tensor converted = empty(shape(), {target, device()});
    ops::run(kernels::cast(), {.x = ops::view(*this), .y = ops::view(converted)}, {this}, {&converted});
    if (is_floating(target) && autograd::wants_record({this}))
        autograd::record("to", {this}, converted, [from = dtype()](Gradients& g) { g.dx(0) = g.dy().to(from); });
    return converted;
}

Tensor Tensor::reshape(const Shape& wanted) const {
    require_defined(*this, "reshape");
    Shape target = wanted;
    std::int64_t known = 1;
    bool fits = true, empty = false;
    int open = -1;
    for (int axis = 0; axis < wanted.rank(); ++axis) {
        if (wanted[axis] >= 0) {
            if (wanted[axis] == 0)
                empty = true;
            else if (__builtin_mul_overflow(known, wanted[axis], &known))
                fits = false;
            continue;
        }
        ops::require(open < 0, "reshape", "more than one -1 in {}", wanted);
        open = axis;
    }
    if (empty) known = 0;
    if (open >= 0 && known > 0) {
        target[open] = elements() / known;
        known *= target[open];
    }
    ops::require(fits && known == elements() && (open < 0 || target[open] >= 0), "reshape",
                 "{} does not fit the {} elements of {}", wanted, elements(), shape());
    Tensor view = alias(*this, target, impl_->byte_offset);
    if (autograd::wants_record({this}))
        autograd::record("reshape", {this}, view, [from = shape()](Gradients& g) {
            const Tensor& dy = g.dy();
            g.dx(0) = alias(dy, from, dy.impl()->byte_offset);
            g.dy() = Tensor();  // the alias is now the only handle, so that it may be overwritten
        });
    return view;
}

Tensor Tensor::slice(std::int64_t first, std::int64_t last) const {
    require_defined(*this, "slice");
    ops::require(rank() > 0, "slice", "a scalar has no rows");
    ops::require(0 <= first && first <= last && last <= shape()[0], "slice", "rows {} .. {} of {}", first, last,
                 shape());
    const std::size_t row_bytes = static_cast<std::size_t>(shape().elements(1, rank())) * size_of(dtype());
    Tensor view =
        alias(*this, shape().with(0, last - first), impl_->byte_offset + static_cast<std::size_t>(first) * row_bytes);
    if (autograd::wants_record({this}))
        autograd::record("slice", {this}, view, [from = shape(), first, last](Gradients& g) {
            Tensor dx = zeros(from, g.dy().options());
            copy_elements(g.dy(), dx.slice(first, last));
            g.dx(0) = std::move(dx);
        });
    return view;
}

Tensor Tensor::operator[](std::int64_t row) const {
    require_defined(*this, "index");
    ops::require(rank() > 0 && row >= -shape()[0] && row < shape()[0], "index", "row {} of {}", row, shape());
    if (row < 0) row += shape()[0];
    return slice(row, row + 1).reshape(shape().range(1, rank()));
}

}  // namespace heddle
