#include <filesystem>
#include <map>

#include "data/files/safetensors.h"
#include "support.h"

// Layers against PyTorch's (tests/layers/make_vectors.py): results, gradients, and weights under PyTorch's names and in
// its layouts, which come from a file and go into one.
namespace heddle {
namespace {

using namespace layer_tests;

/// A recurrent layer that takes {x, mask} as one that takes x, with the mask of sequences of 2, 5 and 4 steps.
class OfLengths : public Layer {
    struct Impl : LayerImpl {
        Layer inner;
        explicit Impl(Layer layer) : inner(std::move(layer)) { add_child("layer", inner); }
        const char* class_name() const override { return "OfLengths"; }
        void build(const Shape& input) override { inner.build({input, Shape{input[0]}}); }
        Tensor forward(const Tensor& x, bool training) override {
            const Tensor mask = Tensor::from<std::int32_t>({1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0}, Shape{3, 5});
            return inner({x, mask}, training).front();
        }
        Shape output_shape(const Shape& input) const override {
            return inner->output_shapes({input, Shape{input[0]}}).front();
        }
    };

  public:
    explicit OfLengths(const Layer& layer) : Layer(std::make_shared<Impl>(layer)) {}
};

void add_recurrent(std::map<std::string, Layer>& all) {
    const auto add = [&](const std::string& name, auto make) {
        all.emplace(name + "_sequences", make(7, true, false));
        all.emplace(name + "_last", make(3, false, false));
        all.emplace(name + "_both_ways", Bidirectional(make(5, true, false)));
        all.emplace(name + "_both_ways_last", Bidirectional(make(5, false, false)));
        all.emplace(name + "_lengths", OfLengths(Bidirectional(make(4, true, true))));
        all.emplace(name + "_lengths_last", OfLengths(make(4, false, true)));
    };
    add("rnn", [](std::int64_t units, bool sequences, bool masked) -> Layer {
        return SimpleRNN(units, {.return_sequences = sequences, .masked = masked});
    });
    add("lstm", [](std::int64_t units, bool sequences, bool masked) -> Layer {
        return LSTM(units, {.return_sequences = sequences, .masked = masked});
    });
    add("gru", [](std::int64_t units, bool sequences, bool masked) -> Layer {
        return GRU(units, {.return_sequences = sequences, .masked = masked});
    });
    all.emplace("rnn_relu", SimpleRNN(7, {.activation = Activation::relu, .return_sequences = true}));
    all.emplace("lstm_without_bias", LSTM(4, {.use_bias = false, .return_sequences = true}));
}

std::map<std::string, Layer> layers() {
    const auto up = [](Size2 size, Interpolation interpolation) {
        return UpSampling2D(size, {.interpolation = interpolation});
    };
    const auto pixels = [](std::int64_t count) { return Padding::pixels(count); };
    std::map<std::string, Layer> all{
        {"embedding", Embedding(7, 5)},
        {"embedding_padding", Embedding(7, 5, {.padding_index = 2})},
        {"transpose_valid", Conv2DTranspose(4, 3)},
        {"transpose_stride", Conv2DTranspose(2, {3, 4}, {.strides = {2, 3}})},
        {"transpose_padding", Conv2DTranspose(3, 4, {.strides = 2, .padding = pixels(1), .use_bias = false})},
        {"transpose_output_padding",
         Conv2DTranspose(3, 3, {.strides = 2, .padding = pixels(1), .output_padding = Size2(1)})},
        {"transpose_dilation", Conv2DTranspose(3, 3, {.strides = 2, .dilation_rate = 2})},
        {"transpose_same", Conv2DTranspose(2, 3, {.strides = 2, .padding = Padding::same})},
        {"transpose_same_even", Conv2DTranspose(2, 4, {.strides = 2, .padding = Padding::same})},
        {"transpose_stride_beyond", Conv2DTranspose(2, 2, {.strides = 3})},
        {"up_nearest_2_2", up(2, Interpolation::nearest)},
        {"up_nearest_3_3", up(3, Interpolation::nearest)},
        {"up_nearest_1_4", up({1, 4}, Interpolation::nearest)},
        {"up_nearest_5_2", up({5, 2}, Interpolation::nearest)},
        {"up_bilinear_2_2", up(2, Interpolation::bilinear)},
        {"up_bilinear_3_3", up(3, Interpolation::bilinear)},
        {"up_bilinear_1_4", up({1, 4}, Interpolation::bilinear)},
        {"up_bilinear_5_2", up({5, 2}, Interpolation::bilinear)},
        {"conv1d", Conv1D(6, 3)},
        {"conv1d_all", Conv1D(6, 3,
                              {.strides = 2,
                               .padding = Padding::pixels(0, 0, 2, 2),
                               .dilation_rate = 2,
                               .groups = 2,
                               .use_bias = false})},
        {"conv1d_causal", Conv1D(5, 3, {.padding = Padding::causal, .dilation_rate = 2})},
        {"max_pool1d", MaxPooling1D(3, {.strides = 2})},
        {"average_pool1d", AveragePooling1D(2)},
        {"zero_padding", ZeroPadding2D({1, 2, 3, 0})},
        {"elu", ELU(0.7f)},
        {"layer_norm", LayerNormalization({.epsilon = 0x1p-10f})},
        {"self_attention", MultiHeadAttention(3, 4)},
        {"self_attention_causal", MultiHeadAttention(2, 5, {.use_bias = false, .causal = true})},
    };
    add_recurrent(all);
    return all;
}

/// Layers behind one that makes a mask (tests/layers/make_mask_vectors.py).
std::map<std::string, Layer> masked_layers() {
    std::map<std::string, Layer> all{
        {"reader", Sequential{Embedding(9, 4, {.mask_zero = true}), LSTM(3, {.return_sequences = true}),
                              GlobalAveragePooling1D(), Dense(2)}},
        {"attended", Sequential{Masking(-1), MultiHeadAttention(2, 4), GlobalAveragePooling1D()}},
    };
    const auto add = [&](const std::string& kind, auto make) {
        for (const std::string where : {"behind", "in_front", "holes"}) {
            all.emplace(kind + "_" + where, Sequential{Masking(-1), Bidirectional(make(true))});
            all.emplace(kind + "_" + where + "_last", Sequential{Masking(-1), make(false)});
        }
    };
    add("rnn", [](bool sequences) -> Layer { return SimpleRNN(4, {.return_sequences = sequences}); });
    add("lstm", [](bool sequences) -> Layer { return LSTM(4, {.return_sequences = sequences}); });
    add("gru", [](bool sequences) -> Layer { return GRU(4, {.return_sequences = sequences}); });
    return all;
}

/// A file of this test's own, removed at the end.
struct ScratchFile {
    std::string path;
    ScratchFile() : path((std::filesystem::temp_directory_path() / "heddle_layers.safetensors").string()) {}
    ~ScratchFile() { std::filesystem::remove(path); }
};

/// Compares the layers that a file has; their number.
std::size_t compare_with(const std::string& name, const std::map<std::string, Layer>& known) {
    const SafetensorsFile file = load_safetensors(std::string(HEDDLE_TEST_FOLDER) + "/vectors/" + name);
    std::size_t cases = 0;
    for (const auto& [layer, options] : file.metadata) {
        if (layer == "torch") continue;
        SCOPED_TRACE(layer);
        ++cases;
        std::map<std::string, Tensor> tensors;
        NamedTensors weights;
        for (const auto& [path, tensor] : file.tensors) {
            if (!path.starts_with(layer + "/")) continue;
            const std::string key = path.substr(layer.size() + 1);
            tensors[key] = tensor;
            if (key.starts_with("weight.")) weights.emplace_back(key.substr(7), tensor);
        }
        const Model model{known.at(layer)};
        Tensor x = tensors.at("in");
        model.build(x.shape().range(1, x.rank()));
        const ScratchFile scratch;
        save_safetensors(scratch.path, weights);
        model.load_weights(scratch.path);

        const bool wants_dx = tensors.contains("din");
        if (wants_dx) x.set_requires_grad();
        const Tensor y = model(x, true);
        EXPECT_LT(relative_error(y, tensors.at("out")), 2e-6);
        if (y.requires_grad()) y.backward(tensors.at("dout"));
        if (wants_dx) {
            EXPECT_LT(relative_error(x.grad(), tensors.at("din")), 2e-6);
        }

        // Gradients lie like their weights: through a file they come out as PyTorch has them.
        std::size_t checked = 0;
        for (const auto& [parameter, tensor] : model.parameters()) tensor.copy_(tensor.grad());
        if (weights.empty()) continue;
        model.save_weights(scratch.path);
        for (const auto& [parameter, gradient] : load_safetensors(scratch.path).tensors) {
            EXPECT_LT(relative_error(gradient, tensors.at("dweight." + parameter)), 2e-6) << parameter;
            ++checked;
        }
        EXPECT_EQ(checked, weights.size());
    }
    return cases;
}

TEST(PyTorchLayers, ResultsGradientsAndWeightsOnDisk) {
    const std::map<std::string, Layer> known = layers();
    const std::size_t cases = compare_with("layers.safetensors", known) + compare_with("sequences.safetensors", known);
    EXPECT_EQ(cases, known.size());
}

TEST(PyTorchLayers, MasksGiveWhatPackedSequencesGive) {
    const std::map<std::string, Layer> known = masked_layers();
    EXPECT_EQ(compare_with("masks.safetensors", known), known.size());
}

}  // namespace
}  // namespace heddle
