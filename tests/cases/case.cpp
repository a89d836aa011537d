#include "tests/cases/case.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "core/allocator.h"
#include "core/check.h"
#include "core/parallel.h"
#include "tests/cases/values.h"

namespace heddle::cases {
namespace {

constexpr std::size_t guard_bytes = 64;
constexpr unsigned char guard_pattern = 0xA5, output_pattern = 0xFF;  // all ones: NaN as a float

double epsilon(DType dtype) {
    switch (dtype) {
        case DType::f16:
            return 0x1p-11;
        case DType::bf16:
            return 0x1p-8;
        case DType::f64:
            return 0x1p-53;
        default:
            return 0x1p-24;
    }
}

/// How many rounded additions lead to an element. 16-bit types accumulate in f32, whose error is below theirs for sums
/// of up to 2^16 terms, so they are rounded only once, at the end.
std::int64_t sums(DType dtype, std::int64_t reduction) { return size_of(dtype) == 2 ? 1 : reduction; }

enum class Role { input, output, inout, scratch };

/// Host memory from the allocator of tensors (core/allocator.h): aligned, and on huge pages where it is large, so that
/// a kernel is timed on memory like that of a training step.
template <class T>
struct TensorMemory {
    using value_type = T;
    T* allocate(std::size_t count) {
        return static_cast<T*>(allocator(Device::cpu()).allocate(count * sizeof(T), 0, "case"));
    }
    void deallocate(T* memory, std::size_t) { allocator(Device::cpu()).free(memory); }
    bool operator==(const TensorMemory&) const = default;
};
using Bytes = std::vector<std::byte, TensorMemory<std::byte>>;

struct Operand {
    Role role = Role::input;
    Shape shape = {};
    DType dtype = DType::f32;
    DType exact_to = DType::f32;  // the dtype whose precision an output is held to
    Bytes host = {};              // guard, elements, guard
    std::byte* device = nullptr;  // the same on the device (host.data() on the CPU)
    Bytes before = {};
    bool partial = false;  // of a reference: only the elements at `only` were computed
    std::vector<std::int64_t> only = {};

    std::size_t bytes() const { return static_cast<std::size_t>(shape.elements()) * size_of(dtype); }
    std::byte* elements() { return host.data() + guard_bytes; }
    /// Whether nothing was written beside the elements.
    bool guarded() const {
        for (std::size_t i = 0; i < guard_bytes; ++i)
            if (host[i] != std::byte{guard_pattern} || host[host.size() - 1 - i] != std::byte{guard_pattern})
                return false;
        return true;
    }
};

/// Copies the origin's values. They were rounded to the origin's dtype, so that an f64 operand holds the same numbers.
void take_values(Operand& operand, Operand& origin) {
    if (operand.role != Role::input && operand.role != Role::inout) return;
    if (operand.dtype == origin.dtype) {
        std::memcpy(operand.elements(), origin.elements(), operand.bytes());
        return;
    }
    parallel_for(operand.shape.elements(), 1 << 14, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i)
            store(operand.elements(), i, operand.dtype, load(origin.elements(), i, origin.dtype));
    });
}

/// A device of this kind, or the CPU where the machine has none.
Device device_or_cpu(DeviceKind kind) {
    if (kind == DeviceKind::cpu) return Device::cpu();  // without opening the plug-in of any device
    static const std::vector<DeviceStatus>& all = *new std::vector<DeviceStatus>(device_status());
    for (const DeviceStatus& status : all)
        if (status.kind == kind && status.count > 0) return {kind};
    return Device::cpu();
}

}  // namespace

struct Problem::State {
    DType dtype, rounded_to;
    Device device;
    bool with_memory = true;
    const State* origin = nullptr;
    std::vector<std::unique_ptr<Operand>> operands = {};
    std::int64_t reduction = 1;
    double multiplier = 1, flops = 0, bytes = -1;

    View add(Role role, const Shape& shape, DType type, const std::function<double(std::int64_t)>& value) {
        if (!with_memory) {
            Operand& operand = *operands.emplace_back(std::make_unique<Operand>());
            if (device.kind == DeviceKind::cpu)
                return {reinterpret_cast<void*>(operands.size() << 40), shape, type};  // far from each other
            operand.device = static_cast<std::byte*>(
                allocator(device).allocate(static_cast<std::size_t>(shape.elements()) * size_of(type), 0, "case"));
            return {operand.device, shape, type};
        }
        auto operand = std::make_unique<Operand>();
        operand->role = role;
        operand->shape = shape;
        operand->dtype = operand->exact_to = type;
        operand->host.assign(operand->bytes() + 2 * guard_bytes, std::byte{guard_pattern});
        std::memset(operand->elements(), output_pattern, operand->bytes());
        if (origin)
            take_values(*operand, *origin->operands[operands.size()]);
        else if (value)
            parallel_for(shape.elements(), 1 << 14, [&](std::int64_t first, std::int64_t last) {
                for (std::int64_t i = first; i < last; ++i) store(operand->elements(), i, type, value(i));
            });
        operand->device = device.kind == DeviceKind::cpu
                              ? operand->host.data()
                              : static_cast<std::byte*>(allocator(device).allocate(operand->host.size(), 0, "case"));
        const View view(operand->device + guard_bytes, shape, type);
        operands.push_back(std::move(operand));
        return view;
    }
};

Problem::Problem(DType dtype, DType rounded_to, Device device)
    : state_(std::make_unique<State>(State{dtype, rounded_to, device})) {}

Problem::Problem(DType dtype, DeviceKind kind)
    : state_(std::make_unique<State>(State{dtype, dtype, device_or_cpu(kind), false})) {}

Problem::Problem(DType dtype, const Problem& origin, Device device)
    : state_(std::make_unique<State>(State{dtype, origin.state_->rounded_to, device})) {
    state_->origin = origin.state_.get();
}

Problem::~Problem() {
    if (state_->device.kind != DeviceKind::cpu)
        for (auto& operand : state_->operands) allocator(state_->device).free(operand->device);
}

DType Problem::dtype() const { return state_->dtype; }
DType Problem::wide() const { return size_of(state_->dtype) == 2 ? DType::f32 : state_->dtype; }

View Problem::input(const Shape& shape, Fill fill) { return input(shape, fill, state_->dtype); }

View Problem::input(const Shape& shape, Fill fill, DType dtype) {
    const std::uint64_t operand = state_->operands.size();
    return state_->add(Role::input, shape, dtype, [=, this](std::int64_t i) {
        return round_to(draw(fill, operand, static_cast<std::uint64_t>(i)), state_->rounded_to);
    });
}

View Problem::values(const Shape& shape, const std::vector<double>& values) {
    return this->values(shape, values, state_->dtype);
}

View Problem::values(const Shape& shape, const std::vector<double>& values, DType dtype) {
    return state_->add(Role::input, shape, dtype, [&](std::int64_t i) {
        const double value = values[static_cast<std::size_t>(i) % values.size()];
        return is_floating(dtype) ? round_to(value, state_->rounded_to) : value;
    });
}

View Problem::integers(const Shape& shape, std::int64_t low, std::int64_t high, DType dtype) {
    const std::uint64_t operand = state_->operands.size();
    return state_->add(Role::input, shape, dtype, [=](std::int64_t i) {
        return static_cast<double>(draw_integer(low, high, operand, static_cast<std::uint64_t>(i)));
    });
}

View Problem::output(const Shape& shape) { return state_->add(Role::output, shape, state_->dtype, nullptr); }
View Problem::output(const Shape& shape, DType dtype) { return state_->add(Role::output, shape, dtype, nullptr); }

View Problem::wide_output(const Shape& shape) {
    const View view = output(shape, wide());
    state_->operands.back()->exact_to = dtype();
    return view;
}

View Problem::inout(const Shape& shape, Fill fill) { return inout(shape, fill, state_->dtype); }

View Problem::inout(const Shape& shape, Fill fill, DType dtype) {
    const std::uint64_t operand = state_->operands.size();
    return state_->add(Role::inout, shape, dtype, [=, this](std::int64_t i) {
        return round_to(draw(fill, operand, static_cast<std::uint64_t>(i)), state_->rounded_to);
    });
}

View Problem::scratch(const Shape& shape, DType dtype) { return state_->add(Role::scratch, shape, dtype, nullptr); }

void Problem::reduction(std::int64_t length) { state_->reduction = std::max<std::int64_t>(length, 1); }
void Problem::tolerance(double multiplier) { state_->multiplier = multiplier; }
void Problem::flops(double count) { state_->flops = count; }
void Problem::bytes(double count) { state_->bytes = count; }

void Problem::only(const View& output, std::vector<std::int64_t> indices) {
    for (auto& operand : state_->operands)
        if (operand->host.data() + guard_bytes == output.data) {
            operand->partial = true;
            operand->only = std::move(indices);
            return;
        }
    fail("a sampled output is none of the case's operands");
}

std::size_t Runner::memory(const Problem& problem) {
    std::size_t total = 0;
    for (const auto& operand : problem.state_->operands) total += operand->bytes();
    return total;
}

double Runner::flops(const Problem& problem) { return problem.state_->flops; }

double Runner::bytes(const Problem& problem) {
    if (problem.state_->bytes >= 0) return problem.state_->bytes;
    double total = 0;
    for (const auto& operand : problem.state_->operands)
        if (operand->role != Role::scratch)
            total += static_cast<double>(operand->bytes()) * (operand->role == Role::inout ? 2 : 1);
    return total;
}

void Runner::spoil_workspace(Device device, std::size_t bytes) {
    if (device.kind != DeviceKind::cpu || bytes == 0) return;
    void* const memory = allocate_workspace(device, 0, bytes);
    std::memset(memory, 0xff, bytes);
    free_workspace(device, memory);
}

void Runner::finish(const Problem& problem) {
    const Device device = problem.state_->device;
    if (device.kind != DeviceKind::cpu) driver(device).synchronize(0);
}

void Runner::upload(Problem& problem) {
    const Device device = problem.state_->device;
    for (auto& operand : problem.state_->operands) {
        operand->before = operand->host;
        if (device.kind != DeviceKind::cpu)
            driver(device).copy(operand->device, operand->host.data(), operand->host.size(), CopyKind::host_to_device,
                                0);
    }
    if (device.kind != DeviceKind::cpu) driver(device).synchronize(0);
}

Outcome Runner::compare(Problem& got, Problem& want) {
    Outcome outcome;
    const auto failed = [&](const std::string& message) {
        if (outcome.status != Outcome::Status::failed) outcome.message = message;
        outcome.status = Outcome::Status::failed;
    };
    const Device device = got.state_->device;
    double difference_squared = 0, want_squared = 0;
    for (std::size_t k = 0; k < got.state_->operands.size(); ++k) {
        Operand& mine = *got.state_->operands[k];
        Operand& reference = *want.state_->operands[k];
        if (device.kind != DeviceKind::cpu) {
            driver(device).copy(mine.host.data(), mine.device, mine.host.size(), CopyKind::device_to_host, 0);
            driver(device).synchronize(0);
        }
        if (!mine.guarded()) failed(fmt::format("operand {} ({}): written out of bounds", k, mine.shape.to_string()));
        if (mine.role == Role::input && mine.host != mine.before)
            failed(fmt::format("operand {}: an input was written", k));
        if (mine.role != Role::output && mine.role != Role::inout) continue;

        double squares = 0;
        const std::int64_t count =
            reference.partial ? static_cast<std::int64_t>(reference.only.size()) : mine.shape.elements();
        const auto place = [&](std::int64_t j) {
            return reference.partial ? reference.only[static_cast<std::size_t>(j)] : j;
        };
        for (std::int64_t j = 0; j < count; ++j) {
            const double value = load(reference.elements(), place(j), reference.dtype);
            if (std::isfinite(value)) squares += value * value;
        }
        const double rms = count > 0 ? std::sqrt(squares / static_cast<double>(count)) : 0;
        const bool exact = !is_floating(mine.dtype);
        // The largest of n errors that are about normal grows as sqrt(2 log n): beyond 10,000 elements that counts.
        const double many =
            std::sqrt(std::max(1.0, std::log(static_cast<double>(std::max<std::int64_t>(count, 1))) / std::log(1e4)));
        const auto length = static_cast<double>(sums(mine.exact_to, got.state_->reduction));
        const double tolerance =
            exact ? 0 : epsilon(mine.exact_to) * got.state_->multiplier * (4 + 2 * std::sqrt(length)) * many;
        // Kernels flush denormals: a difference below the smallest normal float is none.
        const double floor = 0x1p-126;
        for (std::int64_t j = 0; j < count; ++j) {
            const std::int64_t i = place(j);
            const double value = load(mine.elements(), i, mine.dtype);
            const double wanted = load(reference.elements(), i, reference.dtype);
            if (std::isnan(wanted) && std::isnan(value)) continue;
            if (value == wanted) {
                if (std::isfinite(wanted)) want_squared += wanted * wanted;
                continue;
            }
            const double rounded = exact ? wanted : round_to(wanted, mine.dtype);
            if (std::isinf(rounded) && value == rounded) continue;  // beyond the range of the dtype
            const double error = std::abs(value - wanted);
            const double scale = std::max(std::abs(wanted), rms);
            if (!(error <= tolerance * scale + (exact ? 0 : floor)))
                failed(fmt::format("operand {} {}, element {}: got {:.9g}, want {:.9g} (tolerance {:.2g} of {:.3g})", k,
                                   mine.shape.to_string(), i, value, wanted, tolerance, scale));
            if (std::isfinite(error)) {
                difference_squared += error * error;
                want_squared += wanted * wanted;
                if (scale > 0) outcome.worst_error = std::max(outcome.worst_error, error / scale);
            }
        }
    }
    outcome.relative_error = want_squared > 0 ? std::sqrt(difference_squared / want_squared) : 0;
    return outcome;
}

double Runner::measure(const std::function<void()>& run, double seconds) {
    using Clock = std::chrono::steady_clock;
    run();
    run();
    std::vector<double> samples;
    const auto start = Clock::now();
    while (samples.size() < 5 ||
           (std::chrono::duration<double>(Clock::now() - start).count() < seconds && samples.size() < 100000)) {
        const auto before = Clock::now();
        run();
        samples.push_back(std::chrono::duration<double>(Clock::now() - before).count());
    }
    std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2), samples.end());
    return samples[samples.size() / 2];
}

}  // namespace heddle::cases
