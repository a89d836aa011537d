#include "bench/suites.h"

// Data alone: which layers a suite holds. Every shape that occurs in a model stands once, under the name of its first
// layer.
namespace heddle::bench {
namespace {

using Numbers = std::vector<std::pair<std::string, std::int64_t>>;

/// A convolution of c channels of an h x h picture to k: the three operations of training.
void convolution(Suite& suite, const std::string& name, std::int64_t n, std::int64_t h, std::int64_t c, std::int64_t k,
                 std::int64_t r, std::int64_t stride = 1, bool backward_data = true) {
    const Numbers dims{{"n", n}, {"h", h}, {"w", h},           {"c", c},      {"k", k},
                       {"r", r}, {"s", r}, {"stride", stride}, {"pad", r / 2}};
    suite.cases.push_back({name, "conv2d_forward", dims});
    if (backward_data) suite.cases.push_back({name, "conv2d_backward_data", dims});  // the first layer needs none
    suite.cases.push_back({name, "conv2d_backward_weights", dims});
}

/// A stage of basic blocks: the convolution that halves an h x h picture, the 1 x 1 one beside it where the shortcut
/// has one, and the others.
void halving_stage(Suite& suite, const std::string& name, std::int64_t n, std::int64_t h, std::int64_t c,
                   std::int64_t k, bool shortcut) {
    convolution(suite, name + ".down", n, h, c, k, 3, 2);
    if (shortcut) convolution(suite, name + ".shortcut", n, h, c, k, 1, 2);
    convolution(suite, name, n, h / 2, k, k, 3);
}

/// The last convolution of a residual block of h x h pictures as evaluation runs it: with the batch norm folded into
/// its weights, the shortcut and ReLU.
void block_end(Suite& suite, const std::string& name, std::int64_t n, std::int64_t h, std::int64_t c, std::int64_t k,
               std::int64_t r) {
    suite.cases.push_back({name,
                           "conv2d_forward",
                           {{"n", n},
                            {"h", h},
                            {"w", h},
                            {"c", c},
                            {"k", k},
                            {"r", r},
                            {"s", r},
                            {"pad", r / 2},
                            {"bias", 1},
                            {"relu", 1},
                            {"residual", 1}}});
}

/// Batch norm, with ReLU, forward and backward.
void norm(Suite& suite, const std::string& name, std::int64_t n, std::int64_t h, std::int64_t c) {
    const Numbers dims{{"n", n}, {"h", h}, {"w", h}, {"c", c}, {"relu", 1}};
    suite.cases.push_back({name, "batch_norm_forward", dims});
    suite.cases.push_back({name, "batch_norm_backward", dims});
}

/// The head: global average pooling and a Dense layer, forward and backward.
void head(Suite& suite, std::int64_t n, std::int64_t h, std::int64_t c, std::int64_t classes) {
    const Numbers pool{{"n", n}, {"h", h}, {"w", h}, {"c", c}, {"kernel", h}};
    suite.cases.push_back({"pool", "avg_pool2d_forward", pool});
    suite.cases.push_back({"pool", "avg_pool2d_backward", pool});
    suite.cases.push_back({"fc", "matmul", {{"m", n}, {"n", classes}, {"k", c}, {"transpose_b", 1}, {"bias", 1}}});
    suite.cases.push_back({"fc dx", "matmul", {{"m", n}, {"n", c}, {"k", classes}}});
    suite.cases.push_back({"fc dw", "matmul", {{"m", classes}, {"n", c}, {"k", n}, {"transpose_a", 1}}});
}

/// He et al. 2016, arXiv:1512.03385, section 4.2, at the batch of its recipe.
Suite resnet20() {
    Suite s{"resnet20", "ResNet-20 on 32 x 32 pictures, batch 128", {}};
    convolution(s, "conv1", 128, 32, 3, 16, 3, 1, false);
    convolution(s, "stage1", 128, 32, 16, 16, 3);
    halving_stage(s, "stage2", 128, 32, 16, 32, false);
    halving_stage(s, "stage3", 128, 16, 32, 64, false);
    for (const int stage : {1, 2, 3})
        block_end(s, "stage" + std::to_string(stage) + ".end", 128, 64 >> stage, 8 << stage, 8 << stage, 3);
    norm(s, "stage1.bn", 128, 32, 16);
    norm(s, "stage2.bn", 128, 16, 32);
    norm(s, "stage3.bn", 128, 8, 64);
    head(s, 128, 8, 64, 10);
    return s;
}

Suite resnet18_cifar() {
    Suite s{"resnet18-cifar", "ResNet-18 with a stem for 32 x 32 pictures, batch 64", {}};
    convolution(s, "conv1", 64, 32, 3, 64, 3, 1, false);
    convolution(s, "layer1", 64, 32, 64, 64, 3);
    halving_stage(s, "layer2", 64, 32, 64, 128, true);
    halving_stage(s, "layer3", 64, 16, 128, 256, true);
    halving_stage(s, "layer4", 64, 8, 256, 512, true);
    for (const int layer : {1, 2, 3, 4})
        block_end(s, "layer" + std::to_string(layer) + ".end", 64, 64 >> layer, 32 << layer, 32 << layer, 3);
    norm(s, "layer1.bn", 64, 32, 64);
    norm(s, "layer4.bn", 64, 4, 512);
    head(s, 64, 4, 512, 10);
    return s;
}

/// The bottlenecks of He et al. 2016, stride in the 3 x 3 convolution as torchvision has it.
Suite resnet50() {
    Suite s{"resnet50", "ResNet-50 on 224 x 224 pictures, batch 16", {}};
    constexpr std::int64_t n = 16;
    convolution(s, "conv1", n, 224, 3, 64, 7, 2, false);
    const Numbers stem{{"n", n}, {"h", 112}, {"w", 112}, {"c", 64}, {"kernel", 3}, {"stride", 2}, {"pad", 1}};
    for (const char* operation : {"max_pool2d_forward", "max_pool2d_backward"})
        s.cases.push_back({"maxpool", operation, stem});
    Numbers fused = stem;
    fused.emplace_back("relu", 1);
    for (const char* operation : {"batch_norm_pool_forward", "batch_norm_pool_backward"})
        s.cases.push_back({"bn1 + maxpool", operation, fused});
    convolution(s, "layer1.0.conv1", n, 56, 64, 64, 1);
    std::int64_t h = 56, inputs = 64;
    for (int layer = 1; layer <= 4; ++layer) {
        const std::int64_t width = std::int64_t{32} << layer, outputs = 4 * width, stride = layer == 1 ? 1 : 2;
        const std::string name = "layer" + std::to_string(layer);
        if (layer > 1) convolution(s, name + ".0.conv1", n, h, inputs, width, 1);
        if (layer > 1) convolution(s, name + ".0.conv2", n, h, width, width, 3, 2);
        convolution(s, name + ".0.downsample", n, h, inputs, outputs, 1, stride);
        h /= stride;
        convolution(s, name + ".conv1", n, h, outputs, width, 1);
        convolution(s, name + ".conv2", n, h, width, width, 3);
        convolution(s, name + ".conv3", n, h, width, outputs, 1);
        block_end(s, name + ".end", n, h, width, outputs, 1);
        norm(s, name + ".bn3", n, h, outputs);
        inputs = outputs;
    }
    head(s, n, 7, 2048, 1000);
    return s;
}

Suite lstm() {
    Suite s{"lstm", "recurrent layers: series, characters, words", {}};
    const auto add = [&](const char* name, std::int64_t batch, std::int64_t time, std::int64_t inputs,
                         std::int64_t units, std::int64_t cell) {
        const Numbers dims{{"batch", batch}, {"time", time}, {"inputs", inputs}, {"units", units}, {"cell", cell}};
        s.cases.push_back({name, "rnn_forward", dims});
        s.cases.push_back({name, "rnn_backward", dims});
    };
    add("series", 32, 30, 1, 50, 2);
    add("series gru", 32, 30, 1, 50, 3);
    add("signals", 64, 100, 64, 128, 2);
    add("signals gru", 64, 100, 64, 128, 3);
    add("characters", 64, 100, 64, 256, 2);
    add("words", 32, 35, 650, 650, 2);  // the medium model of Zaremba et al. 2014, arXiv:1409.2329
    return s;
}

Suite attention() {
    Suite s{"attention", "heads of transformers of several sizes", {}};
    const auto add = [&](const char* name, std::int64_t batch, std::int64_t length, std::int64_t heads,
                         std::int64_t size, std::int64_t causal, std::int64_t dropout = 0) {
        const Numbers dims{{"batch", batch}, {"queries", length}, {"keys", length},    {"heads", heads},
                           {"size", size},   {"causal", causal},  {"dropout", dropout}};
        s.cases.push_back({name, "attention_forward", dims});
        s.cases.push_back({name, "attention_backward", dims});
    };
    add("small encoder", 16, 128, 4, 32, 0);
    add("base encoder", 4, 512, 8, 64, 0);  // Vaswani et al. 2017
    add("base encoder, dropout", 4, 512, 8, 64, 0, 10);
    add("base decoder", 4, 512, 8, 64, 1);
    add("gpt2", 1, 1024, 12, 64, 1);  // Radford et al. 2019
    add("gpt2, dropout", 1, 1024, 12, 64, 1, 10);
    return s;
}

Suite gemm() {
    Suite s{"gemm", "matrix products: square, of Dense layers, batched", {}};
    for (const std::int64_t size : {256, 512, 1024, 2048})
        s.cases.push_back({"square " + std::to_string(size), "matmul", {{"m", size}, {"n", size}, {"k", size}}});
    const auto layer = [&](const std::string& name, std::int64_t batch, std::int64_t inputs, std::int64_t units) {
        s.cases.push_back({name,
                           "matmul",
                           {{"m", batch}, {"n", units}, {"k", inputs}, {"transpose_b", 1}, {"bias", 1}, {"relu", 1}}});
        s.cases.push_back({name + " dx", "matmul", {{"m", batch}, {"n", inputs}, {"k", units}}});
        s.cases.push_back({name + " dw", "matmul", {{"m", units}, {"n", inputs}, {"k", batch}, {"transpose_a", 1}}});
    };
    layer("dense 784 512", 128, 784, 512);
    layer("dense 512 10", 128, 512, 10);
    layer("mlp 768 3072", 512, 768, 3072);
    s.cases.push_back(
        {"batched 128", "matmul", {{"m", 128}, {"n", 128}, {"k", 32}, {"batch", 128}, {"transpose_b", 1}}});
    s.cases.push_back({"row", "matmul", {{"m", 1}, {"n", 4096}, {"k", 4096}, {"transpose_b", 1}}});
    return s;
}

Suite memory_bound() {
    Suite s{"memory-bound", "operations that wait for memory", {}};
    norm(s, "bn 32x32x64", 64, 32, 64);
    for (const char* operation : {"layer_norm_forward", "layer_norm_backward"})
        s.cases.push_back({"8192 x 768", operation, {{"rows", 8192}, {"features", 768}}});
    for (const char* operation : {"softmax_forward", "softmax_backward"})
        s.cases.push_back({"8192 x 1000", operation, {{"rows", 8192}, {"classes", 1000}}});
    for (const char* operation : {"max_pool2d_forward", "max_pool2d_backward"})
        s.cases.push_back({"vgg 112x112x128", operation, {{"n", 8}, {"h", 112}, {"w", 112}, {"c", 128}}});
    for (const auto& [name, operation] :
         std::initializer_list<std::pair<const char*, const char*>>{{"add_128x32x32x32", "binary"},
                                                                    {"add_bias_128x32x32x32", "binary"},
                                                                    {"relu_128x32x32x32", "unary"},
                                                                    {"sum_channels_128x32x32x32", "reduce"},
                                                                    {"sum_last_4096x1024", "reduce"},
                                                                    {"nhwc_to_nchw_128x32x32x64", "permute"},
                                                                    {"transpose_2048x2048", "permute"},
                                                                    {"batch128x1000", "cross_entropy_forward"},
                                                                    {"dense4096x1024", "sgd_step"},
                                                                    {"dense4096x1024", "adam_step"}})
        s.cases.push_back({name, operation, {}});
    return s;
}

}  // namespace

const std::vector<Suite>& suites() {
    static const std::vector<Suite> list = {resnet20(),  resnet18_cifar(), resnet50(),    lstm(),
                                            attention(), gemm(),           memory_bound()};
    return list;
}

}  // namespace heddle::bench
