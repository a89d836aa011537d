#pragma once

#include <string>

#include "core/dtype.h"
#include "kernels/simt/simt.h"
#include "kernels/table.h"

// The host's side of native kernels: dispatch over dtypes and launch shapes.
HEDDLE_KERNELS_BEGIN

/// What native kernels compute in.
inline Support floating(DType dtype) {
    if (dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16) return Support::yes();
    return Support::no("dtype " + std::string(to_string(dtype)) + " (only f32, f16 and bf16)");
}

/// The same, and the integers that are computed with.
inline Support floating_or_integer(DType dtype) {
    return dtype == DType::i32 || dtype == DType::i64 ? Support::yes() : floating(dtype);
}

/// Calls `body(T{})` with T = float, __half or __nv_bfloat16.
template <class Body>
void with_floating(DType dtype, const Body& body) {
    switch (dtype) {
        case DType::f16:
            return body(__half{});
        case DType::bf16:
            return body(__nv_bfloat16{});
        default:
            return body(float{});
    }
}

/// How many blocks of `block` threads cover `count` items, with grid-stride loops beyond `limit` blocks.
inline unsigned blocks_for(std::int64_t count, int block, std::int64_t limit = 132 * 16) {
    const std::int64_t needed = (count + block - 1) / block;
    return static_cast<unsigned>(needed < limit ? needed : limit);
}

HEDDLE_KERNELS_END
