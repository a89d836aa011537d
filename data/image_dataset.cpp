#include <algorithm>
#include <array>
#include <cmath>

#include "core/check.h"
#include "data/dataset.h"
#include "data/detail/augmentation.h"
#include "kernels/image/image.h"

namespace heddle {
namespace {

// Everything but the pixels, which all variants of one data set share.
struct Settings {
    std::vector<std::string> class_names;
    std::vector<float> mean, deviation;
    std::optional<Augmentation> augmentation;
};

class Images final : public DatasetImpl {
  public:
    Images(const Tensor& pictures, const Tensor& labels, Settings settings)
        : pictures_(pictures), labels_(labels), settings_(std::move(settings)) {
        const std::int64_t channels = pictures_.size(3);
        for (const auto* values : {&settings_.mean, &settings_.deviation})
            check(values->empty() || static_cast<std::int64_t>(values->size()) == channels,
                  "ImageDataset: expected one mean and deviation per channel ({}), got {}", channels, values->size());
        for (const float deviation : settings_.deviation) {
            check(deviation > 0 && std::isfinite(deviation), "ImageDataset: expected deviations above 0, got {}",
                  deviation);
            inverse_deviation_.push_back(1 / deviation);
        }
        if (!settings_.augmentation) return;
        const std::int64_t smaller = std::min(pictures_.size(1), pictures_.size(2));
        const bool reflect = settings_.augmentation->padding == Augmentation::Padding::reflect;
        const int pad = settings_.augmentation->pad;
        check(pad >= 0 && pad < (reflect ? smaller : 32768),
              "ImageDataset: a padding of {} does not fit pictures of {} x {}", pad, pictures_.size(1),
              pictures_.size(2));
        check(settings_.augmentation->cutout >= 0 && settings_.augmentation->cutout < 32768,
              "ImageDataset: a cutout of {} pixels", settings_.augmentation->cutout);
    }

    std::int64_t size() const override { return pictures_.size(0); }
    std::vector<Shape> input_shapes() const override { return {pictures_.shape().range(1, 4)}; }
    std::vector<DType> input_dtypes() const override { return {DType::f32}; }
    Shape target_shape() const override { return Shape{}; }
    DType target_dtype() const override { return DType::i64; }
    std::vector<std::string> class_names() const override { return settings_.class_names; }
    std::optional<Preprocessing> preprocessing() const override {
        return Preprocessing{pictures_.shape().range(1, 4), 1.0 / 255, settings_.mean, settings_.deviation,
                             settings_.class_names};
    }

    void fill(std::span<const std::int64_t> indices, const FillContext& context, Batch& batch) const override {
        const auto count = static_cast<std::int64_t>(indices.size());
        detail::AugmentationDraws draws;
        kernels::ImageBatch args;
        args.pictures = View(pictures_.raw(), pictures_.shape(), DType::u8);
        args.indices = View(const_cast<std::int64_t*>(indices.data()), Shape{count}, DType::i64);
        if (settings_.augmentation) {
            draws = detail::draw_augmentation(*settings_.augmentation, pictures_.size(1), pictures_.size(2), indices,
                                              context);
            args.hole = settings_.augmentation->cutout;
            if (args.hole > 0) args.holes = View(draws.holes.data(), Shape{count, 2}, DType::i32);
            args.pad = settings_.augmentation->pad;
            args.mode = settings_.augmentation->padding == Augmentation::Padding::reflect
                            ? kernels::CropPadding::reflect
                            : kernels::CropPadding::zero;
            args.shifts = View(draws.shifts.data(), Shape{count, 2}, DType::i32);
            args.flips = View(draws.flips.data(), Shape{count}, DType::u8);
        }
        const Shape channels{pictures_.size(3)};
        if (!settings_.mean.empty()) args.mean = View(const_cast<float*>(settings_.mean.data()), channels, DType::f32);
        if (!inverse_deviation_.empty())
            args.inverse_deviation = View(const_cast<float*>(inverse_deviation_.data()), channels, DType::f32);
        args.scale = 1.0f / 255;
        args.labels = View(labels_.raw(), labels_.shape(), DType::i64);
        args.targets = View(batch.target.raw(), batch.target.shape(), DType::i64);
        args.y = View(batch.inputs[0].raw(), batch.inputs[0].shape(), DType::f32);
        run_implementation(kernels::image_batch().choose(args, Device::cpu()), args, Device::cpu(), 0);
    }

    std::optional<StoredExamples> stored() const override {
        return StoredExamples{.inputs = {pictures_},
                              .target = labels_,
                              .pictures = StoredExamples::Pictures{.mean = settings_.mean,
                                                                   .inverse_deviation = inverse_deviation_,
                                                                   .augmentation = settings_.augmentation}};
    }

    std::shared_ptr<DatasetImpl> with_augmentation(const std::optional<Augmentation>& augmentation) const override {
        Settings settings = settings_;
        settings.augmentation = augmentation;
        return std::make_shared<Images>(pictures_, labels_, std::move(settings));
    }
    std::shared_ptr<DatasetImpl> with_normalization(const std::vector<float>& mean,
                                                    const std::vector<float>& deviation) const override {
        Settings settings = settings_;
        settings.mean = mean;
        settings.deviation = deviation;
        return std::make_shared<Images>(pictures_, labels_, std::move(settings));
    }

  private:
    Tensor pictures_, labels_;
    Settings settings_;
    std::vector<float> inverse_deviation_;
};

std::shared_ptr<const DatasetImpl> make_images(const Tensor& pictures, const Tensor& labels,
                                               const ImageOptions& options) {
    check(pictures.defined() && pictures.rank() == 4 && pictures.dtype() == DType::u8 && pictures.elements() > 0,
          "ImageDataset: expected pictures u8 [N, height, width, channels], got {}",
          pictures.defined() ? std::string(to_string(pictures.dtype())) + " " + pictures.shape().to_string()
                             : "an undefined tensor");
    check(labels.defined() && labels.rank() == 1 && labels.dtype() == DType::i64 && labels.size(0) == pictures.size(0),
          "ImageDataset: expected labels i64 [{}], got {}", pictures.size(0),
          labels.defined() ? std::string(to_string(labels.dtype())) + " " + labels.shape().to_string()
                           : "an undefined tensor");
    const Tensor host_labels = labels.to(Device::cpu());
    const auto* label = host_labels.data<std::int64_t>();
    const auto classes = static_cast<std::int64_t>(options.class_names.size());
    for (std::int64_t i = 0; i < labels.size(0); ++i)
        check(label[i] >= 0 && (classes == 0 || label[i] < classes),
              "ImageDataset: picture {} has label {} of {} classes", i, label[i], classes);
    return std::make_shared<Images>(pictures.to(Device::cpu()), host_labels,
                                    Settings{options.class_names, options.mean, options.deviation, std::nullopt});
}

}  // namespace

ImageDataset::ImageDataset(const Tensor& pictures, const Tensor& labels, const ImageOptions& options)
    : Dataset(make_images(pictures, labels, options)) {}

// From exact counts of the 256 values, in two passes over them.
PixelStatistics pixel_statistics(const Tensor& pictures) {
    check(pictures.defined() && pictures.rank() == 4 && pictures.dtype() == DType::u8 && pictures.elements() > 0,
          "pixel_statistics: expected pictures u8 [N, height, width, channels]");
    const auto channels = static_cast<std::size_t>(pictures.size(3));
    std::vector<std::array<std::int64_t, 256>> counts(channels);
    for (auto& histogram : counts) histogram.fill(0);
    const auto* pixel = pictures.data<std::uint8_t>();
    const std::int64_t total = pictures.elements() / pictures.size(3);
    for (std::int64_t i = 0; i < total; ++i)
        for (std::size_t c = 0; c < channels; ++c) ++counts[c][*pixel++];

    PixelStatistics statistics;
    for (const auto& histogram : counts) {
        double sum = 0, squares = 0;
        for (int value = 0; value < 256; ++value)
            sum += static_cast<double>(histogram[static_cast<std::size_t>(value)]) * value;
        const double mean = sum / static_cast<double>(total);
        for (int value = 0; value < 256; ++value)
            squares +=
                static_cast<double>(histogram[static_cast<std::size_t>(value)]) * (value - mean) * (value - mean);
        statistics.mean.push_back(static_cast<float>(mean / 255));
        statistics.deviation.push_back(static_cast<float>(std::sqrt(squares / static_cast<double>(total)) / 255));
    }
    return statistics;
}

}  // namespace heddle
