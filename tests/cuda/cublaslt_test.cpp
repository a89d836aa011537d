#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/dtype.h"
#include "core/error.h"
#include "kernels/matmul/cublaslt_call.h"
#include "kernels/matmul/cublaslt_library.h"
#include "tests/cases/families.h"
#include "tests/cases/values.h"
#include "tests/core/scoped_env.h"

// What cuBLASLt is asked for, without a GPU: each case of matmul goes through `call_for` and then through plain loops
// that do what NVIDIA documents of cublasLtMatmul, on column-major matrices.
namespace {

using namespace heddle;
using namespace heddle::kernels;
using namespace heddle::kernels::cublaslt;
using cases::load;
using cases::store;

/// Where an element of a column-major matrix stands, of those that `op` makes.
std::int64_t place(const Matrix& matrix, bool transposed, std::int64_t row, std::int64_t column) {
    return transposed ? column + row * matrix.leading : row + column * matrix.leading;
}

void multiply_as_documented(const Call& call) {
    const std::int64_t depth = call.transpose_a ? call.a.rows : call.a.columns;
    ASSERT_EQ(call.transpose_a ? call.a.columns : call.a.rows, call.d.rows);
    ASSERT_EQ(call.transpose_b ? call.b.rows : call.b.columns, call.d.columns);
    ASSERT_EQ(call.transpose_b ? call.b.columns : call.b.rows, depth);
    for (const Matrix& matrix : {call.a, call.b, call.d}) ASSERT_GE(matrix.leading, matrix.rows);
    for (std::int64_t p = 0; p < call.batch; ++p)
        for (std::int64_t column = 0; column < call.d.columns; ++column)
            for (std::int64_t row = 0; row < call.d.rows; ++row) {
                double sum = 0;
                for (std::int64_t l = 0; l < depth; ++l)
                    sum += load(call.a_data, p * call.a.step + place(call.a, call.transpose_a, row, l), call.dtype) *
                           load(call.b_data, p * call.b.step + place(call.b, call.transpose_b, l, column), call.dtype);
                const std::int64_t to = p * call.d.step + place(call.d, false, row, column);
                double value = call.alpha * sum;
                if (call.beta != 0) value += call.beta * load(call.d_data, to, call.dtype);  // 0: not read
                if (call.bias) value += load(call.bias, row, call.dtype);
                store(call.d_data, to, call.dtype, value);
            }
}

void expect_inside(const Matrix& matrix, std::int64_t batch, const View& view) {
    EXPECT_LE((batch - 1) * matrix.step + (matrix.columns - 1) * matrix.leading + matrix.rows, view.elements());
}

void run_on_host(const Matmul& args, KernelContext&) {
    const Call call = call_for(args);
    expect_inside(call.a, call.batch, args.b);
    expect_inside(call.b, call.batch, args.a);
    expect_inside(call.d, call.batch, args.c);
    multiply_as_documented(call);
    if (args.activation == FusedActivation::relu)  // a pass of its own; NaN stays
        for (std::int64_t i = 0; i < args.c.elements(); ++i)
            if (load(args.c.data, i, args.c.dtype) < 0) store(args.c.data, i, args.c.dtype, 0);
}

TEST(CublasLt, EveryCaseOfMatmulIsAskedForRightly) {
    matmul().add({.name = "cublaslt_call", .priority = -1, .supports = supports_arguments, .run = run_on_host});
    cases::CaseSets sets;
    cases::add_matmul_cases(sets);
    const cases::CaseSet& products = *sets.front();
    ASSERT_STREQ(products.table().operation(), "matmul");
    std::map<std::string, int> declined;
    int passed = 0;
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
        for (std::size_t i = 0; i < products.size(); ++i) {
            if (products.is_benchmark(i)) continue;
            const cases::Outcome outcome = products.check(i, "cublaslt_call", Device::cpu(), dtype);
            EXPECT_NE(outcome.status, cases::Outcome::Status::failed)
                << products.name(i) << " in " << to_string(dtype) << ": " << outcome.message;
            if (outcome.status == cases::Outcome::Status::passed) ++passed;
            if (outcome.status == cases::Outcome::Status::unsupported) ++declined[outcome.message];
        }
    std::printf("    %d products agree\n", passed);
    EXPECT_GT(passed, 3 * 80);
    ASSERT_EQ(declined.size(), 1u);  // bias_alone, empty_sum, empty_sum_accumulate, no_rows, no_columns, no_batch
    EXPECT_EQ(declined.begin()->first, "an extent of 0: cuBLASLt has no empty matrices");
    EXPECT_EQ(declined.begin()->second, 3 * 6);
}

struct Extents {
    std::int64_t m = 3, n = 5, k = 7;
};

/// No memory is behind it: for what looks at shapes.
Matmul product(const Extents& e, DType dtype = DType::f32) {
    return {.a = View(nullptr, Shape{e.m, e.k}, dtype),
            .b = View(nullptr, Shape{e.k, e.n}, dtype),
            .c = View(nullptr, Shape{e.m, e.n}, dtype)};
}

TEST(CublasLt, WhatItCannotDoExactlyIsDeclined) {
    EXPECT_TRUE(supports_arguments(product({})));
    EXPECT_EQ(supports_arguments(product({}, DType::f64)).reason(), "dtype f64 (only f32, f16 and bf16)");
    EXPECT_EQ(supports_arguments(product({.k = 0})).reason(), "an extent of 0: cuBLASLt has no empty matrices");
    EXPECT_EQ(supports_arguments(product({.m = std::int64_t{1} << 31})).reason(),
              "an extent of 2^31 or more, rows of the whole batch together");
    Matmul args = product({});
    args.alpha = 0;
    EXPECT_EQ(supports_arguments(args).reason(),
              "alpha = 0: BLAS leaves the product out, and its infinities and NaN with it");
}

TEST(CublasLt, ASharedMatrixMakesOneProductOfABatch) {
    Matmul args = product({});
    args.a = View(nullptr, Shape{4, 2, 3, 7}, DType::f32);
    args.c = View(nullptr, Shape{4, 2, 3, 5}, DType::f32);
    const Call one = call_for(args);
    EXPECT_EQ(one.batch, 1);
    EXPECT_EQ(one.d.columns, 4 * 2 * 3);
    args.a = View(nullptr, Shape{4, 2, 7, 3}, DType::f32);
    args.transpose_a = true;
    const Call many = call_for(args);
    EXPECT_EQ(many.batch, 8);
    EXPECT_EQ(many.a.step, 0);  // b
    EXPECT_EQ(many.b.step, 21);
    EXPECT_EQ(many.d.step, 15);
}

/// cuBLASLt itself, where it is installed: descriptors need no GPU.
class CublasLtLibrary : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!library.file) GTEST_SKIP() << library.file.why();
    }
    template <class T>
    T operation(Descriptors& descriptors, cublasLtMatmulDescAttributes_t attribute) {
        T value{};
        std::size_t written = 0;
        library.check(library.get_operation(&descriptors.operation, attribute, &value, sizeof(value), &written), "get");
        return value;
    }
    template <class T>
    T layout(cublasLtMatrixLayoutOpaque_t& matrix, cublasLtMatrixLayoutAttribute_t attribute) {
        T value{};
        std::size_t written = 0;
        library.check(library.get_layout(&matrix, attribute, &value, sizeof(value), &written), "get");
        return value;
    }

    Library library{heddle::cuda::VendorLibrary(library_name())};
};

TEST_F(CublasLtLibrary, TakesTheDescriptors) {
    float bias[5];
    Matmul args = product({}, DType::bf16);
    args.a = View(nullptr, Shape{4, 7, 3}, DType::bf16);
    args.c = View(nullptr, Shape{4, 3, 5}, DType::bf16);
    args.transpose_a = true;
    args.bias = View(bias, Shape{5}, DType::bf16);
    Descriptors made(library, call_for(args));
    EXPECT_EQ(operation<std::int32_t>(made, CUBLASLT_MATMUL_DESC_COMPUTE_TYPE), CUBLAS_COMPUTE_32F);
    EXPECT_EQ(operation<std::int32_t>(made, CUBLASLT_MATMUL_DESC_SCALE_TYPE), CUDA_R_32F);
    EXPECT_EQ(operation<std::int32_t>(made, CUBLASLT_MATMUL_DESC_TRANSA), CUBLAS_OP_N);
    EXPECT_EQ(operation<std::int32_t>(made, CUBLASLT_MATMUL_DESC_TRANSB), CUBLAS_OP_T);
    EXPECT_EQ(operation<std::uint32_t>(made, CUBLASLT_MATMUL_DESC_EPILOGUE), CUBLASLT_EPILOGUE_BIAS);
    EXPECT_EQ(operation<const void*>(made, CUBLASLT_MATMUL_DESC_BIAS_POINTER), bias);
    EXPECT_EQ(operation<std::int64_t>(made, CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE), 0);
    const std::int64_t steps[] = {0, 21, 15}, rows[] = {5, 3, 5}, columns[] = {7, 7, 3};
    cublasLtMatrixLayoutOpaque_t* layouts[] = {&made.a, &made.b, &made.d};
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(layout<std::uint32_t>(*layouts[i], CUBLASLT_MATRIX_LAYOUT_TYPE), CUDA_R_16BF);
        EXPECT_EQ(layout<std::int32_t>(*layouts[i], CUBLASLT_MATRIX_LAYOUT_ORDER), CUBLASLT_ORDER_COL);
        EXPECT_EQ(layout<std::int64_t>(*layouts[i], CUBLASLT_MATRIX_LAYOUT_ROWS), rows[i]);
        EXPECT_EQ(layout<std::int64_t>(*layouts[i], CUBLASLT_MATRIX_LAYOUT_COLS), columns[i]);
        EXPECT_EQ(layout<std::int64_t>(*layouts[i], CUBLASLT_MATRIX_LAYOUT_LD), rows[i]);
        EXPECT_EQ(layout<std::int32_t>(*layouts[i], CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT), 4);
        EXPECT_EQ(layout<std::int64_t>(*layouts[i], CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET), steps[i]);
    }
}

TEST_F(CublasLtLibrary, WithoutBiasTheEpilogueIsTheDefault) {
    Descriptors made(library, call_for(product({}, DType::f16)));
    EXPECT_EQ(operation<std::uint32_t>(made, CUBLASLT_MATMUL_DESC_EPILOGUE), CUBLASLT_EPILOGUE_DEFAULT);
    EXPECT_EQ(layout<std::uint32_t>(made.a, CUBLASLT_MATRIX_LAYOUT_TYPE), CUDA_R_16F);
    EXPECT_EQ(layout<std::int32_t>(made.d, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT), 1);
}

TEST_F(CublasLtLibrary, TakesThePreferences) { EXPECT_NO_THROW(preference_for(library, call_for(product({})))); }

TEST(CublasLt, AlignmentsAreThoseThatTheAllocatorPromises) {
    const auto at = [](std::uintptr_t address) { return alignment_of(reinterpret_cast<const void*>(address)); };
    EXPECT_EQ(at(0x10000), 256u);
    EXPECT_EQ(at(0x10000 + 256), 256u);
    EXPECT_EQ(at(0x10000 + 64), 64u);
    EXPECT_EQ(at(0x10000 + 4), 4u);
    EXPECT_EQ(at(0x10000 + 2), 2u);
}

TEST_F(CublasLtLibrary, ItsErrorsAreSaid) {
    cublasLtHandle_t handle = nullptr;
    const cublasStatus_t status = library.create(&handle);
    if (status == CUBLAS_STATUS_SUCCESS) GTEST_SKIP() << "there is a GPU";
    const std::string message = heddle::testing::message_of<Error>([&] { library.check(status, "cublasLtCreate"); });
    EXPECT_EQ(message.find("cublasLtCreate: "), 0u) << message;
}

}  // namespace
