#include "core/tensor.h"

#include <cstring>
#include <span>

#include "core/check.h"

// The parts of Tensor that need no kernel. Arithmetic, views and autograd are in ops/.
namespace heddle {
namespace {

/// Calls `body(T{})` with the type that stores `dtype`.
template <class Body>
void with_type(DType dtype, const Body& body) {
    switch (dtype) {
        case DType::f32:
            return body(float{});
        case DType::f64:
            return body(double{});
        case DType::f16:
            return body(Half{});
        case DType::bf16:
            return body(BFloat16{});
        case DType::i32:
            return body(std::int32_t{});
        case DType::i64:
            return body(std::int64_t{});
        case DType::u8:
            return body(std::uint8_t{});
        case DType::boolean:
            return body(bool{});
    }
}

template <class To, class From>
To convert(From value) {
    if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>)
        return convert<To>(to_float(value));
    else if constexpr (std::is_same_v<To, Half>)
        return to_half(static_cast<float>(value));
    else if constexpr (std::is_same_v<To, BFloat16>)
        return to_bfloat16(static_cast<float>(value));
    else
        return static_cast<To>(value);
}

/// The bytes of a tensor. No product of its extents overflows, not even of some of them where another one is 0.
std::size_t bytes_of(const Shape& shape, DType dtype) {
    auto bytes = static_cast<std::int64_t>(size_of(dtype));
    bool fits = true;
    for (const std::int64_t extent : shape) {
        check(extent >= 0, "Tensor: shape {} has an open extent; only reshape understands -1", shape);
        if (extent > 0 && __builtin_mul_overflow(bytes, extent, &bytes)) fits = false;
    }
    check(fits, "Tensor: a tensor of shape {} would have more bytes than can be counted", shape);
    return shape.elements() == 0 ? 0 : static_cast<std::size_t>(bytes);
}

IntrusivePtr<TensorImpl> new_impl(const Shape& shape, DType dtype, Device device) {
    const std::size_t bytes = bytes_of(shape, dtype);
    return make_intrusive<TensorImpl>(make_intrusive<Storage>(bytes, device), std::size_t{0}, shape, dtype);
}

}  // namespace

TensorImpl::TensorImpl(IntrusivePtr<Storage> memory, std::size_t offset, const Shape& extents, DType type)
    : storage(std::move(memory)), byte_offset(offset), shape(extents), dtype(type) {}

Tensor Tensor::empty(const Shape& shape, TensorOptions options) {
    return Tensor(new_impl(shape, options.dtype, options.device));
}

Tensor Tensor::zeros(const Shape& shape, TensorOptions options) {
    Tensor tensor = empty(shape, options);
    const StreamId stream = current_stream(options.device);
    StreamHistory* const written = &tensor.impl()->storage->history();
    const StreamOperation operation(scheduler(options.device), stream, {}, std::span(&written, 1));
    driver(options.device).fill_zero(tensor.raw(), tensor.bytes(), stream);
    return tensor;
}

Tensor Tensor::from_blob(void* memory, const Shape& shape, TensorOptions options, std::function<void()> release) {
    const std::size_t bytes = bytes_of(shape, options.dtype);
    check(memory || bytes == 0, "Tensor::from_blob: no memory for {}", shape);
    return Tensor(make_intrusive<TensorImpl>(make_intrusive<Storage>(memory, bytes, options.device, std::move(release)),
                                             std::size_t{0}, shape, options.dtype));
}

Tensor Tensor::copy_from_host(const void* values, std::size_t count, const Shape& shape, DType dtype, Device device) {
    const std::size_t bytes = bytes_of(shape, dtype);  // before its elements are counted, which might overflow
    check(count * size_of(dtype) == bytes, "Tensor::from: {} values for shape {} ({} elements)", count,
          shape.to_string(), shape.elements());
    const Tensor host = empty(shape, {dtype});
    if (count > 0) std::memcpy(host.raw(), values, host.bytes());
    return host.to(device);
}

void Tensor::check_host_access(DType wanted) const {
    check(defined(), "Tensor::data: the tensor is undefined");
    check(dtype() == wanted, "Tensor::data: the tensor is {}, not {}; convert with to(DType::{})",
          heddle::to_string(dtype()), heddle::to_string(wanted), heddle::to_string(wanted));
    check(device().kind == DeviceKind::cpu, "Tensor::data: the tensor is on {}; copy it with to(Device::cpu()) first",
          device().to_string());
}

double Tensor::item() const {
    check(defined(), "Tensor::item: the tensor is undefined");
    check(elements() == 1, "Tensor::item: expected one element, got shape {}", shape().to_string());
    return to_vector<double>()[0];
}

template <class T>
std::vector<T> Tensor::to_vector() const {
    check(defined(), "Tensor::to_vector: the tensor is undefined");
    const Tensor host = detach().to(Device::cpu());
    std::vector<T> values(static_cast<std::size_t>(elements()));
    with_type(dtype(), [&](auto zero) {
        using From = decltype(zero);
        const From* from = static_cast<const From*>(host.raw());
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = convert<T>(from[i]);
    });
    return values;
}

template HEDDLE_API std::vector<float> Tensor::to_vector() const;
template HEDDLE_API std::vector<double> Tensor::to_vector() const;
template HEDDLE_API std::vector<std::int32_t> Tensor::to_vector() const;
template HEDDLE_API std::vector<std::int64_t> Tensor::to_vector() const;
template HEDDLE_API std::vector<std::uint8_t> Tensor::to_vector() const;

std::string Tensor::to_string() const {
    if (!defined()) return "Tensor undefined";
    std::string text =
        fmt::format("Tensor {} {} {}", heddle::to_string(dtype()), shape().to_string(), device().to_string());
    if (elements() <= 64) return text + fmt::format(" {{{:.6g}}}", fmt::join(to_vector<double>(), ", "));
    const Tensor flat = flatten();
    const std::vector<double> first = flat.slice(0, 3).to_vector<double>(),
                              last = flat.slice(elements() - 3, elements()).to_vector<double>();
    return text + fmt::format(" {{{:.6g}, ..., {:.6g}}}", fmt::join(first, ", "), fmt::join(last, ", "));
}

}  // namespace heddle
