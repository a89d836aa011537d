#pragma once

#include "kernels/matmul/tile_shape.h"

HEDDLE_KERNELS_BEGIN

// A *source* is an operand seen as a matrix, however its elements lie in memory:
//   Row row(int r) const, Column column(int c) const   what is known of a row or column; any index >= 0, also outside
//   const T* at(Row, Column) const                     the element, or null outside (where it counts as 0)
//   const T* data                                      an address that is always valid
//   bool vectors                                       whether the 16 bytes from a column that is a multiple of their
//                                                      number lie together, aligned, and are all inside or all outside

/// A dense row-major matrix whose rows begin `step` elements apart.
template <class T>
struct MatrixSource {
    const T* data;
    std::int64_t step;
    int rows, columns;
    bool vectors;

    using Row = std::int64_t;  // offset, negative outside
    using Column = int;
    __device__ Row row(int r) const { return r < rows ? r * step : -1; }
    __device__ Column column(int c) const { return c < columns ? c : -1; }
    __device__ const T* at(Row row, Column column) const {
        return row >= 0 && column >= 0 ? data + row + column : nullptr;
    }
};

template <class T>
MatrixSource<T> matrix_source(const T* data, std::int64_t rows, std::int64_t columns, std::int64_t step) {
    const bool vectors = step % vector_width<T> == 0 && columns % vector_width<T> == 0 && is_aligned(data);
    return {data, step, static_cast<int>(rows), static_cast<int>(columns), vectors};
}

/// Copies tiles of `rows` x `columns` elements of a source to shared memory, swizzled. The tiles of one loader follow
/// each other along the columns (`along_columns`) or along the rows, and what does not change is worked out once.
template <class Source, class T, int rows, int columns, int threads, bool along_columns, bool asynchronous>
class TileLoader {
    static constexpr int width = vector_width<T>, chunks = columns / width, row_step = threads / chunks;
    static constexpr int passes = rows / row_step;
    static_assert(threads % chunks == 0 && rows % row_step == 0);
    static constexpr int kept_rows = along_columns ? passes : 1;
    static constexpr int kept_columns = along_columns ? 1 : (asynchronous ? 1 : width);

  public:
    /// `first`: of the rows where tiles follow each other along the columns, else of the columns.
    __device__ TileLoader(const Source& source, int first)
        : source_(source),
          row_(static_cast<int>(threadIdx.x) / chunks),
          chunk_(static_cast<int>(threadIdx.x) % chunks) {
        if constexpr (along_columns) {
            HEDDLE_UNROLL
            for (int p = 0; p < passes; ++p) kept_row_[p] = source_.row(first + row_ + p * row_step);
        } else {
            HEDDLE_UNROLL
            for (int e = 0; e < kept_columns; ++e) kept_column_[e] = source_.column(first + chunk_ * width + e);
        }
    }

    /// Starts to load the tile that begins at column (or row) `next`.
    __device__ void begin(T* tile, int next) {
        if constexpr (asynchronous) {
            const typename Source::Column column =
                along_columns ? source_.column(next + chunk_ * width) : kept_column_[0];
            HEDDLE_UNROLL
            for (int p = 0; p < passes; ++p) {
                const T* from = source_.at(row(next, p), column);
                copy_async_16(tile + place(p), from ? from : source_.data, from != nullptr);
            }
        } else if (source_.vectors) {
            const typename Source::Column column =
                along_columns ? source_.column(next + chunk_ * width) : kept_column_[0];
            HEDDLE_UNROLL
            for (int p = 0; p < passes; ++p) {
                const T* from = source_.at(row(next, p), column);
                held_[p] = from ? load_vector<width>(from) : Vector<T, width>{};
            }
        } else {
            typename Source::Row moving[along_columns ? 1 : passes];
            if constexpr (!along_columns) {
                HEDDLE_UNROLL
                for (int p = 0; p < passes; ++p) moving[p] = source_.row(next + row_ + p * row_step);
            }
            HEDDLE_UNROLL
            for (int e = 0; e < width; ++e) {
                const typename Source::Column column =
                    along_columns ? source_.column(next + chunk_ * width + e) : kept_column_[kept_columns > 1 ? e : 0];
                HEDDLE_UNROLL
                for (int p = 0; p < passes; ++p) {
                    const T* from = source_.at(along_columns ? kept_row_[kept_rows > 1 ? p : 0] : moving[p], column);
                    held_[p][e] = from ? *from : T{};
                }
            }
        }
    }

    /// Ends it. The tile may be read after a barrier; where copies are asynchronous, after they were waited for, too.
    __device__ void end(T* tile) {
        if constexpr (!asynchronous) {
            HEDDLE_UNROLL
            for (int p = 0; p < passes; ++p) store_vector(tile + place(p), held_[p]);
        }
    }

  private:
    __device__ typename Source::Row row(int next, int p) const {
        if constexpr (along_columns)
            return kept_row_[p];
        else
            return source_.row(next + row_ + p * row_step);
    }
    __device__ int place(int p) const { return swizzled<chunks>(row_ + p * row_step, chunk_) * width; }

    const Source& source_;
    int row_, chunk_;
    typename Source::Row kept_row_[kept_rows];
    typename Source::Column kept_column_[kept_columns];
    Vector<T, width> held_[asynchronous ? 1 : passes];
};

HEDDLE_KERNELS_END
