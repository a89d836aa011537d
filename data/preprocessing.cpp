#include "data/preprocessing.h"

#include <cstring>
#include <numeric>

#include "core/check.h"
#include "kernels/image/image.h"

namespace heddle {
namespace {

Config to_array(const std::vector<float>& values) {
    Config::Array array;
    for (const float value : values) array.emplace_back(static_cast<double>(value));
    return array;
}

std::vector<float> to_floats(const Config& config) {
    std::vector<float> values;
    for (const Config& value : config.array()) values.push_back(static_cast<float>(value.number()));
    return values;
}

void check_fits(const Preprocessing& preprocessing) {
    const Shape& shape = preprocessing.input_shape;
    check(shape.rank() == 3 && shape[0] > 0 && shape[1] > 0 && (shape[2] == 1 || shape[2] == 3),
          "preprocessing: expected an input shape [height, width, 1 or 3], got {}", shape.to_string());
    for (const auto* values : {&preprocessing.mean, &preprocessing.deviation})
        check(values->empty() || static_cast<std::int64_t>(values->size()) == shape[2],
              "preprocessing: expected one mean and deviation per channel ({}), got {}", shape[2], values->size());
    for (const float deviation : preprocessing.deviation)
        check(deviation > 0, "preprocessing: expected deviations above 0, got {}", deviation);
}

}  // namespace

Config Preprocessing::to_config() const {
    Config::Array names;
    for (const std::string& name : class_names) names.emplace_back(name);
    Config config;
    config.set("kind", "image")
        .set("input_shape", std::vector<std::int64_t>(input_shape.begin(), input_shape.end()))
        .set("scale", scale)
        .set("mean", to_array(mean))
        .set("deviation", to_array(deviation))
        .set("class_names", names);
    return config;
}

Preprocessing Preprocessing::from_config(const Config& config) {
    check(config.at("kind").string() == "image", "preprocessing: expected the kind \"image\", got \"{}\"",
          config.at("kind").string());
    Preprocessing result;
    result.input_shape = Shape(std::span<const std::int64_t>(config.at("input_shape").integers()));
    result.scale = config.at("scale").number();
    result.mean = to_floats(config.at("mean"));
    result.deviation = to_floats(config.at("deviation"));
    for (const Config& name : config.at("class_names").array()) result.class_names.push_back(name.string());
    check_fits(result);
    return result;
}

// The kernel that makes training batches makes these too, so that both see the same numbers.
Tensor Preprocessing::apply(std::span<const Picture> pictures) const {
    check_fits(*this);
    check(!pictures.empty(), "preprocessing: no pictures");
    const auto count = static_cast<std::int64_t>(pictures.size());
    const auto height = static_cast<int>(input_shape[0]), width = static_cast<int>(input_shape[1]);
    const auto channels = static_cast<int>(input_shape[2]);
    std::vector<std::uint8_t> pixels;
    for (const Picture& picture : pictures) {
        const Picture fitted = resize(convert_channels(picture, channels), width, height);
        pixels.insert(pixels.end(), fitted.pixels.begin(), fitted.pixels.end());
    }
    std::vector<std::int64_t> indices(pictures.size());
    std::iota(indices.begin(), indices.end(), std::int64_t{0});
    std::vector<float> means = mean, inverse;
    for (const float value : deviation) inverse.push_back(1 / value);

    const Shape shape{count, height, width, channels};
    Tensor result = Tensor::empty(shape);
    kernels::ImageBatch args;
    args.pictures = View(pixels.data(), shape, DType::u8);
    args.indices = View(indices.data(), Shape{count}, DType::i64);
    if (!means.empty()) args.mean = View(means.data(), Shape{channels}, DType::f32);
    if (!inverse.empty()) args.inverse_deviation = View(inverse.data(), Shape{channels}, DType::f32);
    args.scale = static_cast<float>(scale);
    args.y = View(result.raw(), shape, DType::f32);
    run_implementation(kernels::image_batch().choose(args, Device::cpu()), args, Device::cpu(), 0);
    return result;
}

}  // namespace heddle
