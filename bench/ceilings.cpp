#include <cstring>

#include "bench/run.h"
#include "core/allocator.h"
#include "core/check.h"
#include "core/parallel.h"
#include "kernels/matmul/matmul.h"
#include "kernels/random/random.h"

// What bounds every kernel: how fast memory moves, and how fast the machine multiplies.
namespace heddle::bench {
namespace {

constexpr double seconds = 0.5;

/// Device memory that is given back.
class Block {
  public:
    Block(Device device, std::size_t bytes)
        : device_(device), memory(allocator(device).allocate(bytes, 0, "ceiling")) {}
    ~Block() { allocator(device_).free(memory); }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

  private:
    Device device_;

  public:
    void* const memory;
};

/// Many short samples, of which the fastest counts: on a busy machine a long one would be disturbed.
double fastest(Device device, std::size_t copies, const Sampler::Run& run) {
    Sampler sampler(device, copies, run);
    sampler.warm_up(seconds / 3);
    sampler.round(seconds);
    return sampler.timing().fastest;
}

/// Bytes read and bytes written a second by copies that no cache holds.
double copy_rate(Device device) {
    const std::size_t bytes = std::max<std::size_t>(2 * cold_bytes(device), std::size_t{128} << 20);
    const std::size_t parts = device.kind == DeviceKind::cpu ? 16 : 1, part = bytes / parts;
    const Block from(device, bytes), to(device, bytes);
    Sampler::Run copy;
    if (device.kind == DeviceKind::cpu) {
        std::memset(from.memory, 1, bytes);
        std::memset(to.memory, 2, bytes);
        copy = [&](std::size_t index, StreamId) {
            const auto at = [&](const Block& block, std::int64_t byte) {
                return static_cast<char*>(block.memory) + index * part + static_cast<std::size_t>(byte);
            };
            parallel_for(static_cast<std::int64_t>(part), 1 << 20, [&](std::int64_t first, std::int64_t last) {
                std::memcpy(at(to, first), at(from, first), static_cast<std::size_t>(last - first));
            });
        };
    } else {
        driver(device).fill_zero(from.memory, bytes, 0);
        copy = [&](std::size_t, StreamId stream) {
            driver(device).copy(to.memory, from.memory, bytes, CopyKind::device_to_device, stream);
        };
    }
    return 2 * static_cast<double>(part) / fastest(device, parts, copy);
}

/// Zeros would flatter a GPU: it needs less power for them, and clocks higher.
void fill_randomly(const View& matrix, Device device) {
    const kernels::RandomNormal normal{.state = {.seed = 1}, .y = matrix};
    run_implementation(kernels::random_normal().choose(normal, device), normal, device, 0);
}

/// The rate of the fastest implementation of a product of square matrices; 0 if none takes the type. Implementations
/// that dispatch never chooses by itself, because they are unproven, do not count.
double product_rate(Device device, DType dtype, std::int64_t size) {
    const std::size_t bytes = static_cast<std::size_t>(size * size) * size_of(dtype);
    const Block a(device, bytes), b(device, bytes), c(device, bytes);
    const Shape shape{size, size};
    for (const Block* block : {&a, &b}) {
        if (device.kind == DeviceKind::cpu)
            std::memset(block->memory, 0x3C, bytes);  // about 0.01 in every type
        else
            fill_randomly(View(block->memory, shape, dtype), device);
    }
    const kernels::Matmul product{
        .a = View(a.memory, shape, dtype), .b = View(b.memory, shape, dtype), .c = View(c.memory, shape, dtype)};
    double best = 0;
    for (const auto& implementation : kernels::matmul().implementations(device.kind)) {
        if (implementation.priority < priority::plain || !implementation.supports(product)) continue;
        const double each = fastest(device, 1, [&](std::size_t, StreamId stream) {
            run_implementation(implementation, product, device, stream);
        });
        best = std::max(best, 2.0 * static_cast<double>(size * size * size) / each);
    }
    return best;
}

}  // namespace

void CeilingMeter::measure(DType dtype) {
    if (!Sampler::can_measure(device_)) return;
    if (ceilings_.bytes_per_second == 0) ceilings_.bytes_per_second = copy_rate(device_);
    if (!ceilings_.flops_per_second.contains(dtype)) {
        double rate = 0;
        const bool cpu = device_.kind == DeviceKind::cpu;
        for (const std::int64_t size : cpu ? std::vector<std::int64_t>{512, 1024} : std::vector<std::int64_t>{8192})
            rate = std::max(rate, product_rate(device_, dtype, size));
        if (rate > 0) ceilings_.flops_per_second[dtype] = rate;
    }
}

}  // namespace heddle::bench
