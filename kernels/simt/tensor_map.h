#pragma once

#include <string>

#include "core/error.h"
#include "kernels/simt/mbarrier.h"
#if defined(__CUDACC__)
#include <cuda.h>
#include <cudaTypedefs.h>
#endif

// Copies of boxes of a matrix from global to shared memory by the copy engine (TMA, cp.async.bulk.tensor), which one
// thread starts (see mbarrier.h for where this exists).
//
// In shared memory a box of 64 columns of 16 bits is `box_rows` rows of 128 bytes, one behind another, in the 128-byte
// swizzle: piece p of 16 bytes of row r lies in place p ^ (r % 8) of its row. wgmma reads that without bank conflicts.
HEDDLE_KERNELS_BEGIN

/// Matrices of 16-bit elements in global memory: `items` of them, row-major.
struct MatrixBoxes {
    const void* data;
    std::int64_t columns, rows, items;
    std::int64_t row_step, item_step;  ///< elements from one row, or matrix, to the next
    int box_rows;                      ///< of 64 columns each
};

inline constexpr int box_columns = 64;
__host__ __device__ constexpr int box_bytes(int rows) { return rows * box_columns * 2; }

/// A kernel's parameter (`const __grid_constant__ TensorMap`).
struct TensorMap {
#if defined(__CUDACC__)
    CUtensorMap map;
#else
    ::heddle::simt::BoxMap map;
#endif
};

/// What the copy engine cannot do with such matrices; empty where it can.
inline std::string why_no_tensor_map(const MatrixBoxes& m) {
    constexpr std::int64_t most = std::int64_t{1} << 32, longest = std::int64_t{1} << 39;
    if (m.columns < 1 || m.rows < 1 || m.items < 1) return "an extent of 0";
    if (m.columns > most || m.rows > most || m.items > most) return "an extent beyond 2^32";
    if (m.row_step % 8 != 0 || m.item_step % 8 != 0) return "rows that begin at no multiple of 16 bytes";
    if (m.row_step >= longest || m.item_step >= longest) return "a step of 2^40 bytes or more";
    if (!is_aligned(m.data)) return "memory that is not aligned to 16 bytes";
    if (m.box_rows < 1 || m.box_rows > 256) return "boxes of more than 256 rows";
    return {};
}

/// Throws `Error` that names the operation.
[[noreturn]] inline void fail_tensor_map(const KernelContext& context, const std::string& why) {
    fail(std::string(context.operation) + ": a tensor map: " + why);
}

/// Throws `Error` that names the operation where the copy engine cannot do it.
template <class T>
TensorMap tensor_map(const MatrixBoxes& m, const KernelContext& context) {
    static_assert(sizeof(T) == 2);
    const std::string why = why_no_tensor_map(m);
    if (!why.empty()) fail_tensor_map(context, why);
    TensorMap result{};
#if defined(__CUDACC__)
    // From the driver that is there: nothing is linked for it.
    static const auto encode = [] {
        void* function = nullptr;
        cudaDriverEntryPointQueryResult found{};
        const cudaError_t error =
            cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found);
        const bool there = error == cudaSuccess && found == cudaDriverEntryPointSuccess;
        return there ? reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(function) : nullptr;
    }();
    if (!encode) fail_tensor_map(context, "this driver has no cuTensorMapEncodeTiled (CUDA 12.0 or newer is needed)");
    const cuuint64_t extents[3] = {static_cast<cuuint64_t>(m.columns), static_cast<cuuint64_t>(m.rows),
                                   static_cast<cuuint64_t>(m.items)};
    const cuuint64_t steps[2] = {static_cast<cuuint64_t>(m.row_step) * 2, static_cast<cuuint64_t>(m.item_step) * 2};
    const cuuint32_t box[3] = {box_columns, static_cast<cuuint32_t>(m.box_rows), 1}, neighbours[3] = {1, 1, 1};
    const CUresult status = encode(
        &result.map, std::is_same_v<T, __half> ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3,
        const_cast<void*>(m.data), extents, steps, box, neighbours, CU_TENSOR_MAP_INTERLEAVE_NONE,
        CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (status != CUDA_SUCCESS)
        fail_tensor_map(context, "cuTensorMapEncodeTiled: error " + std::to_string(static_cast<int>(status)));
#else
    result.map = {.data = static_cast<const char*>(m.data),
                  .columns = static_cast<std::uint64_t>(m.columns),
                  .rows = static_cast<std::uint64_t>(m.rows),
                  .items = static_cast<std::uint64_t>(m.items),
                  .row_bytes = static_cast<std::uint64_t>(m.row_step) * 2,
                  .item_bytes = static_cast<std::uint64_t>(m.item_step) * 2,
                  .box_rows = static_cast<unsigned>(m.box_rows)};
#endif
    return result;
}

/// Starts to copy the box whose first element is (column, row) of matrix `item` to shared memory aligned to 1024.
/// Elements beyond the matrix become zeros. All box_bytes(box_rows) count as bytes that `barrier` expects; when its
/// phase is complete, those who have waited for it may read them.
__device__ inline void copy_box(void* to_shared, const TensorMap& map, int column, int row, int item,
                                Mbarrier& barrier HEDDLE_CALLER) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
        "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(shared_address(to_shared)),
        "l"(&map.map), "r"(shared_address(&barrier)), "r"(column), "r"(row), "r"(item)
        : "memory");
#elif defined(__CUDA_ARCH__)
    __trap();
#elif !defined(__CUDACC__)
    ::heddle::simt::copy_box(to_shared, map.map, column, row, item, &barrier HEDDLE_PASS_CALLER);
#endif
}

/// Fetches the map itself, ahead of the first copy.
__device__ inline void prefetch_tensor_map([[maybe_unused]] const TensorMap& map) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("prefetch.tensormap [%0];" ::"l"(&map.map) : "memory");
#endif
}

HEDDLE_KERNELS_END
