// A DCGAN (Radford et al. 2016): a generator makes pictures of clothes from 64 random numbers, a discriminator tells
// them from real ones, and each learns from the other. The traps: a generator whose pictures have another size or range
// than the real ones (here both are 28 x 28 in -1..1, and the last layer is a tanh); gradients of the discriminator's
// step that run on into the generator (`detach`); a sigmoid followed by a logarithm (the loss takes logits).
// A separately trained classifier then looks at the pictures: is it sure of them, and does it see every class? Being
// sure alone says little, for classifiers are sure of noise, too. The inception score (Salimans et al. 2016) asks both
// at once: 1 where every picture gets the same answer, 10 where each gets a sure one and all ten are equally frequent.
#include "examples/common/example.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

using namespace heddle;

namespace {

constexpr std::int64_t noise = 64;

Sequential generator() {
    return Sequential{Dense(7 * 7 * 128, {.use_bias = false}),
                      BatchNormalization({.momentum = 0.9f}),
                      ReLU(),
                      Reshape(Shape{7, 7, 128}),
                      Conv2DTranspose(64, 4, {.strides = 2, .padding = Padding::same, .use_bias = false}),
                      BatchNormalization({.momentum = 0.9f}),
                      ReLU(),
                      Conv2DTranspose(1, 4, {.strides = 2, .padding = Padding::same, .activation = Activation::tanh})};
}

Sequential discriminator() {
    return Sequential{Conv2D(32, 4, {.strides = 2, .padding = Padding::same}),
                      LeakyReLU(0.2f),
                      Conv2D(64, 4, {.strides = 2, .padding = Padding::same, .use_bias = false}),
                      BatchNormalization({.momentum = 0.9f}),
                      LeakyReLU(0.2f),
                      Flatten(),
                      Dense(1)};
}

// A classifier that never saw a generated picture.
Model train_judge(const examples::Arguments& args, const DataSource& data, const Dataset& train) {
    const Sequential judge{Conv2D(32, 3, {.activation = Activation::relu}),
                           MaxPooling2D(2),
                           Conv2D(64, 3, {.activation = Activation::relu}),
                           MaxPooling2D(2),
                           Flatten(),
                           Dense(64, {.activation = Activation::relu}),
                           Dense(10)};
    judge.to(args.device);
    judge.compile(
        {.optimizer = "adam", .loss = SparseCategoricalCrossentropy({.from_logits = true}), .metrics = {"accuracy"}});
    judge.fit(train, {.epochs = 5, .batch_size = 128, .verbose = 0, .seed = args.seed});
    std::printf("the judge's test accuracy on real pictures %.4f\n",
                judge.evaluate(data.test.with_normalization({0.5f}, {0.5f})).at("accuracy"));
    return judge;
}

// exp of the mean divergence of a picture's probabilities [n, 10] from those of all pictures together.
double inception_score(const Tensor& probabilities) {
    const Tensor p = ops::maximum(probabilities, 1e-12);
    return std::exp((p * (ops::log(p) - ops::log(p.mean(0, true)))).sum(1).mean().item());
}

Tensor random_codes(std::int64_t count, Device device) {
    return ops::random_normal(Shape{count, noise}, 0, 1, {.device = device});
}

void program(const examples::Arguments& args) {
    const DataSource data = examples::open_pictures(args);
    const Dataset real = args.limited(data.train).with_normalization({0.5f}, {0.5f});  // -1..1, as tanh gives
    const Sequential make = generator(), tell = discriminator();
    make.build(Shape{noise});
    tell.build(real.input_shape());
    make.to(args.device);
    tell.to(args.device);
    const Optimizer make_optimizer = Adam({.learning_rate = 2e-4, .beta_1 = 0.5}),
                    tell_optimizer = Adam({.learning_rate = 2e-4, .beta_1 = 0.5});
    DataLoader loader(real, {.batch_size = 128, .shuffle = true, .drop_last = true, .seed = args.seed});
    const Tensor ones = Tensor::ones(Shape{128, 1}, {.device = args.device}),
                 zeros = Tensor::zeros(Shape{128, 1}, {.device = args.device});
    const Tensor shown = random_codes(64, args.device);
    std::vector<double> make_losses, tell_losses;
    double seconds = 0;
    for (std::int64_t epoch = 0; epoch < args.epochs; ++epoch) {
        double make_sum = 0, tell_sum = 0;
        const auto begin = std::chrono::steady_clock::now();
        for (const Batch& batch : loader.epoch(static_cast<std::uint64_t>(epoch))) {
            const Tensor fakes = make(random_codes(128, args.device), true);
            // Real and generated pictures in batches of their own: batch norm must not see them mixed.
            const Tensor tell_loss =
                ops::binary_cross_entropy(tell(batch.inputs[0].to(args.device), true), ones * 0.9) +
                ops::binary_cross_entropy(tell(fakes.detach(), true), zeros);
            tell_loss.backward();
            tell_optimizer.step(tell.parameters());
            tell.zero_grad();

            const Tensor make_loss = ops::binary_cross_entropy(tell(fakes, true), ones);
            make_loss.backward();
            make_optimizer.step(make.parameters());
            make.zero_grad();
            tell.zero_grad();  // the generator's step left gradients there
            make_sum += make_loss.item();
            tell_sum += tell_loss.item();
        }
        seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        make_losses.push_back(make_sum / static_cast<double>(loader.steps()));
        tell_losses.push_back(tell_sum / static_cast<double>(loader.steps()));
        std::printf("epoch %lld: generator %.3f, discriminator %.3f\n", static_cast<long long>(epoch + 1),
                    make_losses.back(), tell_losses.back());
        std::fflush(stdout);
        save_picture_grid(args.file("pictures.png"), to_pictures(make.predict(shown).to(Device::cpu()), -1, 1),
                          {.title = "DCGAN", .columns = 8, .cell = 56});
    }
    examples::print_speed(static_cast<double>(args.epochs * loader.steps() * 128) / seconds, "pictures");
    plot_lines(args.file("losses.png"), {.title = "DCGAN",
                                         .panels = {{.title = "loss",
                                                     .lines = {{.label = "generator", .y = make_losses},
                                                               {.label = "discriminator", .y = tell_losses}}}}});

    const Model judge = train_judge(args, data, real);
    const std::int64_t count = 2000;
    const Tensor probabilities =
        ops::softmax(judge.predict(make.predict(random_codes(count, args.device)))).to(Device::cpu());
    const Tensor from_noise =
        ops::softmax(judge.predict(ops::random_uniform(Shape{count, 28, 28, 1}, -1, 1, {.device = args.device})))
            .to(Device::cpu());
    examples::print_result("the judge's mean confidence", probabilities.max(1).mean().item(),
                           "uniform noise as pictures", from_noise.max(1).mean().item());
    examples::print_result("inception score by the judge", inception_score(probabilities), "uniform noise as pictures",
                           inception_score(from_noise));
    std::vector<int> seen(10);
    for (const std::int64_t label : probabilities.argmax(1).to_vector<std::int64_t>())
        ++seen[static_cast<std::size_t>(label)];
    for (std::size_t c = 0; c < 10; ++c)
        std::printf("%-12s %5.1f %%\n", data.class_names[c].c_str(), 100.0 * seen[c] / static_cast<double>(count));
    examples::print_result("rarest class", *std::min_element(seen.begin(), seen.end()) / static_cast<double>(count));
    make.save(args.file("generator.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "A generator and a discriminator learn from each other",
                          .data = "fashion-mnist",
                          .how_to_get = "Debian: apt install dataset-fashion-mnist",
                          .epochs = 25},
                         program);
}
