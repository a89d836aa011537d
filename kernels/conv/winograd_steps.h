#pragma once

#include "kernels/conv/winograd.h"
#include "kernels/table.h"

// The steps of a Winograd convolution on NHWC: tiles to 36 components, products of matrices, components to tiles. Each
// component is a matrix of its own, a row for each tile; `stride` floats lie between one component and the next.
// Channels are multiples of 16.
namespace heddle::kernels::winograd {

/// Whether results of this shape (the gradient of the weights: dy) are worth the transforms.
Support pays(const Shape& results, std::int64_t filters, bool weight_gradient);

/// A picture batch and the 6x6 or 4x4 tiles of it that belong to the tiles of the convolution's output.
struct Tiles {
    float* data;
    std::int64_t height, width, channels;
    std::int64_t top, left;     // of the first tile: minus the padding
    std::int64_t down, across;  // tiles of a picture

    /// The addresses of the elements of tile `index`, `outside` for those beyond the picture.
    template <int size>
    void addresses(std::int64_t index, float* outside, float** pointers) const {
        const std::int64_t w0 = index % across * 4 + left, h0 = index / across % down * 4 + top;
        float* picture = data + index / (across * down) * height * width * channels;
        for (int i = 0; i < size; ++i)
            for (int j = 0; j < size; ++j) {
                const std::int64_t h = h0 + i, w = w0 + j;
                const bool inside = h >= 0 && h < height && w >= 0 && w < width;
                pointers[i * size + j] = inside ? picture + (h * width + w) * channels : outside;
            }
    }
};

/// The 6x6 inputs of tiles [first, first + count), transformed. `zeros`: as many as there are channels.
void transform_inputs(const Tiles& tiles, std::int64_t first, std::int64_t count, float* zeros, float* to,
                      std::int64_t stride);

/// The 4x4 gradients of outputs, likewise.
void transform_output_gradients(const Tiles& tiles, std::int64_t first, std::int64_t count, float* zeros, float* to,
                                std::int64_t stride);

/// What is applied to outputs before they are stored.
struct Epilogue {
    const float* bias = nullptr;      ///< or null
    const float* residual = nullptr;  ///< or null; laid out as the outputs, and may be they
    bool relu = false;                ///< NaN passes
};

/// Products to outputs. What lies beyond the picture goes to `nowhere`.
void transform_outputs(const float* from, std::int64_t stride, const Tiles& tiles, std::int64_t first,
                       std::int64_t count, const Epilogue& epilogue, float* nowhere);

/// Filters [O, 3, 3, C] to 16 rows of the matrices U, which are stored in panels (kernels/register_block.h): c
/// (forward: rows c, columns o) or o (rotated by 180 degrees: rows o, columns c).
void transform_filters(const float* w, std::int64_t outputs, std::int64_t channels, bool turned, std::int64_t row,
                       float* u);

/// The gradient of the matrices U (rows o, columns c; `parts` addends, `part_stride` apart) to that of the filters of
/// o.
void transform_filter_gradients(const float* du, std::int64_t parts, std::int64_t part_stride, std::int64_t outputs,
                                std::int64_t channels, std::int64_t o, float* dw);

/// c (+)= l r; rows and columns are multiples of 16. `panels`: r stands in panels, else by rows.
void multiply(const Left& l, const float* r, bool panels, float* c, std::int64_t rows, std::int64_t columns,
              std::int64_t depth, bool accumulate);

}  // namespace heddle::kernels::winograd
