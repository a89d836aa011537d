#include "tests/cases/values.h"

#include <cmath>
#include <limits>

#include "core/random.h"

namespace heddle::cases {
namespace {

constexpr std::uint64_t seed = 20261121;

}  // namespace

double round_to(double value, DType dtype) {
    switch (dtype) {
        case DType::f32:
            return static_cast<float>(value);
        case DType::f16:
            return to_float(to_half(static_cast<float>(value)));
        case DType::bf16:
            return to_float(to_bfloat16(static_cast<float>(value)));
        default:
            return value;
    }
}

void store(void* memory, std::int64_t index, DType dtype, double value) {
    switch (dtype) {
        case DType::f32:
            static_cast<float*>(memory)[index] = static_cast<float>(value);
            break;
        case DType::f64:
            static_cast<double*>(memory)[index] = value;
            break;
        case DType::f16:
            static_cast<Half*>(memory)[index] = to_half(static_cast<float>(value));
            break;
        case DType::bf16:
            static_cast<BFloat16*>(memory)[index] = to_bfloat16(static_cast<float>(value));
            break;
        case DType::i32:
            static_cast<std::int32_t*>(memory)[index] = static_cast<std::int32_t>(value);
            break;
        case DType::i64:
            static_cast<std::int64_t*>(memory)[index] = static_cast<std::int64_t>(value);
            break;
        case DType::u8:
        case DType::boolean:
            static_cast<std::uint8_t*>(memory)[index] = static_cast<std::uint8_t>(value);
            break;
    }
}

double load(const void* memory, std::int64_t index, DType dtype) {
    switch (dtype) {
        case DType::f32:
            return static_cast<const float*>(memory)[index];
        case DType::f64:
            return static_cast<const double*>(memory)[index];
        case DType::f16:
            return to_float(static_cast<const Half*>(memory)[index]);
        case DType::bf16:
            return to_float(static_cast<const BFloat16*>(memory)[index]);
        case DType::i32:
            return static_cast<const std::int32_t*>(memory)[index];
        case DType::i64:
            return static_cast<double>(static_cast<const std::int64_t*>(memory)[index]);
        case DType::u8:
        case DType::boolean:
            return static_cast<const std::uint8_t*>(memory)[index];
    }
    return 0;
}

double draw(Fill fill, std::uint64_t operand, std::uint64_t index) {
    const Philox::Block b = Philox::block(seed, operand, index);
    const double u1 = (b.word[0] + 0.5) * 0x1p-32, u2 = b.word[1] * 0x1p-32;
    const double normal = std::sqrt(-2 * std::log(u1)) * std::cos(2 * M_PI * u2);
    switch (fill) {
        case Fill::normal:
            return normal;
        case Fill::uniform:
            return u2;
        case Fill::positive:
            return 0.5 + 1.5 * u2;
        case Fill::large:
            return normal * 1e18;
        case Fill::tiny:
            return normal * 1e-18;
        case Fill::denormal:
            return normal * 1e-39;
        case Fill::outliers:
            return b.word[2] % 97 == 0 ? normal * 1000 : normal;
        case Fill::zeros:
            return 0;
        case Fill::ones:
            return 1;
        case Fill::infinities:
            return b.word[2] % 13 != 0 ? normal : (b.word[3] & 1 ? 1 : -1) * std::numeric_limits<double>::infinity();
    }
    return 0;
}

std::int64_t draw_integer(std::int64_t low, std::int64_t high, std::uint64_t operand, std::uint64_t index) {
    const Philox::Block b = Philox::block(seed, operand, index);
    return low + static_cast<std::int64_t>(b.word[0] % static_cast<std::uint64_t>(high - low));
}

}  // namespace heddle::cases
