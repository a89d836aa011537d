#include <array>
#include <cstring>

#include "core/export.h"
#include "kernels/simt/half_bits.h"
#include "kernels/simt/runtime.h"

namespace heddle::simt {
namespace {

/// What a lane brings to mma.m16n8k16, and what it takes away (matrix.h has the layout).
struct Fragments {
    float d[4];
    std::uint32_t a[4], b[2];
};
static_assert(sizeof(Fragments) <= operand_bytes);

template <float (*convert)(std::uint32_t)>
void multiply_add(Operands& operands) {
    float a[16][16], b[16][8], d[16][8];
    for (unsigned lane = 0; lane < 32; ++lane) {
        Fragments fragment;
        std::memcpy(&fragment, operands.lane[lane], sizeof(fragment));
        const unsigned g = lane / 4, t = lane % 4;
        for (unsigned half = 0; half < 2; ++half) {
            const auto element = [half](std::uint32_t two) { return convert(two >> 16 * half & 0xffffu); };
            for (unsigned i = 0; i < 4; ++i) a[g + i % 2 * 8][2 * t + i / 2 * 8 + half] = element(fragment.a[i]);
            for (unsigned i = 0; i < 2; ++i) {
                b[2 * t + i * 8 + half][g] = element(fragment.b[i]);
                d[g + i * 8][2 * t + half] = fragment.d[2 * i + half];
            }
        }
    }
    for (unsigned i = 0; i < 16; ++i)
        for (unsigned k = 0; k < 16; ++k)
            for (unsigned j = 0; j < 8; ++j) d[i][j] += a[i][k] * b[k][j];
    for (unsigned lane = 0; lane < 32; ++lane) {
        const unsigned g = lane / 4, t = lane % 4;
        const std::array<float, 4> result = {d[g][2 * t], d[g][2 * t + 1], d[g + 8][2 * t], d[g + 8][2 * t + 1]};
        std::memcpy(operands.lane[lane], result.data(), sizeof(result));
    }
}

}  // namespace

HEDDLE_API void matrix_multiply_add(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], bool half,
                                    Location at) {
    Fragments fragments{{d[0], d[1], d[2], d[3]}, {a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    const Operands& result = warp_exchange(0xffffffffu, &fragments, sizeof(fragments), "mma", at,
                                           half ? &multiply_add<from_f16> : &multiply_add<from_bf16>);
    std::memcpy(d, result.lane[lane_index()], sizeof(d));
}

}  // namespace heddle::simt
