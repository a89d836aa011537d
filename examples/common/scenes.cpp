#include "examples/common/scenes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace heddle::examples {
namespace {

// All pictures in 0..255 and their labels.
struct Pool {
    std::vector<Picture> pictures;
    std::vector<std::int64_t> labels;

    explicit Pool(const Dataset& data) {
        const Batch all = data.without_augmentation().with_normalization({}, {}).batch(0, data.size());
        pictures = to_pictures(all.inputs[0]);
        labels = all.target.to_vector<std::int64_t>();
    }
};

class Impl final : public DatasetImpl {
  public:
    Impl(const Dataset& figures, const Dataset& backgrounds, std::int64_t count, SceneTarget target, std::uint64_t seed)
        : figures_(figures), backgrounds_(backgrounds), count_(count), target_(target), seed_(seed) {}

    std::int64_t size() const override { return count_; }
    std::vector<Shape> input_shapes() const override { return {Shape{Scenes::side, Scenes::side, 3}}; }
    std::vector<DType> input_dtypes() const override { return {DType::f32}; }
    Shape target_shape() const override {
        return target_ == SceneTarget::box ? Shape{5} : Shape{Scenes::side, Scenes::side, 1};
    }
    DType target_dtype() const override { return DType::f32; }
    std::optional<Preprocessing> preprocessing() const override { return Preprocessing{input_shapes()[0]}; }

    void fill(std::span<const std::int64_t> indices, const FillContext& context, Batch& batch) const override {
        auto* x = batch.inputs[0].data<float>();
        auto* y = batch.target.data<float>();
        for (const std::int64_t index : indices) {
            const Philox::Block key =
                Philox::block(seed_ + context.seed, context.epoch, static_cast<std::uint64_t>(index));
            scene(Generator((std::uint64_t{key.word[0]} << 32) | key.word[1]), x, y);
            x += pixels * 3;
            y += target_ == SceneTarget::box ? 5 : pixels;
        }
    }

  private:
    static constexpr std::int64_t side = Scenes::side, pixels = side * side;

    void scene(Generator generator, float* x, float* y) const;

    Pool figures_, backgrounds_;
    std::int64_t count_;
    SceneTarget target_;
    std::uint64_t seed_;
};

void Impl::scene(Generator generator, float* x, float* y) const {
    const Picture background = resize(backgrounds_.pictures[generator.below(backgrounds_.pictures.size())], side, side);
    std::transform(background.pixels.begin(), background.pixels.end(), x,
                   [](std::uint8_t v) { return static_cast<float>(v) / 255; });

    const std::size_t which = generator.below(figures_.pictures.size());
    const int size = 20 + static_cast<int>(generator.below(29));
    const int left = static_cast<int>(generator.below(static_cast<std::uint64_t>(side - size + 1)));
    const int top = static_cast<int>(generator.below(static_cast<std::uint64_t>(side - size + 1)));
    std::array<float, 3> colour{};
    for (float& channel : colour) channel = 0.4f + 0.6f * static_cast<float>(generator.below(256)) / 255;
    const Picture figure = resize(figures_.pictures[which], size, size);

    if (target_ == SceneTarget::mask) std::fill(y, y + pixels, 0.0f);
    int first_column = size, last_column = 0, first_row = size, last_row = 0;
    for (int row = 0; row < size; ++row) {
        for (int column = 0; column < size; ++column) {
            const float value = static_cast<float>(*figure.at(column, row)) / 255;
            if (value < 0.1f) continue;
            const std::int64_t place = (top + row) * side + left + column;
            for (std::size_t c = 0; c < 3; ++c)
                x[place * 3 + static_cast<std::int64_t>(c)] = colour[c] * (0.25f + 0.75f * value);
            if (target_ == SceneTarget::mask) y[place] = 1;
            first_column = std::min(first_column, column), last_column = std::max(last_column, column);
            first_row = std::min(first_row, row), last_row = std::max(last_row, row);
        }
    }
    if (target_ == SceneTarget::mask) return;
    const auto fraction = [](double value) { return static_cast<float>(value / side); };
    y[0] = static_cast<float>(figures_.labels[which]);
    y[1] = fraction(left + 0.5 * (first_column + last_column + 1));
    y[2] = fraction(top + 0.5 * (first_row + last_row + 1));
    y[3] = fraction(last_column - first_column + 1);
    y[4] = fraction(last_row - first_row + 1);
}

}  // namespace

Scenes::Scenes(const Dataset& figures, const Dataset& backgrounds, std::int64_t count, SceneTarget target,
               std::uint64_t seed)
    : Dataset(std::make_shared<Impl>(figures, backgrounds, count, target, seed)) {}

}  // namespace heddle::examples
