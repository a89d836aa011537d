#include <gtest/gtest.h>

#include <functional>

#include "core/error.h"
#include "ops/attention.h"
#include "ops/conv.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/softmax.h"

// The errors of wrong calls: the operation, what was expected, what came.
namespace heddle {
namespace {

using namespace ops;

/// The call throws an `Error` that begins with the operation and contains all the words.
void expect_error(const std::string& operation, const std::vector<std::string>& words,
                  const std::function<void()>& call) {
    try {
        call();
        ADD_FAILURE() << operation << ": no error";
    } catch (const Error& error) {
        const std::string message = error.what();
        EXPECT_EQ(message.rfind(operation + ": ", 0), 0u) << message;
        for (const std::string& word : words) EXPECT_NE(message.find(word), std::string::npos) << message;
    }
}

Tensor f32(const Shape& shape) { return Tensor::zeros(shape); }
Tensor i64(const Shape& shape, double value = 0) { return Tensor::full(shape, value, {DType::i64}); }

TEST(OpsErrors, Elementwise) {
    expect_error("add", {"[2, 3]", "[4]"}, [] { f32({2, 3}) + f32({4}); });
    expect_error("multiply", {"undefined"}, [] { f32({2}) * Tensor(); });
    expect_error("gelu", {"floating", "i64", "to(DType::f32)"}, [] { gelu(i64({3})); });
    expect_error("relu", {"undefined"}, [] { relu(Tensor()); });
    expect_error("abs", {"u8", "to(DType::i32)"}, [] { abs(i64({3}).to(DType::u8)); });
    expect_error("multiply", {"0.5", "i64", "to(DType::f32)"}, [] { i64({3}) * 0.5; });
    expect_error("maximum", {"1.5", "i64"}, [] { maximum(i64({3}), 1.5); });
    expect_error("add", {"u8", "256", "to(DType::f32)"}, [] { i64({3}).to(DType::u8) + 256; });
    expect_error("minimum", {"-0.5", "i64"}, [] { clip(i64({3}), -2, -0.5); });
    expect_error("power", {"i64", "-1", "to(DType::f32)"}, [] { pow(i64({3}, 2), -1); });
    expect_error("floor_divide", {"0.5", "i64"}, [] { floor_divide(i64({3}), 0.5); });
    expect_error("fill_", {"0.5", "i64"}, [] { i64({3}).fill_(0.5); });
    expect_error("mean", {"floating", "i64", "to(DType::f32)"}, [] { i64({3}).mean(); });
    const Tensor flags = equal(f32({2}), f32({2}));
    expect_error("subtract", {"booleans", "not_equal"}, [&] { flags - flags; });
    expect_error("multiply", {"boolean", "2", "to(DType::f32)"}, [&] { flags * 2; });
    expect_error("where", {"boolean"}, [] { where(f32({2}), f32({2}), f32({2})); });
    expect_error("where", {"[2]", "[3]"}, [] { where(equal(f32({2}), f32({2})), f32({3}), f32({3})); });
    expect_error("clip", {"low <= high", "2", "1"}, [] { clip(f32({2}), 2, 1); });
}

TEST(OpsErrors, UndefinedTensors) {
    const Tensor none;
    expect_error("Tensor::item", {"undefined"}, [&] { none.item(); });
    expect_error("Tensor::to_vector", {"undefined"}, [&] { f32({2}).grad().to_vector<float>(); });
    expect_error("to", {"undefined"}, [&] { none.to(DType::f64); });
    expect_error("to", {"undefined"}, [&] { none.to(Device::cpu()); });
    expect_error("clone", {"undefined"}, [&] { none.clone(); });
    expect_error("reshape", {"undefined"}, [&] { none.reshape({1}); });
    expect_error("slice", {"undefined"}, [&] { none.slice(0, 1); });
    expect_error("index", {"undefined"}, [&] { none[0]; });
    expect_error("fill_", {"undefined"}, [&] { none.fill_(1); });
    expect_error("copy_", {"undefined"}, [&] { none.copy_(f32({2})); });
}

// More bytes, or elements, than a 64-bit number holds, though the product of the extents wraps around to a small one.
TEST(OpsErrors, ExtentsThatOverflow) {
    constexpr std::int64_t huge = std::int64_t{1} << 33, half = std::int64_t{1} << 31;
    float memory = 0;
    for (const Shape& shape : {Shape{huge, half}, Shape{huge, huge}, Shape{std::int64_t{1} << 62}, Shape{0, huge, half},
                               Shape{huge, half, 0}}) {
        const std::string text = shape.to_string();
        expect_error("Tensor", {text}, [&] { Tensor::zeros(shape); });
        expect_error("Tensor", {text}, [&] { Tensor::empty(shape, {DType::f64}); });
        expect_error("Tensor", {text}, [&] { Tensor::from_blob(&memory, shape); });
        expect_error("Tensor", {text}, [&] { Tensor::from(std::vector<float>(), shape); });
        expect_error("reshape", {text}, [&] { f32({0}).reshape(shape); });
    }
    expect_error("reshape", {"-1"}, [&] { f32({0}).reshape({huge, half, -1}); });
    expect_error("reshape", {"[1]"}, [&] { f32({1}).reshape({huge, huge}); });
    expect_error("Tensor::arange", {"-1"}, [] { Tensor::arange(-1); });
    EXPECT_EQ(f32({0, 7}).reshape({huge, 0}).shape(), (Shape{huge, 0}));
}

TEST(OpsErrors, MemoryOfTheCallers) {
    float one = 1;
    expect_error("Tensor::from_blob", {"no memory", "[2]"}, [] { Tensor::from_blob(nullptr, {2}); });
    expect_error("Tensor", {"[2, -1]", "-1"}, [&] { Tensor::from_blob(&one, {2, -1}); });
}

TEST(OpsErrors, Reductions) {
    expect_error("sum", {"axis 2", "2 dimensions"}, [] { sum(f32({2, 3}), {2}); });
    expect_error("mean", {"floating", "i64"}, [] { mean(i64({3})); });
    expect_error("max", {"no elements", "[0, 3]"}, [] { ops::max(f32({0, 3})); });
    expect_error("argmax", {"axis 1", "[2, 0]"}, [] { argmax(f32({2, 0})); });
    expect_error("argmin", {"axis -3"}, [] { argmin(f32({2, 2}), -3); });
    expect_error("topk", {"k = 4", "3"}, [] { topk(f32({2, 3}), 4); });
    expect_error("topk", {"at least one dimension"}, [] { topk(f32({}), 1); });
}

TEST(OpsErrors, Copies) {
    const auto parts = [](const Shape& a, const Shape& b) { return std::vector{f32(a), f32(b)}; };
    const std::int64_t extents[] = {1, 3}, negative[] = {-1, 6};
    const std::array<std::int64_t, 2> one[] = {{1, 1}}, wide[] = {{3, 0}}, below[] = {{-1, 0}};
    expect_error("permute", {"2 axes", "[2, 3, 4]"}, [] { permute(f32({2, 3, 4}), {0, 1}); });
    expect_error("permute", {"once", "[2, 3]"}, [] { permute(f32({2, 3}), {0, 0}); });
    expect_error("transpose", {"axis 2"}, [] { transpose(f32({2, 3}), 0, 2); });
    expect_error("concat", {"no tensors"}, [] { concat({}); });
    expect_error("concat", {"[2, 3]", "[3, 3]", "axis 1"}, [&] { concat(parts({2, 3}, {3, 3}), 1); });
    expect_error("concat", {"undefined"}, [] { concat(std::vector{Tensor()}); });
    expect_error("split", {"4", "5"}, [&] { split(f32({5}), extents); });
    expect_error("split", {"negative", "-1"}, [&] { split(f32({5}), negative); });
    expect_error("stack", {"[2]", "[3]"}, [&] { stack(parts({2}, {3})); });
    expect_error("broadcast_to", {"[2, 3]", "[3, 2]"}, [] { broadcast_to(f32({2, 3}), {3, 2}); });
    expect_error("broadcast_to", {"[2, 3]", "[3]"}, [] { broadcast_to(f32({2, 3}), {3}); });
    expect_error("pad", {"1 pairs", "[2, 3]"}, [&] { pad(f32({2, 3}), one); });
    expect_error("pad", {"width 3", "[3]"}, [&] { pad(f32({3}), wide, PadMode::reflect); });
    expect_error("pad", {"0.5", "i64"}, [&] { pad(i64({3}), one, PadMode::constant, 0.5); });
    expect_error("pad", {"width -1"}, [&] { pad(f32({3}), below); });
    expect_error("slice", {"step 0"}, [] { ops::slice(f32({3}), {{0, 3, 0}}); });
    expect_error("slice", {"2 ranges", "[3]"}, [] { ops::slice(f32({3}), {{0}, {0}}); });
    expect_error("flip", {"axis 1"}, [] { flip(f32({3}), 1); });
    expect_error("gather", {"index 3", "0 .. 2"}, [] { gather(f32({3, 2}), i64({4}, 3)); });
    expect_error("gather", {"i32 or i64", "f32"}, [] { gather(f32({3}), f32({2})); });
    expect_error("take_along", {"[3, 1]", "[2, 4]"}, [] { take_along(f32({2, 4}), i64({3, 1})); });
    expect_error("take_along", {"index -1"}, [] { take_along(f32({2, 4}), i64({2, 1}, -1)); });
    expect_error("one_hot", {"index 5", "0 .. 4"}, [] { one_hot(i64({2}, 5), 5); });
    expect_error("one_hot", {"at least one class"}, [] { one_hot(i64({2}), 0); });
}

TEST(OpsErrors, Products) {
    expect_error("matmul", {"inner", "[2, 3]", "[4, 5]"}, [] { matmul(f32({2, 3}), f32({4, 5})); });
    expect_error("matmul", {"[2, 3]", "[3, 5]", "transposed"}, [] {
        matmul(f32({2, 3}), f32({3, 5}), {.transpose_a = true});
    });
    expect_error("matmul", {"batch", "[2, 3, 4]", "[3, 4, 5]"}, [] { matmul(f32({2, 3, 4}), f32({3, 4, 5})); });
    expect_error("matmul", {"two dimensions", "[3]"}, [] { matmul(f32({3}), f32({3, 2})); });
    expect_error("linear", {"expected 4", "got 3", "[2, 3]"}, [] { linear(f32({2, 3}), f32({5, 4})); });
    expect_error("linear", {"[out, in]", "[4]"}, [] { linear(f32({2, 4}), f32({4})); });
    expect_error("linear", {"[out, in]", "undefined"}, [] { linear(f32({2, 4}), Tensor()); });
    expect_error("linear", {"bias", "5", "[4]"}, [] { linear(f32({2, 4}), f32({5, 4}), f32({4})); });
    expect_error("linear", {"f32", "f64"}, [] { linear(f32({2, 4}), f32({5, 4}).to(DType::f64)); });
}

TEST(OpsErrors, Pictures) {
    const Tensor x = f32({1, 5, 5, 3}), w = f32({4, 3, 3, 3});
    expect_error("conv2d", {"[batch, height, width, channels]", "[5, 5]"}, [&] { conv2d(f32({5, 5}), w); });
    expect_error("conv2d", {"weights", "undefined"}, [&] { conv2d(x, Tensor()); });
    expect_error("conv2d", {"expected input channels 2", "got 3", "[1, 5, 5, 3]"}, [&] {
        conv2d(x, f32({4, 3, 3, 2}));
    });
    expect_error("conv2d", {"4 output channels", "3 groups"}, [&] { conv2d(x, w, Tensor(), {.groups = 3}); });
    expect_error("conv2d", {"bias", "4", "[3]"}, [&] { conv2d(x, w, f32({3})); });
    expect_error("conv2d", {"residual of shape [1, 3, 3, 4] f32", "[1, 5, 5, 4]"}, [&] {
        conv2d(x, w, Tensor(), {}, FusedActivation::none, f32({1, 5, 5, 4}));
    });
    expect_error("conv2d", {"reaches over 7", "5"}, [&] { conv2d(x, w, Tensor(), {.dilation = {3, 1}}); });
    expect_error("conv2d", {"stride"}, [&] { conv2d(x, w, Tensor(), {.stride = {0, 1}}); });
    expect_error("conv2d", {"negative padding -1"}, [&] { conv2d(x, w, Tensor(), {.padding = {0, 0, -1, 0}}); });
    expect_error("max_pool2d", {"window of 6", "5", "[1, 5, 5, 3]"}, [&] { max_pool2d(x, {.kernel = {6, 1}}); });
    expect_error("max_pool2d", {"padding", "smaller"}, [&] { max_pool2d(x, {.padding = {2, 0, 0, 0}}); });
    expect_error("avg_pool2d", {"[2, 3]"}, [] { avg_pool2d(f32({2, 3})); });
    expect_error("global_average_pool2d", {"[2, 3]"}, [] { global_average_pool2d(f32({2, 3})); });
}

TEST(OpsErrors, NormalisationSoftmaxDropout) {
    const auto norm = [](const Tensor& x, const Tensor& scale, const Tensor& mean, bool training,
                         const Tensor& residual = Tensor()) {
        batch_norm(x, scale, Tensor(), mean, mean, training, {}, residual);
    };
    expect_error("batch_norm", {"scale", "3", "[4]", "[2, 3]"}, [&] { norm(f32({2, 3}), f32({4}), {}, true); });
    expect_error("batch_norm", {"running mean", "3", "[2]"}, [&] { norm(f32({2, 3}), {}, f32({2}), false); });
    expect_error("batch_norm", {"running statistics"}, [&] { norm(f32({2, 3}), {}, {}, false); });
    expect_error("batch_norm", {"residual", "[2, 3]", "[3]"}, [&] { norm(f32({2, 3}), {}, {}, true, f32({3})); });
    expect_error("batch_norm", {"empty batch", "[0, 3]"}, [&] { norm(f32({0, 3}), {}, {}, true); });
    const auto norm_and_pool = [](const Tensor& x, const Tensor& scale) {
        batch_norm_max_pool2d(x, scale, Tensor(), Tensor(), Tensor(), {}, {.kernel = {3, 3}});
    };
    expect_error("batch_norm_max_pool2d", {"pictures", "[2, 3]"}, [&] { norm_and_pool(f32({2, 3}), {}); });
    expect_error("batch_norm_max_pool2d", {"window of 3", "[1, 4, 2, 3]"}, [&] {
        norm_and_pool(f32({1, 4, 2, 3}), {});
    });
    expect_error("batch_norm_max_pool2d", {"empty batch", "[0, 4, 4, 3]"}, [&] {
        norm_and_pool(f32({0, 4, 4, 3}), {});
    });
    expect_error("batch_norm_max_pool2d", {"scale", "3", "[4]"}, [&] { norm_and_pool(f32({1, 4, 4, 3}), f32({4})); });
    expect_error("softmax", {"floating", "i64"}, [] { softmax(i64({3})); });
    expect_error("log_softmax", {"[..., classes]"}, [] { log_softmax(f32({})); });
    expect_error("dropout", {"rate 1"}, [] { dropout(f32({3}), 1, true); });
    expect_error("attention", {"dropout of 1"}, [] {
        const Tensor x = f32({1, 2, 1, 3});
        attention(x, x, x, {.dropout = 1});
    });
    expect_error("random_uniform", {"low <= high"}, [] { random_uniform({3}, 1, 0); });
    expect_error("random_normal", {"deviation -1"}, [] { random_normal({3}, 0, -1); });
}

TEST(OpsErrors, Losses) {
    expect_error("cross_entropy", {"[3]", "[2, 4]"}, [] { cross_entropy(f32({2, 4}), i64({3})); });
    expect_error("cross_entropy", {"label 4", "row 0", "0 .. 3"}, [] { cross_entropy(f32({2, 4}), i64({2}, 4)); });
    expect_error("cross_entropy", {"[2, 3]", "[2, 4]"}, [] { cross_entropy(f32({2, 4}), f32({2, 3})); });
    expect_error("cross_entropy", {"smoothing 2"}, [] {
        cross_entropy(f32({2, 4}), i64({2}), {.label_smoothing = 2});
    });
    expect_error("cross_entropy", {"ignore_index", "from_logits"}, [] {
        cross_entropy(f32({2, 4}), i64({2}), {.from_logits = false, .ignore_index = 1});
    });
    expect_error("cross_entropy", {"at least one row", "[0, 4]"}, [] { cross_entropy(f32({0, 4}), i64({0})); });
    expect_error("mean_squared_error", {"[2]", "[3]"}, [] { mean_squared_error(f32({2}), f32({3})); });
    expect_error("mean_absolute_error", {"floating", "i64"}, [] { mean_absolute_error(i64({2}), f32({2})); });
    expect_error("huber", {"delta", "0"}, [] { huber(f32({2}), f32({2}), 0); });
    expect_error("binary_cross_entropy", {"[2, 1]", "[2]"}, [] { binary_cross_entropy(f32({2, 1}), f32({2})); });
}

}  // namespace
}  // namespace heddle
