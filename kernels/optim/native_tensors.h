#pragma once

#include "kernels/optim/optim.h"
#include "kernels/simt/native.h"

// Many tensors in one launch: their addresses travel in the kernel's parameters, by value, so that a captured graph
// keeps them.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int block_threads = 256;

/// Parallel lists of tensors, cut into chunks of the same number of elements; a block has one chunk.
template <int lists>
struct TensorChunks {
    static constexpr int capacity = 3900 / (8 * lists + 12);  // parameters of a kernel: 4 kB, some for others

    void* data[lists][capacity];  // null: the list is empty
    std::int64_t elements[capacity];
    int first_block[capacity];
    int tensors = 0, blocks = 0;
};

struct Chunk {
    int tensor;
    std::int64_t first, count;
};

/// What this block works on.
template <int lists>
__device__ inline Chunk chunk_of_block(const TensorChunks<lists>& chunks, int chunk_elements) {
    const int block = static_cast<int>(blockIdx.x);
    int low = 0, high = chunks.tensors;  // the last tensor whose first block is not behind this one
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        (chunks.first_block[middle] <= block ? low : high) = middle;
    }
    const std::int64_t first = static_cast<std::int64_t>(block - chunks.first_block[low]) * chunk_elements;
    const std::int64_t rest = chunks.elements[low] - first;
    return {low, first, rest < chunk_elements ? rest : chunk_elements};
}

/// Calls `launch_chunks(chunks)` with as few sets of chunks as hold all tensors; empty tensors are left out, and so a
/// set without blocks never comes.
template <int lists, class Launch>
void for_all_chunks(const kernels::TensorList* const (&tensors)[lists], int chunk_elements,
                    const Launch& launch_chunks) {
    TensorChunks<lists> chunks;
    for (std::size_t k = 0; k < tensors[0]->size(); ++k) {
        const std::int64_t elements = (*tensors[0])[k].elements();
        if (elements == 0) continue;
        if (chunks.tensors == TensorChunks<lists>::capacity) {
            launch_chunks(chunks);
            chunks.tensors = chunks.blocks = 0;
        }
        for (int list = 0; list < lists; ++list)
            chunks.data[list][chunks.tensors] = tensors[list]->empty() ? nullptr : (*tensors[list])[k].data;
        chunks.elements[chunks.tensors] = elements;
        chunks.first_block[chunks.tensors++] = chunks.blocks;
        chunks.blocks += static_cast<int>((elements + chunk_elements - 1) / chunk_elements);
    }
    if (chunks.tensors > 0) launch_chunks(chunks);
}

}  // namespace
HEDDLE_KERNELS_END
