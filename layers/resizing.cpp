#include "layers/resizing.h"

#include <array>
#include <cmath>
#include <mutex>
#include <vector>

#include "core/check.h"
#include "layers/detail/registry.h"
#include "ops/conv.h"
#include "ops/copy.h"
#include "ops/detail/scope.h"

namespace heddle {
namespace {

void check_pictures(const char* layer, const Tensor& x) {
    ops::require(x.rank() == 4, layer, "expected pictures [batch, height, width, channels], got {}", x);
}
void check_sample(const char* layer, const Shape& input) {
    ops::require(input.rank() == 3, layer, "expected pictures [height, width, channels], got {}", input);
}

/// Along one axis, bilinear enlargement by `factor` is a transposed convolution with a triangle as its kernel, applied
/// to the pixels with the border pixel repeated at each end.
struct Triangle {
    std::int64_t border = 0, cut = 0;  // copies at each end, and what to take off the result for them
    std::vector<float> taps{1};

    explicit Triangle(std::int64_t factor) {
        if (factor == 1) return;
        border = 1;
        cut = factor + factor / 2;
        const std::int64_t size = 2 * factor - factor % 2;
        taps.clear();
        for (std::int64_t i = 0; i < size; ++i)
            taps.push_back(static_cast<float>(1 - std::abs(static_cast<double>(i) - static_cast<double>(size - 1) / 2) /
                                                      static_cast<double>(factor)));
    }
    std::int64_t size() const { return static_cast<std::int64_t>(taps.size()); }
};

struct UpSampling2DImpl final : LayerImpl {
    Size2 factors;
    Interpolation interpolation;
    Triangle rows, columns;

    UpSampling2DImpl(Size2 size, const UpSampling2DOptions& options)
        : LayerImpl(options.name),
          factors(size),
          interpolation(options.interpolation),
          rows(checked(size.height)),
          columns(checked(size.width)) {}
    const char* class_name() const override { return "UpSampling2D"; }
    static std::int64_t checked(std::int64_t factor) {
        check(factor >= 1, "UpSampling2D: factors must be at least 1, got {}", factor);
        return factor;
    }

    Tensor forward(const Tensor& x, bool) override {
        check_pictures("UpSampling2D", x);
        return interpolation == Interpolation::nearest ? nearest(x) : bilinear(x);
    }
    Tensor nearest(const Tensor& x) const {
        const std::int64_t n = x.size(0), height = x.size(1), width = x.size(2), channels = x.size(3);
        return ops::broadcast_to(x.reshape(Shape{n, height, 1, width, 1, channels}),
                                 Shape{n, height, factors.height, width, factors.width, channels})
            .reshape(Shape{n, height * factors.height, width * factors.width, channels});
    }
    Tensor bilinear(const Tensor& x) {
        if (factors == Size2(1)) return x;
        const std::array<std::array<std::int64_t, 2>, 4> widths{
            {{0, 0}, {rows.border, rows.border}, {columns.border, columns.border}, {0, 0}}};
        return ops::conv2d_transpose(ops::pad(x, widths, ops::PadMode::edge), weights(x), Tensor(),
                                     {.stride = {factors.height, factors.width},
                                      .padding = {rows.cut, rows.cut, columns.cut, columns.cut},
                                      .groups = x.size(3)});
    }

    Shape output_shape(const Shape& input) const override {
        check_sample("UpSampling2D", input);
        return Shape{input[0] * factors.height, input[1] * factors.width, input[2]};
    }
    Config config() const override {
        return Config()
            .set("size", to_config(factors))
            .set("interpolation", interpolation == Interpolation::nearest ? "nearest" : "bilinear");
    }

  private:
    /// The product of both axes' triangles for each channel. Kept for each kind of input, because a captured step
    /// cannot copy it from the host.
    Tensor weights(const Tensor& x) {
        const Shape shape{x.size(3), rows.size(), columns.size(), 1};
        {
            const std::lock_guard lock(mutex_);
            for (const Tensor& known : weights_)
                if (known.shape() == shape && known.dtype() == x.dtype() && known.device() == x.device()) return known;
        }
        // Outside the lock: on a device this may have to wait for another thread's capture.
        std::vector<float> values;
        for (std::int64_t channel = 0; channel < x.size(3); ++channel)
            for (const float row : rows.taps)
                for (const float column : columns.taps) values.push_back(row * column);
        const Tensor made = Tensor::from(values, shape).to(x.dtype()).to(x.device());
        const std::lock_guard lock(mutex_);
        weights_.push_back(made);
        return made;
    }
    std::mutex mutex_;
    std::vector<Tensor> weights_;
};

Config border_config(const Border& border) {
    return std::vector<std::int64_t>{border.top, border.bottom, border.left, border.right};
}

Border border_from(const Config& config) {
    const std::vector<std::int64_t> sides = config.integers();
    check(sides.size() == 4, "expected four sides, got {} numbers", sides.size());
    return {sides[0], sides[1], sides[2], sides[3]};
}

void check_border(const char* layer, const Border& b) {
    check(b.top >= 0 && b.bottom >= 0 && b.left >= 0 && b.right >= 0,
          "{}: no side may be negative, got top {}, bottom {}, left {}, right {}", layer, b.top, b.bottom, b.left,
          b.right);
}

struct ZeroPadding2DImpl final : LayerImpl {
    Border border;
    ZeroPadding2DImpl(Border b, const std::string& name) : LayerImpl(name), border(b) {
        check_border("ZeroPadding2D", border);
    }
    const char* class_name() const override { return "ZeroPadding2D"; }
    Tensor forward(const Tensor& x, bool) override {
        check_pictures("ZeroPadding2D", x);
        const std::array<std::array<std::int64_t, 2>, 4> widths{
            {{0, 0}, {border.top, border.bottom}, {border.left, border.right}, {0, 0}}};
        return ops::pad(x, widths);
    }
    Shape output_shape(const Shape& input) const override {
        check_sample("ZeroPadding2D", input);
        return Shape{input[0] + border.top + border.bottom, input[1] + border.left + border.right, input[2]};
    }
    Config config() const override { return Config().set("padding", border_config(border)); }
};

struct Cropping2DImpl final : LayerImpl {
    Border border;
    Cropping2DImpl(Border b, const std::string& name) : LayerImpl(name), border(b) {
        check_border("Cropping2D", border);
    }
    const char* class_name() const override { return "Cropping2D"; }
    Tensor forward(const Tensor& x, bool) override {
        check_pictures("Cropping2D", x);
        output_shape(x.shape().range(1, 4));
        return ops::slice(x, {{}, {border.top, x.size(1) - border.bottom}, {border.left, x.size(2) - border.right}});
    }
    Shape output_shape(const Shape& input) const override {
        check_sample("Cropping2D", input);
        const Shape result{input[0] - border.top - border.bottom, input[1] - border.left - border.right, input[2]};
        ops::require(result[0] >= 1 && result[1] >= 1, "Cropping2D", "nothing is left of {}", input);
        return result;
    }
    Config config() const override { return Config().set("cropping", border_config(border)); }
};

}  // namespace

UpSampling2D::UpSampling2D(Size2 size, const UpSampling2DOptions& options)
    : Layer(std::make_shared<UpSampling2DImpl>(size, options)) {}
ZeroPadding2D::ZeroPadding2D(Border padding, const std::string& name)
    : Layer(std::make_shared<ZeroPadding2DImpl>(padding, name)) {}
Cropping2D::Cropping2D(Border cropping, const std::string& name)
    : Layer(std::make_shared<Cropping2DImpl>(cropping, name)) {}

void add_resizing_layers(LayerMakers& makers) {
    makers["UpSampling2D"] = [](const Config& c) {
        const std::string& name = c.at("interpolation").string();
        check(name == "nearest" || name == "bilinear", "UpSampling2D: unknown interpolation \"{}\"", name);
        return UpSampling2D(size_from_config(c.at("size")),
                            {.interpolation = name == "nearest" ? Interpolation::nearest : Interpolation::bilinear});
    };
    makers["ZeroPadding2D"] = [](const Config& c) { return ZeroPadding2D(border_from(c.at("padding"))); };
    makers["Cropping2D"] = [](const Config& c) { return Cropping2D(border_from(c.at("cropping"))); };
}

}  // namespace heddle
