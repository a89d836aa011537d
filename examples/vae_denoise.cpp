// A variational autoencoder (Kingma and Welling 2014) that cleans pictures: it sees a noisy picture, encodes a normal
// distribution over 32 numbers, draws from it, and decodes the clean picture. The traps: the encoder gives the
// logarithm of the variance (a variance could become negative); the draw is mean + deviation * noise, so that gradients
// pass; the two parts of the loss are both sums over a picture (a mean over pixels makes the other part 784 times too
// strong).
#include "examples/common/example.h"

#include <cmath>
#include <cstdio>

using namespace heddle;

namespace {

constexpr std::int64_t code = 32;
constexpr double noise = 0.3;

Model make_encoder() {
    const Symbol in = Input(Shape{28, 28, 1});
    Symbol h = Conv2D(32, 3, {.strides = 2, .padding = Padding::same, .activation = Activation::relu})(in);
    h = Conv2D(64, 3, {.strides = 2, .padding = Padding::same, .activation = Activation::relu})(h);
    h = Dense(256, {.activation = Activation::relu})(Flatten()(h));
    return Model(in, Dense(2 * code)(h));  // means, then logarithms of variances
}

Model make_decoder() {
    const Symbol in = Input(Shape{code});
    Symbol h = Dense(256, {.activation = Activation::relu})(in);
    h = Reshape(Shape{7, 7, 64})(Dense(7 * 7 * 64, {.activation = Activation::relu})(h));
    h = Conv2DTranspose(32, 4, {.strides = 2, .padding = Padding::same, .activation = Activation::relu})(h);
    return Model(in, Conv2DTranspose(1, 4, {.strides = 2, .padding = Padding::same})(h));  // logits of pixels
}

Tensor add_noise(const Tensor& pictures) {
    return ops::clip(pictures + ops::random_normal(pictures.shape(), 0, noise, pictures.options()), 0, 1);
}

double psnr(const Tensor& said, const Tensor& clean) {
    return -10 * std::log10(ops::mean(ops::square(said - clean)).item());
}

Tensor means(const Tensor& encoded) { return ops::slice(encoded, {{}, {0, code}}); }

Tensor decode(const Model& decoder, const Tensor& codes) { return ops::sigmoid(decoder.predict(codes)); }

void program(const examples::Arguments& args) {
    const DataSource data = examples::open_pictures(args);
    const Dataset train = args.limited(data.train).with_normalization({}, {}),
                  test = data.test.with_normalization({}, {});
    const Model encoder = make_encoder(), decoder = make_decoder();
    encoder.to(args.device);
    decoder.to(args.device);
    NamedTensors parameters;
    for (const auto& [name, parameter] : encoder.parameters()) parameters.emplace_back("encoder." + name, parameter);
    for (const auto& [name, parameter] : decoder.parameters()) parameters.emplace_back("decoder." + name, parameter);
    DataLoader loader(train, {.batch_size = 128, .shuffle = true, .seed = args.seed});
    const Optimizer optimizer = Adam(
        {.learning_rate = CosineDecay({.initial_learning_rate = 1e-3, .decay_steps = args.epochs * loader.steps()})});

    const Tensor clean = test.batch(0, 2000).inputs[0].to(args.device), noisy = add_noise(clean);
    std::vector<double> losses, quality;
    for (std::int64_t epoch = 0; epoch < args.epochs; ++epoch) {
        double sum = 0;
        for (const Batch& batch : loader.epoch(static_cast<std::uint64_t>(epoch))) {
            const Tensor pictures = batch.inputs[0].to(args.device);
            const Tensor encoded = encoder(add_noise(pictures), true);
            const Tensor mean = means(encoded), log_variance = ops::slice(encoded, {{}, {code, 2 * code}});
            const Tensor drawn =
                mean + ops::exp(log_variance * 0.5) * ops::random_normal(mean.shape(), 0, 1, mean.options());
            const Tensor reconstruction = ops::binary_cross_entropy(decoder(drawn, true), pictures) * (28.0 * 28.0);
            const Tensor divergence =
                (ops::exp(log_variance) + ops::square(mean) - 1.0 - log_variance).mean() * (0.5 * code);
            const Tensor loss = reconstruction + divergence;
            loss.backward();
            optimizer.step(parameters);
            encoder.zero_grad();
            decoder.zero_grad();
            sum += loss.item();
        }
        losses.push_back(sum / static_cast<double>(loader.steps()));
        quality.push_back(psnr(decode(decoder, means(encoder.predict(noisy))), clean));
        std::printf("epoch %lld: loss %.2f, PSNR of 2,000 test pictures %.2f dB\n", static_cast<long long>(epoch + 1),
                    losses.back(), quality.back());
        std::fflush(stdout);
    }
    const Tensor cleaned = decode(decoder, means(encoder.predict(noisy)));
    examples::print_result("PSNR of the cleaned pictures, dB", psnr(cleaned, clean), "of the noisy ones",
                           psnr(noisy, clean));
    examples::print_result("gain, dB", psnr(cleaned, clean) - psnr(noisy, clean));
    plot_lines(args.file("curves.png"), {.title = "Denoising VAE",
                                         .panels = {{.title = "loss", .lines = {{.y = losses}}},
                                                    {.title = "PSNR, dB", .lines = {{.y = quality}}}}});

    const auto save = [&](const char* name, const char* title, const std::vector<Tensor>& rows, int columns) {
        save_picture_grid(args.file(name), to_pictures(ops::concat(rows, 0).to(Device::cpu())),
                          {.title = title, .columns = columns, .cell = 56});
    };
    save("denoised.png", "clean, noisy, cleaned", {clean.slice(0, 10), noisy.slice(0, 10), cleaned.slice(0, 10)}, 10);
    save("samples.png", "drawn from the latent space",
         {decode(decoder, ops::random_normal(Shape{64, code}, 0, 1, {.device = args.device}))}, 8);
    // A walk: straight lines between the codes of four pairs of test pictures.
    const Tensor codes = means(encoder.predict(clean.slice(0, 8)));
    std::vector<Tensor> walk;
    for (int pair = 0; pair < 4; ++pair)
        for (int step = 0; step < 10; ++step)
            walk.push_back(
                (codes.slice(pair, pair + 1) * (1 - step / 9.0) + codes.slice(pair + 4, pair + 5) * (step / 9.0)));
    save("walk.png", "walks between two pictures", {decode(decoder, ops::concat(walk, 0))}, 10);
    encoder.save(args.file("encoder.safetensors"));
    decoder.save(args.file("decoder.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "A variational autoencoder cleans noisy pictures",
                          .data = "fashion-mnist",
                          .how_to_get = "Debian: apt install dataset-fashion-mnist",
                          .epochs = 12},
                         program);
}
