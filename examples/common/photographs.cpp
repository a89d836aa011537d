#include "examples/common/photographs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <set>
#include <vector>

#include "examples/common/example.h"

namespace heddle::examples {
namespace {

struct Photograph {
    Picture picture = {};
    float left, top, right, bottom;  // of the box, as fractions of the picture
};

std::vector<Photograph> read(const std::string& folder, const std::string& list) {
    const CsvTable table = read_csv(folder + "/" + list, {.header = CsvOptions::Header::yes});
    std::vector<Photograph> result;
    std::set<std::string> seen;
    for (std::int64_t row = 0; row < table.rows(); ++row) {
        const std::string& name = table.text(row, table.column("filename"));
        if (!seen.insert(name).second) continue;
        const auto share = [&](const char* place, const char* of) {
            return static_cast<float>(table.number(row, table.column(place)) / table.number(row, table.column(of)));
        };
        Photograph photograph{.left = share("xmin", "width"),
                              .top = share("ymin", "height"),
                              .right = share("xmax", "width"),
                              .bottom = share("ymax", "height")};
        const int side = 2 * Photographs::side;  // twice what is shown, so that crops are not enlarged
        photograph.picture = resize(load_picture(folder + "/images/" + name), side, side);
        result.push_back(photograph);
    }
    return result;
}

class Impl final : public DatasetImpl {
  public:
    Impl(std::shared_ptr<const std::vector<Photograph>> photographs, bool vary)
        : photographs_(std::move(photographs)), vary_(vary) {}

    std::int64_t size() const override { return static_cast<std::int64_t>(photographs_->size()); }
    std::vector<Shape> input_shapes() const override { return {Shape{side, side, 3}}; }
    std::vector<DType> input_dtypes() const override { return {DType::f32}; }
    Shape target_shape() const override { return Shape{5}; }
    DType target_dtype() const override { return DType::f32; }
    std::optional<Preprocessing> preprocessing() const override { return Preprocessing{input_shapes()[0]}; }
    std::shared_ptr<DatasetImpl> with_augmentation(const std::optional<Augmentation>& wanted) const override {
        return std::make_shared<Impl>(photographs_, wanted.has_value());
    }

    void fill(std::span<const std::int64_t> indices, const FillContext& context, Batch& batch) const override {
        auto* x = batch.inputs[0].data<float>();
        auto* y = batch.target.data<float>();
        for (const std::int64_t index : indices) {
            const Philox::Block key = Philox::block(context.seed, context.epoch, static_cast<std::uint64_t>(index));
            show((*photographs_)[static_cast<std::size_t>(index)],
                 Generator((std::uint64_t{key.word[0]} << 32) | key.word[1]), x, y);
            x += side * side * 3;
            y += 5;
        }
    }

  private:
    static constexpr std::int64_t side = Photographs::side;

    void show(const Photograph& photograph, Generator generator, float* x, float* y) const;

    std::shared_ptr<const std::vector<Photograph>> photographs_;
    bool vary_;
};

void Impl::show(const Photograph& photograph, Generator generator, float* x, float* y) const {
    float left = 0, top = 0, right = 1, bottom = 1, shift = 0;
    std::array<float, 3> gain = {1, 1, 1};
    bool mirrored = false;
    if (vary_) {
        const auto draw = [&](float low, float high) {
            return low + (high - low) * static_cast<float>(uniform(generator));
        };
        // How far an edge moves: out of the picture a little, or up to 0.7 of the way to the object.
        const auto inwards = [&](float room) { return draw(-0.15f, 0.7f * room); };
        left = inwards(photograph.left), right = 1 - inwards(1 - photograph.right);
        top = inwards(photograph.top), bottom = 1 - inwards(1 - photograph.bottom);
        mirrored = generator.below(2) == 1;
        const float brightness = draw(0.7f, 1.3f);
        for (float& channel : gain) channel = brightness * draw(0.85f, 1.15f);
        shift = draw(-0.1f, 0.1f);
    }

    // The crop in whole pixels; outside the picture its edge goes on.
    const Picture& picture = photograph.picture;
    const int n = picture.width;
    const auto pixel = [n](float fraction) { return static_cast<int>(std::lround(fraction * static_cast<float>(n))); };
    const int first_column = pixel(left), first_row = pixel(top);
    Picture crop(pixel(right) - first_column, pixel(bottom) - first_row, 3);
    for (int row = 0; row < crop.height; ++row) {
        for (int column = 0; column < crop.width; ++column) {
            const int from = first_column + (mirrored ? crop.width - 1 - column : column);
            std::copy_n(picture.at(std::clamp(from, 0, n - 1), std::clamp(first_row + row, 0, n - 1)), 3,
                        crop.at(column, row));
        }
    }
    const Picture small = resize(crop, side, side);
    for (std::size_t i = 0; i < small.pixels.size(); ++i)
        x[i] = std::clamp(gain[i % 3] * static_cast<float>(small.pixels[i]) / 255 + shift, 0.0f, 1.0f);

    const auto in_crop = [n](float fraction, int first, int extent) {
        return (fraction * static_cast<float>(n) - static_cast<float>(first)) / static_cast<float>(extent);
    };
    const float x0 = in_crop(photograph.left, first_column, crop.width),
                x1 = in_crop(photograph.right, first_column, crop.width),
                y0 = in_crop(photograph.top, first_row, crop.height),
                y1 = in_crop(photograph.bottom, first_row, crop.height);
    y[0] = 0;
    y[1] = mirrored ? 1 - (x0 + x1) / 2 : (x0 + x1) / 2;
    y[2] = (y0 + y1) / 2;
    y[3] = x1 - x0;
    y[4] = y1 - y0;
}

}  // namespace

Photographs::Photographs(const std::string& folder, const std::string& list)
    : Dataset(std::make_shared<Impl>(std::make_shared<const std::vector<Photograph>>(read(folder, list)), true)) {}

}  // namespace heddle::examples
