// Linear regression: one Dense layer, SGD and the mean squared error find the line that made noisy points.
#include "examples/common/example.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace heddle;

namespace {

constexpr double slopes[] = {3, -2}, intercept = 0.5;

void program(const examples::Arguments& args) {
    const Tensor x = ops::random_uniform(Shape{4000, 2}, -1, 1);
    const Tensor line = x.slice(0, 4000) * Tensor::from<float>({slopes[0], slopes[1]}, Shape{2});
    const Tensor y = line.sum(1, true) + intercept + ops::random_normal(Shape{4000, 1}, 0, 0.01);

    Sequential model{Dense(1)};
    model.to(args.device);
    model.compile({.optimizer = SGD({.learning_rate = 0.1}), .loss = MeanSquaredError()});
    const History history = model.fit(x, y, {.epochs = args.epochs, .batch_size = 100, .verbose = 2});

    const std::vector<float> w = model.parameters()[0].second.to_vector<float>();
    const std::vector<float> b = model.parameters()[1].second.to_vector<float>();
    std::printf("planted y = %g x1 %+g x2 %+g, found y = %.4f x1 %+.4f x2 %+.4f\n", slopes[0], slopes[1], intercept,
                static_cast<double>(w[0]), static_cast<double>(w[1]), static_cast<double>(b[0]));
    const double error = std::max({std::abs(w[0] - slopes[0]), std::abs(w[1] - slopes[1]), std::abs(b[0] - intercept)});
    examples::print_result("largest error of a coefficient", error, "all zero", 3);
    plot_lines(args.file("loss.png"),
               {.title = "Linear regression",
                .panels = {{.title = "loss", .lines = {{.y = history.at("loss")}}, .logarithmic = true}}});
    model.save(args.file("linear_regression.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv, {.summary = "Recovers a planted line", .epochs = 10}, program);
}
