#pragma once

#include "kernels/matmul/matmul.h"

// What cuBLASLt is asked for, as a function of the arguments alone: tests hold it against what NVIDIA documents of
// cublasLtMatmul, on numbers and without a GPU.
namespace heddle::kernels::cublaslt {

/// A matrix as cuBLAS sees it: column-major, `leading` elements from one column to the next, `step` from one product of
/// the batch to the next (0: one matrix serves all).
struct Matrix {
    std::int64_t rows, columns, leading, step;
};

/// d = alpha op(a) op(b) + beta d [+ bias to every column], for each product of a batch; everything is added up in f32
/// and rounded once.
struct Call {
    Matrix a, b, d;
    const void *a_data, *b_data;
    void* d_data;
    const void* bias;  ///< as many elements as d has rows, the same for the whole batch; null: none
    bool transpose_a, transpose_b;
    std::int64_t batch;
    DType dtype;
    float alpha, beta;
};

/// Whether cuBLASLt can give what the contract promises; nothing about the library or the GPU.
Support supports_arguments(const Matmul& args);

/// The call for a case that `supports_arguments`. ReLU is left to a pass over the result: cuBLASLt's epilogue makes 0
/// of NaN, which would hide a diverging model.
Call call_for(const Matmul& args);

}  // namespace heddle::kernels::cublaslt
