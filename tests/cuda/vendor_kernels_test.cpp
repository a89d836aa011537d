#include <gtest/gtest.h>

#include "core/device.h"
#include "core/device_library.h"
#include "core/error.h"
#include "kernels/copy/copy.h"
#include "kernels/matmul/matmul.h"
#include "kernels/random/random.h"
#include "kernels/reduce/reduce.h"
#include "tests/core/scoped_env.h"

// The implementations of libheddle_cuda that call NVIDIA's libraries, as far as they go without a GPU: that they are
// listed and in which order, what they decline and why.
namespace {

using namespace heddle;
using namespace heddle::kernels;
using heddle::testing::message_of;

constexpr DeviceKind gpu = DeviceKind::cuda;

class VendorKernels : public ::testing::Test {
  protected:
    VendorKernels() : status(device_status()[1]) {}  // opens libheddle_cuda
    DeviceStatus status;
};

template <class Args>
std::vector<std::string> names(KernelTable<Args>& table) {
    std::vector<std::string> result;
    for (const auto& implementation : table.implementations(gpu)) result.push_back(implementation.name);
    return result;
}

using Names = std::vector<std::string>;

TEST_F(VendorKernels, LibrariesComeBeforeKernelsThatNoGpuHasRun) {
    EXPECT_EQ(names(matmul()), (Names{"cublaslt", "native", "native_hopper"}));
    EXPECT_EQ(names(reduce()), (Names{"cub", "native"}));
    EXPECT_EQ(names(top_k()), (Names{"cub", "native"}));
}

TEST_F(VendorKernels, WhatIsThereForComparisonComesLast) {
    EXPECT_EQ(names(gather()), (Names{"native", "thrust"}));
    EXPECT_EQ(names(random_permutation()), (Names{"native", "thrust"}));
}

View view(const Shape& shape, DType dtype = DType::f32) { return {nullptr, shape, dtype}; }

TEST_F(VendorKernels, CublasLtNeedsAGpu) {
    const Matmul args{.a = view({3, 7}), .b = view({7, 5}), .c = view({3, 5})};
    const auto* cublaslt = matmul().find("cublaslt", gpu);
    ASSERT_NE(cublaslt, nullptr);
    if (status.count > 0) GTEST_SKIP() << "there is a GPU";
    EXPECT_EQ(cublaslt->supports(args).reason(), "there is no GPU: " + status.why_missing);
    const ForceKernel force("matmul", "cublaslt");
    EXPECT_EQ(message_of<Error>([&] { matmul().choose(args, {gpu}); }),
              "matmul: the forced implementation \"cublaslt\" cannot run: there is no GPU: " + status.why_missing);
}

TEST_F(VendorKernels, CublasLtLooksAtTheArgumentsFirst) {
    const Matmul args{.a = view({3, 0}), .b = view({0, 5}), .c = view({3, 5})};
    EXPECT_EQ(matmul().find("cublaslt", gpu)->supports(args).reason(),
              "an extent of 0: cuBLASLt has no empty matrices");
}

TEST_F(VendorKernels, CubReducesDenseRows) {
    const auto* cub = reduce().find("cub", gpu);
    ASSERT_NE(cub, nullptr);
    const auto reason = [&](const Shape& x, std::uint32_t axes, DType dtype = DType::f32) {
        return cub->supports({.axes = axes, .x = view(x, dtype), .y = view({})}).reason();
    };
    EXPECT_EQ(reason({3, 5, 7}, 0b111), "");
    EXPECT_EQ(reason({8191}, 1, DType::f16), "");
    EXPECT_EQ(reason({}, 0, DType::bf16), "");
    EXPECT_EQ(reason({1, 1}, 0), "");
    EXPECT_EQ(reason({0}, 1), "");
    EXPECT_EQ(reason({4096, 1024}, 0b10), "");
    EXPECT_EQ(reason({2, 3, 64, 64}, 0b1100), "");
    EXPECT_EQ(reason({67, 5}, 0b01), "the axes are neither all nor the last ones: CUB reduces dense rows");
    EXPECT_EQ(reason({3, 31, 5}, 0b010), "the axes are neither all nor the last ones: CUB reduces dense rows");
    EXPECT_EQ(reason({131, 3}, 0b10), "rows of 3 elements: CUB gives each a block, which pays from 1024 on");
    EXPECT_EQ(reason({8191}, 1, DType::i64), "dtype i64 (only f32, f16 and bf16)");
}

TEST_F(VendorKernels, CubSortsForTopK) {
    const auto* cub = top_k().find("cub", gpu);
    ASSERT_NE(cub, nullptr);
    const auto reason = [&](std::int64_t rows, std::int64_t n, std::int64_t k, DType dtype = DType::f32) {
        return cub
            ->supports({.k = k,
                        .x = view({rows, n}, dtype),
                        .values = view({rows, k}, dtype),
                        .indices = view({rows, k}, DType::i64)})
            .reason();
    };
    EXPECT_EQ(reason(5, 67, 67), "");
    EXPECT_EQ(reason(2, 2100, 1500, DType::i32), "");
    EXPECT_EQ(reason(128, 1000, 125, DType::bf16), "");
    EXPECT_EQ(reason(128, 1000, 5), "k = 5 of 1000: a sort of whole rows pays from one in 8 on");
    EXPECT_EQ(reason(3, 5, 0), "nothing is taken");
    EXPECT_EQ(reason(5, 67, 67, DType::i64), "dtype i64: its keys leave no room for the row's number");
    EXPECT_EQ(reason(1 << 15, 1 << 14, 1 << 14), "more than 2^28 elements: the sort would take 24 bytes for each");
}

TEST_F(VendorKernels, HowMuchCubNeedsIsKnownOnAGpuOnly) {
    float x[4] = {}, y[1] = {};
    const Reduce args{.axes = 1, .x = View(x, {4}, DType::f32), .y = View(y, {}, DType::f32)};
    EXPECT_EQ(message_of<Error>([&] { reduce().find("cub", gpu)->workspace_bytes(args); }),
              "reduce: expected memory of a GPU");
}

TEST_F(VendorKernels, TheLibrariesAreListed) {
    const std::vector<DeviceLibrary> libraries = device_libraries();
    ASSERT_FALSE(libraries.empty());
    EXPECT_EQ(libraries.front().name, "cuBLASLt");
    EXPECT_FALSE(libraries.front().compiled.empty());
    for (const DeviceLibrary& library : libraries) {
        EXPECT_EQ(library.loaded.empty(), library.file.empty()) << library.name;
        if (status.count == 0) {
            EXPECT_EQ(library.why_missing, "there is no GPU: " + status.why_missing) << library.name;
        }
    }
}

}  // namespace
