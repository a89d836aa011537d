// Object detection, one object a picture: a convolutional network says what it is and where. Its 14 outputs are 10
// class logits and the box (centre, width, height); the loss adds cross-entropy and the boxes' Huber loss. Every epoch
// shows new scenes: a figure of Fashion-MNIST somewhere on a CIFAR-10 picture. With --raccoon the same network is then
// trained on to find raccoons in photographs.
#include "examples/common/example.h"
#include "examples/common/photographs.h"
#include "examples/common/scenes.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace heddle;
using examples::Photographs;
using examples::Scenes;

namespace {

constexpr std::int64_t classes = 10;

struct Box {
    float x = 0.5f, y = 0.5f, width = 1, height = 1;  // centre and size, as fractions of the picture
};

double intersection_over_union(const Box& a, const Box& b) {
    const auto overlap = [](float p, float size_p, float q, float size_q) {
        return std::max(0.0f, std::min(p + size_p / 2, q + size_q / 2) - std::max(p - size_p / 2, q - size_q / 2));
    };
    const double both = overlap(a.x, a.width, b.x, b.width) * overlap(a.y, a.height, b.y, b.height);
    return both / (a.width * a.height + b.width * b.height - both);
}

std::vector<Box> boxes(const Tensor& rows) {  // [n, 4]
    const std::vector<float> v = rows.to_vector<float>();
    std::vector<Box> result;
    for (std::size_t i = 0; i < v.size(); i += 4) result.push_back({v[i], v[i + 1], v[i + 2], v[i + 3]});
    return result;
}

double mean_overlap(const std::vector<Box>& said, const std::vector<Box>& true_boxes) {
    double sum = 0;
    for (std::size_t i = 0; i < said.size(); ++i) sum += intersection_over_union(said[i], true_boxes[i]);
    return sum / static_cast<double>(said.size());
}

// The one box that fits all training boxes best, of a grid.
Box best_constant(const std::vector<Box>& true_boxes) {
    Box best;
    double reached = -1;
    for (float size_x = 0.2f; size_x <= 1; size_x += 0.05f)
        for (float size_y = 0.2f; size_y <= 1; size_y += 0.05f) {
            const Box box{0.5f, 0.5f, size_x, size_y};
            const double overlap = mean_overlap(std::vector<Box>(true_boxes.size(), box), true_boxes);
            if (overlap > reached) reached = overlap, best = box;
        }
    return best;
}

Tensor detection_loss(const Tensor& prediction, const Tensor& target) {
    const Tensor label = ops::slice(target, {{}, {0, 1}}).reshape(Shape{-1}).to(DType::i64);
    const Tensor box = ops::sigmoid(ops::slice(prediction, {{}, {classes, classes + 4}}));
    return ops::cross_entropy(ops::slice(prediction, {{}, {0, classes}}), label) +
           ops::huber(box, ops::slice(target, {{}, {1, 5}}), 0.1f) * 100.0;
}

// 1 - the generalised IoU (Rezatofighi et al., CVPR 2019), whose last term draws boxes together that do not overlap.
Tensor overlap_loss(const Tensor& prediction, const Tensor& target) {
    const auto columns = [](const Tensor& rows, std::int64_t first) {
        return ops::slice(rows, {{}, {first, first + 2}});
    };
    const auto area = [](const Tensor& size) {
        return ops::slice(size, {{}, {0, 1}}) * ops::slice(size, {{}, {1, 2}});
    };
    const Tensor centre = ops::sigmoid(columns(prediction, classes)),
                 size = ops::sigmoid(columns(prediction, classes + 2));
    const Tensor low = centre - size * 0.5, high = centre + size * 0.5;
    const Tensor true_low = columns(target, 1) - columns(target, 3) * 0.5, true_high = true_low + columns(target, 3);
    const Tensor both = area(ops::maximum(ops::minimum(high, true_high) - ops::maximum(low, true_low), 0));
    const Tensor either = area(size) + area(columns(target, 3)) - both;
    const Tensor hull = area(ops::maximum(high, true_high) - ops::minimum(low, true_low));
    return ops::mean(1 - both / either + (hull - either) / hull);
}

Sequential network() {
    std::vector<Layer> layers;
    const auto convolve = [&layers](std::int64_t width, int stride) {
        layers.push_back(Conv2D(width, 3, {.strides = stride, .padding = Padding::same, .use_bias = false}));
        layers.push_back(BatchNormalization({.momentum = 0.9f}));
        layers.push_back(ReLU());
    };
    for (const std::int64_t width : {32, 64, 128}) {  // 64 pixels a side become 32, 16, 8
        convolve(width, 2);
        convolve(width, 1);
    }
    convolve(128, 1);
    // Flatten and not a global pooling, which would lose the position.
    layers.push_back(Flatten());
    layers.push_back(Dense(256, {.activation = Activation::relu}));
    layers.push_back(Dense(classes + 4));
    return Sequential(layers);
}

void draw_box(Picture& picture, const Box& box, std::array<std::uint8_t, 3> colour) {
    const int left = static_cast<int>((box.x - box.width / 2) * static_cast<float>(picture.width)),
              right = static_cast<int>((box.x + box.width / 2) * static_cast<float>(picture.width)) - 1;
    const int top = static_cast<int>((box.y - box.height / 2) * static_cast<float>(picture.height)),
              bottom = static_cast<int>((box.y + box.height / 2) * static_cast<float>(picture.height)) - 1;
    const auto dot = [&](int x, int y) {
        if (x >= 0 && y >= 0 && x < picture.width && y < picture.height)
            std::copy(colour.begin(), colour.end(), picture.at(x, y));
    };
    for (int x = left; x <= right; ++x) dot(x, top), dot(x, bottom);
    for (int y = top; y <= bottom; ++y) dot(left, y), dot(right, y);
}

// Pictures with the true box in green and the network's in red.
void save_boxes(const std::string& path, const std::string& title, const Tensor& x, const std::vector<Box>& said,
                const std::vector<Box>& true_boxes, const std::vector<std::string>& captions = {}) {
    std::vector<Picture> grid = to_pictures(x);
    for (std::size_t i = 0; i < grid.size(); ++i) {
        grid[i] = resize(grid[i], grid[i].width * 3, grid[i].height * 3);
        draw_box(grid[i], true_boxes[i], {0, 220, 0});
        draw_box(grid[i], said[i], {255, 30, 30});
    }
    save_picture_grid(path, grid, {.title = title, .captions = captions, .columns = 6, .cell = grid[0].width});
}

std::vector<Box> said_boxes(const Tensor& prediction) {
    return boxes(ops::sigmoid(ops::slice(prediction, {{}, {classes, classes + 4}})));
}
std::vector<Box> target_boxes(const Tensor& target) { return boxes(ops::slice(target, {{}, {1, 5}})); }

void find_raccoons(const examples::Arguments& args, const Model& model, const Photographs& train, const Dataset& test) {
    const Dataset whole = train.without_augmentation();
    const std::int64_t epochs = 60, steps = epochs * ((train.size() + 15) / 16);
    model.compile(
        {.optimizer = Adam({.learning_rate = CosineDecay({.initial_learning_rate = 1e-3, .decay_steps = steps})}),
         .loss = Loss("overlap", overlap_loss)});
    model.fit(train, {.epochs = epochs, .batch_size = 16, .verbose = 0, .seed = args.seed});
    const Batch all = test.batch(0, test.size());
    const Tensor prediction = model.predict(all.inputs[0].to(args.device)).to(Device::cpu());
    const std::vector<Box> said = said_boxes(prediction), true_boxes = target_boxes(all.target);
    const Box constant = best_constant(target_boxes(whole.batch(0, whole.size()).target));
    examples::print_result("raccoons: mean IoU", mean_overlap(said, true_boxes), "the best constant box",
                           mean_overlap(std::vector<Box>(said.size(), constant), true_boxes));
    const std::int64_t shown = std::min<std::int64_t>(18, test.size());
    save_boxes(args.file("raccoons.png"), "green: true, red: found", all.inputs[0].slice(0, shown), said, true_boxes);
}

void program(const examples::Arguments& args) {
    const DataSource figures = examples::open_pictures(args), backgrounds = open_dataset(args.more.at("backgrounds"));
    const std::int64_t scenes = args.examples > 0 ? args.examples : 10'000;
    const Scenes train(figures.train, backgrounds.train, scenes, examples::SceneTarget::box, 1);
    const Scenes test(figures.test, backgrounds.test, 1000, examples::SceneTarget::box, 2);
    std::vector<Photographs> raccoons;  // a wrong folder is an error now, not after the training
    if (const std::string folder = args.more.at("raccoon"); !folder.empty())
        raccoons = {Photographs(folder, "train_labels.csv"), Photographs(folder, "test_labels.csv")};

    const Sequential model = network();
    model.build(train.input_shape());
    model.to(args.device);
    const std::int64_t steps = args.epochs * ((scenes + 63) / 64);
    model.compile(
        {.optimizer = Adam({.learning_rate = CosineDecay({.initial_learning_rate = 2e-3, .decay_steps = steps})}),
         .loss = Loss("detection", detection_loss)});
    const History history =
        model.fit(train, {.epochs = args.epochs, .batch_size = 64, .validation_data = test, .seed = args.seed});

    const Batch all = test.batch(0, test.size());
    const Tensor prediction = model.predict(all.inputs[0].to(args.device)).to(Device::cpu());
    const std::vector<Box> said = said_boxes(prediction), true_boxes = target_boxes(all.target);
    const std::vector<std::int64_t> classes_said =
        ops::slice(prediction, {{}, {0, classes}}).argmax(1).to_vector<std::int64_t>();
    std::vector<std::string> captions;
    double right = 0;
    for (std::size_t i = 0; i < said.size(); ++i) {
        right += static_cast<double>(classes_said[i]) == all.target[static_cast<std::int64_t>(i)][0].item();
        if (i < 18) captions.push_back(figures.class_names[static_cast<std::size_t>(classes_said[i])]);
    }
    const Box constant = best_constant(target_boxes(train.batch(0, std::min<std::int64_t>(scenes, 1000)).target));
    examples::print_result("mean IoU", mean_overlap(said, true_boxes), "the best constant box",
                           mean_overlap(std::vector<Box>(said.size(), constant), true_boxes));
    examples::print_result("class accuracy", right / static_cast<double>(said.size()), "always one class", 0.1);
    save_boxes(args.file("boxes.png"), "green: true, red: found", all.inputs[0].slice(0, 18), said, true_boxes,
               captions);
    examples::plot_history(args.file("curves.png"), history, "Detection");
    model.set_class_names(figures.class_names);
    model.save(args.file("detection.safetensors"));
    if (!raccoons.empty()) find_raccoons(args, model, raccoons[0], raccoons[1].without_augmentation());
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "What is in the picture, and where",
                          .data = "fashion-mnist",
                          .how_to_get = "Debian: apt install dataset-fashion-mnist",
                          .epochs = 30,
                          .more = {{"backgrounds", "cifar10", "Pictures behind the figures"},
                                   {"raccoon", "", "Folder of the raccoon data set, to train on with"}}},
                         program);
}
