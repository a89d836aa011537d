#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "kernels/conv/conv.h"
#include "kernels/norm/norm.h"
#include "kernels/pool/pool.h"
#include "kernels/softmax/softmax.h"
#include "tests/cudnn/described.h"
#include "tests/evidence.h"

// What cuDNN's implementations must take, what they must decline and why, and that they cost nothing the second time.
namespace {

using namespace heddle;
using namespace heddle::kernels;

constexpr DType all_types[] = {DType::f32, DType::f16, DType::bf16};

class CudnnImplementations : public testing::Test {
    void SetUp() override {
        cudnn::load_stand_in_driver();
        cudnn::plan_for_h100();
    }
};

/// Operands at addresses that nothing may use.
View at(int place, const Shape& shape, DType dtype) {
    return {reinterpret_cast<void*>(static_cast<std::uintptr_t>(place) << 40), shape, dtype};
}
constexpr DType vectors = DType::f32;  // of channels: scale, statistics

template <class Args>
const Implementation<Args>& cudnn_of(KernelTable<Args>& table) {
    return *table.find("cudnn", DeviceKind::cuda);
}

template <class Args>
void expect_planned(KernelTable<Args>& table, const std::type_identity_t<Args>& args, DType dtype) {
    const Support support = cudnn_of(table).supports(args);
    EXPECT_TRUE(support) << table.operation() << " " << to_string(dtype) << ": " << support.reason();
    if (!support) return;
    cudnn_of(table).workspace_bytes(args);
    record_evidence(table.operation(), "plan",
                    dtype == DType::f32 ? "cudnn/cuda" : "cudnn/cuda/" + std::string(to_string(dtype)),
                    "reference models");
}

template <class Args>
void expect_declined(KernelTable<Args>& table, const std::type_identity_t<Args>& args, const std::string& reason) {
    const Support support = cudnn_of(table).supports(args);
    EXPECT_FALSE(support) << table.operation() << " should be declined: " << reason;
    EXPECT_NE(support.reason().find(reason), std::string::npos) << support.reason();
}

struct Layer {
    Shape x, w;
    Conv2dParams params;
};

/// The convolutions of ResNet-20 and ResNet-18 on 32 x 32 pictures, and of the reference CNN.
std::vector<Layer> resnet_layers() {
    const Conv2dParams same{.padding = {1, 1, 1, 1}}, down{.stride = {2, 2}, .padding = {1, 1, 1, 1}};
    return {{{128, 32, 32, 3}, {16, 3, 3, 3}, same},
            {{128, 32, 32, 16}, {16, 3, 3, 16}, same},
            {{128, 32, 32, 16}, {32, 3, 3, 16}, down},
            {{128, 16, 16, 32}, {32, 3, 3, 32}, same},
            {{128, 8, 8, 64}, {64, 3, 3, 64}, same},
            {{64, 32, 32, 64}, {128, 3, 3, 64}, down},
            {{64, 32, 32, 64}, {128, 1, 1, 64}, {.stride = {2, 2}}},
            {{64, 4, 4, 512}, {512, 3, 3, 512}, same},
            {{128, 28, 28, 1}, {32, 3, 3, 1}, {}}};
}

Conv2dForward forward(const Layer& layer, DType dtype, bool fused) {
    return {.x = at(1, layer.x, dtype),
            .w = at(2, layer.w, dtype),
            .bias = fused ? at(3, {layer.w[0]}, dtype) : View(),
            .params = layer.params,
            .activation = fused ? FusedActivation::relu : FusedActivation::none,
            .y = at(4, layer.params.output_shape(layer.x, layer.w), dtype)};
}

TEST_F(CudnnImplementations, TakeTheConvolutionsOfTheReferenceModels) {
    for (const DType dtype : all_types)
        for (const Layer& layer : resnet_layers()) {
            SCOPED_TRACE(layer.x.to_string() + " " + layer.w.to_string());
            for (const bool fused : {false, true})
                expect_planned(conv2d_forward(), forward(layer, dtype, fused), dtype);
            Conv2dForward block_end = forward(layer, dtype, true);
            block_end.residual = at(5, block_end.y.shape, dtype);
            expect_planned(conv2d_forward(), block_end, dtype);
            const View dy = at(1, layer.params.output_shape(layer.x, layer.w), dtype);
            expect_planned(conv2d_backward_data(),
                           {.w = at(2, layer.w, dtype), .dy = dy, .params = layer.params, .dx = at(3, layer.x, dtype)},
                           dtype);
            expect_planned(conv2d_backward_weights(),
                           {.x = at(2, layer.x, dtype),
                            .dy = dy,
                            .params = layer.params,
                            .dw = at(3, layer.w, dtype),
                            .dbias = at(4, {layer.w[0]}, dtype)},
                           dtype);
        }
}

BatchNormForward norm_forward(const Shape& shape, DType dtype) {
    const Shape channels{shape.back()};
    return {.x = at(1, shape, dtype),
            .scale = at(2, channels, vectors),
            .offset = at(3, channels, vectors),
            .residual = at(4, shape, dtype),
            .activation = FusedActivation::relu,
            .y = at(5, shape, dtype),
            .mean = at(6, channels, vectors),
            .inverse_deviation = at(7, channels, vectors),
            .running_mean = at(8, channels, vectors),
            .running_variance = at(9, channels, vectors)};
}

BatchNormBackward norm_backward(const Shape& shape, DType dtype) {
    const Shape channels{shape.back()};
    return {.x = at(1, shape, dtype),
            .y = at(2, shape, dtype),
            .dy = at(3, shape, dtype),
            .scale = at(4, channels, vectors),
            .mean = at(5, channels, vectors),
            .inverse_deviation = at(6, channels, vectors),
            .activation = FusedActivation::relu,
            .dx = at(7, shape, dtype),
            .dscale = at(8, channels, vectors),
            .doffset = at(9, channels, vectors),
            .dresidual = at(10, shape, dtype)};
}

TEST_F(CudnnImplementations, TakeTheBatchNormsOfTheReferenceModels) {
    for (const DType dtype : all_types)
        for (const Shape& shape : {Shape{128, 16, 16, 32}}) {  // the others are cases of tests/cases
            SCOPED_TRACE(shape.to_string());
            expect_planned(batch_norm_forward(), norm_forward(shape, dtype), dtype);
            BatchNormForward plain = norm_forward(shape, dtype);
            plain.residual = View();
            plain.activation = FusedActivation::none;
            expect_planned(batch_norm_forward(), plain, dtype);
            expect_planned(batch_norm_backward(), norm_backward(shape, dtype), dtype);
            BatchNormBackward alone = norm_backward(shape, dtype);
            alone.dresidual = View();
            expect_planned(batch_norm_backward(), alone, dtype);
            alone.activation = FusedActivation::none;
            expect_planned(batch_norm_backward(), alone, dtype);
            const Shape channels{shape.back()};
            expect_planned(batch_norm_inference(),
                           {.x = at(1, shape, dtype),
                            .scale = at(2, channels, vectors),
                            .offset = at(3, channels, vectors),
                            .residual = at(4, shape, dtype),
                            .mean = at(5, channels, vectors),
                            .variance = at(6, channels, vectors),
                            .activation = FusedActivation::relu,
                            .y = at(7, shape, dtype)},
                           dtype);
        }
}

TEST_F(CudnnImplementations, TakeThePoolingsOfTheReferenceModels) {
    for (const DType dtype : all_types) {
        const Shape x{128, 26, 26, 32};
        const Pool2dParams halves;
        const View picture = at(1, x, dtype), y = at(2, halves.output_shape(x), dtype);
        expect_planned(max_pool2d_forward(), {.x = picture, .params = halves, .y = y, .index = View()}, dtype);
        const Shape head{128, 8, 8, 64};
        const Pool2dParams global{.kernel = {8, 8}, .stride = {8, 8}};
        const View all = at(1, head, dtype), mean = at(2, global.output_shape(head), dtype);
        expect_planned(avg_pool2d_forward(), {.x = all, .params = global, .y = mean}, dtype);
        expect_planned(avg_pool2d_backward(), {.dy = mean, .params = global, .dx = all}, dtype);
    }
}

TEST_F(CudnnImplementations, DeclineWhatTheContractDoesNotAllow) {
    const DType dtype = DType::f16;
    const Layer layer = resnet_layers()[1];

    Conv2dForward conv = forward(layer, dtype, true);
    conv.x = View(static_cast<char*>(conv.x.data) + 2, layer.x, dtype);
    expect_declined(conv2d_forward(), conv, "multiple of 16");
    conv = forward(layer, DType::f64, true);
    expect_declined(conv2d_forward(), conv, "expected f32, f16 or bf16");
    conv = forward({{0, 8, 8, 16}, {16, 3, 3, 16}, {}}, dtype, false);
    expect_declined(conv2d_forward(), conv, "without elements");

    const Shape x{2, 6, 6, 16};
    const Pool2dParams halves;
    expect_declined(max_pool2d_forward(),
                    {.x = at(1, x, dtype),
                     .params = halves,
                     .y = at(2, halves.output_shape(x), dtype),
                     .index = at(3, halves.output_shape(x), DType::u8)},
                    "index");
    EXPECT_EQ(max_pool2d_backward().find("cudnn", DeviceKind::cuda), nullptr);  // it always needs the index

    BatchNormForward norm = norm_forward({4, 8, 8, 16}, dtype);
    norm.scale = View();
    expect_declined(batch_norm_forward(), norm, "scale");
    norm = norm_forward({1, 16}, dtype);
    expect_declined(batch_norm_forward(), norm, "single row");
    BatchNormBackward backward = norm_backward({4, 8, 8, 16}, dtype);
    backward.training = false;
    expect_declined(batch_norm_backward(), backward, "fixed statistics");
    backward = norm_backward({4, 8, 8, 16}, dtype);
    backward.activation = FusedActivation::none;
    expect_declined(batch_norm_backward(), backward, "copy of dy");
}

/// cuDNN itself sees what does not fit: the plans are more than a yes.
TEST_F(CudnnImplementations, DeclineWhatCudnnRefuses) {
    Conv2dForward conv = forward(resnet_layers()[1], DType::f16, false);
    conv.w = at(2, {16, 3, 3, 12}, DType::f16);  // 16 channels do not make groups of 12
    expect_declined(conv2d_forward(), conv, "cuDNN");
    const Shape x{2, 6, 6, 16};
    expect_declined(avg_pool2d_forward(),
                    {.x = at(1, x, DType::f16), .params = {}, .y = at(2, {2, 4, 3, 16}, DType::f16)}, "cuDNN");
}

TEST_F(CudnnImplementations, ResultsInPlaceGoThroughTheWorkspace) {
    const Shape shape{64, 8, 8, 64};
    const std::size_t tensor = static_cast<std::size_t>(shape.elements()) * 2;
    BatchNormBackward apart = norm_backward(shape, DType::f16);
    const auto& backward = cudnn_of(batch_norm_backward());
    ASSERT_TRUE(backward.supports(apart));
    const std::size_t bytes = backward.workspace_bytes(apart);
    BatchNormBackward in_place = apart;
    in_place.dx = in_place.dy;
    ASSERT_TRUE(backward.supports(in_place));
    EXPECT_GE(backward.workspace_bytes(in_place), bytes + tensor);
    BatchNormBackward unwanted = apart;
    unwanted.dscale = View();
    ASSERT_TRUE(backward.supports(unwanted));
    EXPECT_GE(backward.workspace_bytes(unwanted), bytes + 64 * sizeof(float));

    // ReLU without bias adds zeros that lie there, too.
    Conv2dForward conv = forward(resnet_layers()[4], DType::f16, true);
    const auto& convolution = cudnn_of(conv2d_forward());
    ASSERT_TRUE(convolution.supports(conv));
    const std::size_t with_bias = convolution.workspace_bytes(conv);
    conv.bias = View();
    ASSERT_TRUE(convolution.supports(conv));
    EXPECT_GE(convolution.workspace_bytes(conv), with_bias + 64 * 2);
}

TEST_F(CudnnImplementations, AskCudnnOnceForACase) {
    const Conv2dForward conv = forward({{3, 19, 23, 48}, {56, 3, 3, 48}, {.padding = {1, 1, 1, 1}}}, DType::bf16, true);
    const auto& implementation = cudnn_of(conv2d_forward());
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back(
            [&] { EXPECT_TRUE(implementation.supports(conv)) << implementation.supports(conv).reason(); });
    for (std::thread& thread : threads) thread.join();
    const double first = std::chrono::duration<double>(Clock::now() - start).count();
    constexpr int times = 1000;
    const auto again = Clock::now();
    for (int i = 0; i < times; ++i) EXPECT_TRUE(implementation.supports(conv));
    const double later = std::chrono::duration<double>(Clock::now() - again).count() / times;
    std::printf("    %.1f ms the first time, %.0f ns later\n", first * 1e3, later * 1e9);
    EXPECT_LT(later, 20e-6);
    EXPECT_LT(later, first / 10);
}

TEST_F(CudnnImplementations, AreTheDefaultOnAGpu) {
    for (const auto& entry : conv2d_forward().entries())
        EXPECT_TRUE(entry.device != DeviceKind::cuda || entry.name == "cudnn" || entry.priority < priority::fast);
    EXPECT_STREQ(conv2d_forward().implementations(DeviceKind::cuda).front().name, "cudnn");
    EXPECT_STREQ(softmax_forward().implementations(DeviceKind::cuda).front().name, "cudnn");
    EXPECT_STREQ(softmax_backward().implementations(DeviceKind::cuda).front().name, "cudnn");
}

}  // namespace
