#pragma once

#include <algorithm>

#include "core/parallel.h"
#include "kernels/attention/extents.h"
#include "kernels/bf16_memory.h"

// How the CPU's implementations address heads and distribute them over threads.
namespace heddle::kernels {

/// One head of an operand [batch, time, heads, size] in memory.
template <class T>
struct Head {
    T* data;
    std::int64_t rows, step, size;

    Head(const View& view, std::int64_t task)
        : data(view.as<T>() +
               (task / view.shape[2] * view.shape[1] * view.shape[2] + task % view.shape[2]) * view.shape[3]),
          rows(view.shape[1]),
          step(view.shape[2] * view.shape[3]),
          size(view.shape[3]) {}

    T* row(std::int64_t index) const { return data + index * step; }
};

inline const std::uint8_t* mask_of(const View& mask, std::int64_t row) {
    return mask ? mask.as<std::uint8_t>() + row * mask.shape[1] : nullptr;
}

/// Scratch memory for as many threads as there is work for, `floats` each.
inline std::size_t heads_workspace_bytes(const AttentionExtents& e, std::size_t floats) {
    const auto parts = std::max<std::int64_t>(1, std::min<std::int64_t>(thread_count(), e.batch * e.heads));
    return static_cast<std::size_t>(parts) * floats * sizeof(float);
}

/// Calls body(task, scratch) for every head of the batch, on as many threads as the workspace serves. Threads share out
/// the heads: with fewer of them than threads, some threads rest.
template <class Body>
void for_heads(const AttentionExtents& e, std::size_t scratch_floats, const KernelContext& context, const Body& body) {
    const std::int64_t tasks = e.batch * e.heads;
    const auto floats = static_cast<std::int64_t>(scratch_floats);
    const std::int64_t parts =
        floats > 0 ? static_cast<std::int64_t>(context.workspace_bytes / sizeof(float)) / floats : 1;
    parallel_for(parts, 1, [&](std::int64_t first, std::int64_t last) {
        const SerialScope serial;
        for (std::int64_t part = first; part < last; ++part)
            for (std::int64_t task = tasks * part / parts; task < tasks * (part + 1) / parts; ++task)
                body(task, static_cast<float*>(context.workspace) + part * floats);
    });
}

}  // namespace heddle::kernels
