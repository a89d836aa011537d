// A custom layer: batch normalisation written with the functions of ops/, compared with the built-in one on the same
// batches, then each in its own network. The trap: forgetting the running statistics, or letting gradients flow
// into them, looks right in training and is wrong in prediction. So both modes are compared.
#include "examples/common/example.h"

#include <algorithm>
#include <cmath>

using namespace heddle;

namespace {

class MyBatchNormalization : public Layer {
    struct Impl : LayerImpl {
        static constexpr double momentum = 0.99, epsilon = 1e-3;  // Keras' defaults
        Tensor weight, bias, mean, variance;

        const char* class_name() const override { return "MyBatchNormalization"; }
        void build(const Shape& input) override {
            const Shape channels{input.back()};
            weight = add_parameter("weight", Tensor::ones(channels));
            bias = add_parameter("bias", Tensor::zeros(channels));
            mean = add_buffer("running_mean", Tensor::zeros(channels));
            variance = add_buffer("running_var", Tensor::ones(channels));
        }
        Tensor forward(const Tensor& x, bool training) override {
            if (!training) return (x - mean) / ops::sqrt(variance + epsilon) * weight + bias;
            const Tensor center = ops::mean(x, {0, 1, 2});
            const Tensor spread = ops::mean(ops::square(x - center), {0, 1, 2});  // never E[x^2] - mean^2
            mean.copy_(mean * momentum + center.detach() * (1 - momentum));
            variance.copy_(variance * momentum + spread.detach() * (1 - momentum));
            return (x - center) / ops::sqrt(spread + epsilon) * weight + bias;
        }
        Config config() const override { return Config(); }
    };

  public:
    MyBatchNormalization() : Layer(std::make_shared<Impl>()) {}
};

double relative_difference(const Tensor& a, const Tensor& b) {
    return std::sqrt(ops::sum(ops::square(a - b)).item() / ops::sum(ops::square(b)).item());
}

// Both layers on the same batches with the same gradient from above: outputs, gradients, running statistics.
double compare_layers(const Dataset& pictures) {
    const Layer mine = MyBatchNormalization(), built_in = BatchNormalization();
    const Conv2D convolution(16, 3);
    double largest = 0;
    const auto compare = [&largest](const Tensor& a, const Tensor& b) {
        largest = std::max(largest, relative_difference(a, b));
    };
    for (std::int64_t step = 0; step < 10; ++step) {
        const Tensor x = convolution(pictures.batch(step * 64, step * 64 + 64).inputs[0]).detach();
        const Tensor above = ops::random_normal(x.shape());
        Tensor outputs[2], gradients[2];
        for (int i = 0; i < 2; ++i) {
            Tensor in = x.clone();
            in.set_requires_grad();
            outputs[i] = (i == 0 ? mine : built_in)(in, true);
            outputs[i].backward(above);
            gradients[i] = in.grad();
        }
        compare(outputs[0].detach(), outputs[1].detach());
        compare(gradients[0], gradients[1]);
        compare(mine(x).detach(), built_in(x).detach());  // prediction: the running statistics
    }
    for (std::size_t p = 0; p < mine.parameters().size(); ++p)
        compare(mine.parameters()[p].second.grad(), built_in.parameters()[p].second.grad());
    return largest;
}

double train(const Layer& normalization, const DataSource& data, const examples::Arguments& args,
             const std::string& path) {
    set_seed(args.seed);
    const Sequential model{Conv2D(16, 3, {.strides = 2, .use_bias = false}), normalization, ReLU(),
                           GlobalAveragePooling2D(), Dense(10)};
    model.to(args.device);
    model.compile({.optimizer = Adam({.learning_rate = 1e-2}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"}});
    model.fit(args.limited(data.train), {.epochs = args.epochs, .batch_size = 128, .verbose = 2, .seed = args.seed});
    model.save(path);
    return model.evaluate(data.test).at("accuracy");
}

void program(const examples::Arguments& args) {
    register_layer("MyBatchNormalization", [](const Config&) { return MyBatchNormalization(); });
    const DataSource data = examples::open_pictures(args);
    std::printf("largest relative difference of outputs, gradients, predictions %.1e\n", compare_layers(data.train));
    const double built_in = train(BatchNormalization(), data, args, args.file("built_in.safetensors"));
    const double mine = train(MyBatchNormalization(), data, args, args.file("custom_layer.safetensors"));
    examples::print_result("test accuracy with the own layer", mine, "with the built-in one", built_in);
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "A batch normalisation of one's own beside the built-in one",
                          .data = "fashion-mnist",
                          .how_to_get = "Debian: apt install dataset-fashion-mnist",
                          .epochs = 2},
                         program);
}
