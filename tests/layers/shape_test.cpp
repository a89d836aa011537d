#include "support.h"

namespace heddle {
namespace {

using namespace layer_tests;

struct ShapeCase {
    std::string label;
    Layer layer;
    Shape input;
    Shape output;
};

std::vector<ShapeCase> shape_cases() {
    const Padding same = Padding::same;
    return {
        {"conv", Conv2D(4, 3), {7, 9, 2}, {5, 7, 4}},
        {"conv_same", Conv2D(4, 3, {.padding = same}), {7, 9, 2}, {7, 9, 4}},
        {"conv_same_stride", Conv2D(4, 3, {.strides = 2, .padding = same}), {8, 7, 2}, {4, 4, 4}},
        {"conv_valid_stride", Conv2D(4, {3, 2}, {.strides = {2, 3}}), {8, 8, 2}, {3, 3, 4}},
        {"conv_dilated", Conv2D(4, 3, {.dilation_rate = 2}), {9, 8, 2}, {5, 4, 4}},
        {"conv_pixels", Conv2D(4, 3, {.strides = 2, .padding = Padding::pixels(1)}), {8, 8, 2}, {4, 4, 4}},
        {"conv_grouped", Conv2D(4, 1, {.groups = 2}), {3, 3, 6}, {3, 3, 4}},
        {"max", MaxPooling2D(2), {7, 8, 3}, {3, 4, 3}},
        {"max_same", MaxPooling2D(2, {.padding = same}), {7, 8, 3}, {4, 4, 3}},
        {"max_overlapping", MaxPooling2D(3, {.strides = 2, .padding = Padding::pixels(1)}), {8, 8, 3}, {4, 4, 3}},
        {"average", AveragePooling2D({2, 3}), {7, 9, 3}, {3, 3, 3}},
        {"average_same", AveragePooling2D(3, {.strides = 2, .padding = same}), {7, 8, 3}, {4, 4, 3}},
        {"global_average", GlobalAveragePooling2D(), {7, 8, 3}, {3}},
        {"global_max", GlobalMaxPooling2D(), {7, 8, 3}, {3}},
        {"dense", Dense(5), {3}, {5}},
        {"dense_of_sequences", Dense(5), {4, 3}, {4, 5}},
        {"flatten", Flatten(), {2, 3, 4}, {24}},
        {"flatten_flat", Flatten(), {6}, {6}},
        {"reshape", Reshape({4, 3}), {2, 6}, {4, 3}},
        {"reshape_open", Reshape({2, -1}), {4, 3}, {2, 6}},
        {"dropout", Dropout(0.5f), {4, 3}, {4, 3}},
        {"rescaling", Rescaling(1.0 / 255), {4, 3}, {4, 3}},
        {"input", InputLayer({4, 3}), {4, 3}, {4, 3}},
        {"activation", Activation("gelu"), {4, 3}, {4, 3}},
        {"softmax", Softmax(), {4, 3}, {4, 3}},
        {"leaky_relu", LeakyReLU(), {4, 3}, {4, 3}},
        {"batch_norm", BatchNormalization(), {4, 5, 3}, {4, 5, 3}},
        {"batch_norm_flat", BatchNormalization(), {3}, {3}},
        {"transpose", Conv2DTranspose(4, 3), {7, 9, 2}, {9, 11, 4}},
        {"transpose_stride", Conv2DTranspose(4, 3, {.strides = 2}), {5, 4, 2}, {11, 9, 4}},
        {"transpose_stride_beyond", Conv2DTranspose(4, 2, {.strides = 3}), {5, 4, 2}, {15, 12, 4}},
        {"transpose_same", Conv2DTranspose(4, {5, 2}, {.strides = {2, 3}, .padding = same}), {5, 4, 2}, {10, 12, 4}},
        {"transpose_same_more",
         Conv2DTranspose(4, 3, {.strides = 2, .padding = same, .output_padding = Size2(0)}),
         {5, 4, 2},
         {9, 7, 4}},
        {"transpose_pixels",
         Conv2DTranspose(4, 3, {.strides = 2, .padding = Padding::pixels(1), .output_padding = Size2(1)}),
         {5, 4, 2},
         {10, 8, 4}},
        {"up", UpSampling2D({2, 3}), {5, 4, 2}, {10, 12, 2}},
        {"zero_padding", ZeroPadding2D({1, 2, 3, 4}), {5, 4, 2}, {8, 11, 2}},
        {"cropping", Cropping2D({1, 2, 0, 1}), {5, 4, 2}, {2, 3, 2}},
        {"conv1d", Conv1D(4, 3), {9, 2}, {7, 4}},
        {"conv1d_same", Conv1D(4, 3, {.strides = 2, .padding = same}), {9, 2}, {5, 4}},
        {"conv1d_causal", Conv1D(4, 3, {.padding = Padding::causal, .dilation_rate = 3}), {9, 2}, {9, 4}},
        {"max1d", MaxPooling1D(2), {9, 2}, {4, 2}},
        {"average1d", AveragePooling1D(3, {.strides = 1, .padding = same}), {9, 2}, {9, 2}},
        {"global_average1d", GlobalAveragePooling1D(), {9, 2}, {2}},
        {"global_max1d", GlobalMaxPooling1D(), {9, 2}, {2}},
        {"noise", GaussianNoise(0.1f), {4, 3}, {4, 3}},
        {"permute", Permute({3, 1, 2}), {4, 3, 5}, {5, 4, 3}},
        {"repeat", RepeatVector(4), {3}, {4, 3}},
        {"lambda", Lambda([](const Tensor& x) { return x.sum(-1); }), {4, 3}, {4}},
        {"lambda_told",
         Lambda(
             [](const Tensor& x) {
                 return x.reshape(Shape{x.size(0), 12});
             },
             [](const Shape& shape) { return Shape{shape.elements()}; }),
         {4, 3},
         {12}},
        {"sequential", Sequential{Conv2D(4, 3), MaxPooling2D(2), Flatten(), Dense(7)}, {8, 8, 3}, {7}},
    };
}

TEST(Shapes, OutputShapeIsWhatForwardGives) {
    for (const ShapeCase& c : shape_cases()) {
        SCOPED_TRACE(c.label);
        c.layer.build({c.input});
        EXPECT_EQ(c.layer->output_shapes({c.input}), std::vector<Shape>{c.output});
        Shape batch{2};
        for (const std::int64_t extent : c.input) batch.push_back(extent);
        Shape expected{2};
        for (const std::int64_t extent : c.output) expected.push_back(extent);
        for (const bool training : {false, true}) EXPECT_EQ(c.layer(values(batch), training).shape(), expected);
    }
}

TEST(Shapes, ReshapeKnowsItsExtentsWithoutExamples) {
    const Tensor empty = Tensor::ones(Shape{0, 4, 6});
    EXPECT_EQ(Reshape(Shape{-1})(empty).shape(), (Shape{0, 24}));
    EXPECT_EQ(Reshape(Shape{3, -1})(empty).shape(), (Shape{0, 3, 8}));
}

TEST(Shapes, MergeLayers) {
    const Shape a{4, 5, 3}, b{4, 5, 2};
    EXPECT_EQ(Add()->output_shapes({a, a, a}), std::vector<Shape>{a});
    EXPECT_EQ(Multiply()->output_shapes({a, a}), std::vector<Shape>{a});
    EXPECT_EQ(Concatenate()->output_shapes({a, b}), (std::vector<Shape>{{4, 5, 5}}));
    EXPECT_EQ(Concatenate(3)->output_shapes({a, b}), (std::vector<Shape>{{4, 5, 5}}));
    EXPECT_EQ(Concatenate(1)->output_shapes({a, a}), (std::vector<Shape>{{8, 5, 3}}));
    EXPECT_EQ(Concatenate(-3)->output_shapes({a, a}), (std::vector<Shape>{{8, 5, 3}}));
    const Tensor x = values({2, 4, 5, 3}), y = values({2, 4, 5, 2}, DType::f32, 2);
    EXPECT_EQ(Concatenate()(std::vector{x, y})[0].shape(), (Shape{2, 4, 5, 5}));
    EXPECT_EQ(Concatenate(1)(std::vector{x, x})[0].shape(), (Shape{2, 8, 5, 3}));
    EXPECT_LT(relative_error(Add()(std::vector{x, x, x})[0], x * 3.0), 1e-6);
    EXPECT_LT(relative_error(Multiply()(std::vector{x, x})[0], x * x), 1e-6);
}

TEST(SamePadding, IsTensorFlows) {
    struct Case {
        std::int64_t extent, kernel, stride, dilation, before, after;
    };
    // Computed by TensorFlow's rule: outputs = ceil(extent / stride); the odd pixel goes behind.
    for (const Case& c :
         {Case{5, 3, 2, 1, 1, 1}, Case{6, 3, 2, 1, 0, 1}, Case{32, 3, 2, 1, 0, 1}, Case{28, 5, 1, 1, 2, 2},
          Case{4, 2, 1, 1, 0, 1}, Case{5, 2, 2, 1, 0, 1}, Case{7, 3, 1, 2, 2, 2}, Case{7, 1, 3, 1, 0, 0},
          Case{224, 7, 2, 1, 2, 3}, Case{2, 5, 1, 1, 2, 2}}) {
        const auto rows = Padding(Padding::same).resolve(c.extent, 1, {c.kernel, 1}, {c.stride, 1}, {c.dilation, 1});
        EXPECT_EQ(rows, (std::array<std::int64_t, 4>{c.before, c.after, 0, 0})) << c.extent << " " << c.kernel;
        const auto columns = Padding(Padding::same).resolve(1, c.extent, {1, c.kernel}, {1, c.stride}, {1, c.dilation});
        EXPECT_EQ(columns, (std::array<std::int64_t, 4>{0, 0, c.before, c.after})) << c.extent << " " << c.kernel;
    }
}

TEST(SamePadding, ConvolutionPadsBehind) {
    const Conv2D layer(1, 3, {.strides = 2, .padding = Padding::same, .kernel_initializer = Initializer::ones});
    EXPECT_EQ(numbers(layer(Tensor::ones({1, 4, 4, 1}))), (std::vector<double>{9, 6, 6, 4}));
    // PyTorch's padding of 1 looks at other pixels.
    const Conv2D symmetric(1, 3,
                           {.strides = 2, .padding = Padding::pixels(1), .kernel_initializer = Initializer::ones});
    EXPECT_EQ(numbers(symmetric(Tensor::ones({1, 4, 4, 1}))), (std::vector<double>{4, 6, 6, 9}));
}

TEST(SamePadding, AverageDoesNotCountPaddedPixels) {
    const Tensor x = Tensor::from<float>({1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 3, 3, 1});
    EXPECT_EQ(numbers(AveragePooling2D(2, {.padding = Padding::same})(x)), (std::vector<double>{3, 4.5, 7.5, 9}));
    EXPECT_EQ(numbers(MaxPooling2D(2, {.padding = Padding::same})(x * -1.0)), (std::vector<double>{-1, -3, -7, -9}));
}

TEST(Shapes, BadShapesSayWhatIsWrong) {
    EXPECT_EQ(error_of([] { Conv2D(4, 3)->output_shape({5}); }),
              "Conv2D: expected pictures [height, width, channels], got [5]");
    EXPECT_EQ(error_of([] {
                  Conv2D(4, 3)(values({2, 8, 8}));
              }),
              "Conv2D: expected pictures [height, width, channels], got [8, 8]");
    EXPECT_EQ(error_of([] { Conv2D(4, 1, {.groups = 3}); }), "Conv2D: 4 filters do not divide into 3 groups");
    EXPECT_EQ(error_of([] {
                  Conv2D(3, 1, {.groups = 3})(values({1, 2, 2, 4}));
              }),
              "Conv2D: 4 input channels do not divide into 3 groups");
    EXPECT_EQ(error_of([] {
                  Conv2D(4, 5)(values({1, 4, 4, 1}));
              }),
              "Conv2D: the kernel reaches over 5 pixels, the padded input has 4 (input shape [1, 4, 4, 1])");
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 8, 8, 3}}) {
        EXPECT_EQ(error_of([&] { GlobalAveragePooling2D()->output_shape(shape); }),
                  "GlobalAveragePooling2D: expected pictures [height, width, channels], got " + shape.to_string());
        EXPECT_THROW(GlobalMaxPooling2D()->output_shape(shape), Error);
    }
    EXPECT_EQ(error_of([] { Reshape({5, 3})->output_shape({2, 6}); }), "Reshape: [5, 3] does not fit [2, 6]");
    EXPECT_EQ(error_of([] { Reshape({-1, -1}); }), "Reshape: more than one extent of [-1, -1] is open");
    EXPECT_EQ(error_of([] {
                  InputLayer({3})(values({2, 4}));
              }),
              "InputLayer: expected samples of shape [3], got [4] (input shape [2, 4])");
    EXPECT_EQ(error_of([] { Add()->output_shapes({{3}, {4}}); }), "Add: shapes [3] and [4] differ");
    EXPECT_EQ(error_of([] {
                  Add()(std::vector{values({2, 3}), values({2, 1})});
              }),
              "Add: shapes [2, 3] and [2, 1] differ");
    EXPECT_EQ(error_of([] {
                  Multiply()(std::vector{values({2, 3})});
              }),
              "Multiply: expected at least two inputs, got 1");
    EXPECT_EQ(error_of([] {
                  Concatenate()->output_shapes({{3, 1}, {4, 1}});
              }),
              "Concatenate: [4, 1] does not go with [3, 1]");
    EXPECT_EQ(error_of([] { Concatenate(0); }), "Concatenate: axis 0 is the batch dimension");
    EXPECT_EQ(error_of([] { MaxPooling2D(0); }), "pooling: pool size and strides must be at least 1");
    EXPECT_EQ(error_of([] { Dropout(1.0f); }), "Dropout: rate 1 is outside 0 .. 1");
    EXPECT_EQ(error_of([] { Dense(0); }), "Dense: expected at least one unit, got 0");
    EXPECT_EQ(error_of([] { BatchNormalization({.epsilon = 0}); }),
              "BatchNormalization: epsilon must be positive, got 0");
    EXPECT_EQ(error_of([] { Layer()(values({1, 1})); }), "an empty Layer was called");
    EXPECT_EQ(error_of([] { Dense(2)(Tensor()); }),
              "Dense: expected inputs with a batch dimension, got an undefined tensor");
    EXPECT_EQ(error_of([] { Dense(2)(Tensor::scalar(1)); }),
              "Dense: expected inputs with a batch dimension, got f32 []");
}

}  // namespace
}  // namespace heddle
