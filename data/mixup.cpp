#include "data/mixup.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>
#include <utility>

#include "core/check.h"
#include "core/random.h"

namespace heddle {
namespace {

constexpr std::uint64_t mixup_key = 0x6D69787570ull;  // keeps these bits apart from others of the same seed

/// Above 0 and below 1.
double uniform(Generator& random) { return (static_cast<double>(random.bits() >> 11) + 0.5) * 0x1p-53; }

/// The logarithm of a draw from Gamma(shape, 1): Marsaglia and Tsang 2000, "A simple method for generating gamma
/// variables". Logarithms, since draws of a small shape leave the range of numbers.
double log_gamma_draw(Generator& random, double shape) {
    if (shape < 1) return log_gamma_draw(random, shape + 1) + std::log(uniform(random)) / shape;
    const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    for (;;) {
        const double radius = std::sqrt(-2 * std::log(uniform(random)));
        const double normal = radius * std::cos(2 * std::numbers::pi * uniform(random));
        const double root = 1 + c * normal;
        if (root <= 0) continue;
        const double log_v = 3 * std::log(root), v = root * root * root;
        if (std::log(uniform(random)) < 0.5 * normal * normal + d - d * v + d * log_v) return std::log(d) + log_v;
    }
}

double beta_draw(Generator& random, double alpha) {
    const double x = log_gamma_draw(random, alpha), y = log_gamma_draw(random, alpha);
    return 1 / (1 + std::exp(y - x));
}

/// What is done to a batch: row i becomes share * row i + (1 - share) * row partner[i].
struct Mixture {
    float share = 1;
    std::vector<std::size_t> partner = {};
};

void mix_rows(const Mixture& mixture, const Tensor& from, const Tensor& to) {
    const std::size_t rows = mixture.partner.size(), width = static_cast<std::size_t>(from.elements()) / rows;
    const float share = mixture.share, rest = 1 - share;
    for (std::size_t row = 0; row < rows; ++row) {
        const float *a = from.data<float>() + row * width, *b = from.data<float>() + mixture.partner[row] * width;
        float* y = to.data<float>() + row * width;
        for (std::size_t i = 0; i < width; ++i) y[i] = share * a[i] + rest * b[i];
    }
}

class Mixed final : public DatasetImpl {
  public:
    Mixed(Dataset base, double alpha, std::int64_t classes)
        : base_(std::move(base)), alpha_(alpha), classes_(classes) {}

    std::int64_t size() const override { return base_.size(); }
    std::vector<Shape> input_shapes() const override { return base_.input_shapes(); }
    std::vector<DType> input_dtypes() const override { return base_.impl()->input_dtypes(); }
    Shape target_shape() const override { return Shape{classes_}; }
    DType target_dtype() const override { return DType::f32; }
    std::vector<std::string> class_names() const override { return base_.class_names(); }
    std::optional<Preprocessing> preprocessing() const override { return base_.preprocessing(); }

    void fill(std::span<const std::int64_t> indices, const FillContext& context, Batch& batch) const override {
        Batch plain;
        base_.fill(indices, context, plain);
        const Mixture mixture = draw(indices, context);
        for (std::size_t i = 0; i < plain.inputs.size(); ++i) {
            if (mixture.share == 1)
                std::memcpy(batch.inputs[i].raw(), plain.inputs[i].raw(), plain.inputs[i].bytes());
            else
                mix_rows(mixture, plain.inputs[i], batch.inputs[i]);
        }
        mix_labels(mixture, plain.target.to_vector<std::int64_t>(), indices, batch.target);
    }

    std::shared_ptr<DatasetImpl> with_augmentation(const std::optional<Augmentation>& augmentation) const override {
        if (!augmentation) return std::make_shared<Mixed>(base_.without_augmentation(), 0, classes_);
        return std::make_shared<Mixed>(base_.with_augmentation(*augmentation), alpha_, classes_);
    }
    std::shared_ptr<DatasetImpl> with_normalization(const std::vector<float>& mean,
                                                    const std::vector<float>& deviation) const override {
        return std::make_shared<Mixed>(base_.with_normalization(mean, deviation), alpha_, classes_);
    }

  private:
    Mixture draw(std::span<const std::int64_t> indices, const FillContext& context) const {
        Mixture mixture;
        mixture.partner.resize(indices.size());
        std::iota(mixture.partner.begin(), mixture.partner.end(), std::size_t{0});
        if (alpha_ == 0) return mixture;
        std::uint64_t key = context.seed ^ mixup_key;
        for (const std::int64_t index : indices) {
            const Philox::Block bits = Philox::block(key, context.epoch, static_cast<std::uint64_t>(index));
            key = std::uint64_t{bits.word[1]} << 32 | bits.word[0];
        }
        Generator random(key);
        mixture.share = static_cast<float>(beta_draw(random, alpha_));
        for (std::size_t i = indices.size(); i > 1; --i)
            std::swap(mixture.partner[i - 1], mixture.partner[static_cast<std::size_t>(random.below(i))]);
        return mixture;
    }

    void mix_labels(const Mixture& mixture, const std::vector<std::int64_t>& labels,
                    std::span<const std::int64_t> indices, const Tensor& target) const {
        for (std::size_t i = 0; i < labels.size(); ++i)
            check(labels[i] >= 0 && labels[i] < classes_, "Mixup: example {} has label {} of {} classes", indices[i],
                  labels[i], classes_);
        float* row = target.data<float>();
        std::fill_n(row, target.elements(), 0.0f);
        for (std::size_t i = 0; i < labels.size(); ++i, row += classes_) {
            row[labels[i]] += mixture.share;
            row[labels[mixture.partner[i]]] += 1 - mixture.share;
        }
    }

    Dataset base_;
    double alpha_;
    std::int64_t classes_;
};

std::shared_ptr<const DatasetImpl> make_mixed(const Dataset& data, const MixupOptions& options) {
    check(data.defined(), "Mixup: the data set is undefined");
    check(!data.impl()->weight_shape().has_value(),
          "Mixup: the data set has sample weights, which cannot be mixed: give them to what Mixup makes");
    check(options.alpha >= 0 && std::isfinite(options.alpha), "Mixup: alpha must not be negative, got {}",
          options.alpha);
    const Shape target = data.target_shape();
    check(target.elements() == 1 && !is_floating(data.target_dtype()) && data.target_dtype() != DType::boolean,
          "Mixup: expected one integer label an example, got {} {}", data.target_dtype(), target);
    for (const DType dtype : data.impl()->input_dtypes())
        check(dtype == DType::f32, "Mixup: expected inputs f32, got {}: what cannot be added cannot be mixed", dtype);
    const auto named = static_cast<std::int64_t>(data.class_names().size());
    check(options.classes >= 0 && (options.classes > 0 || named > 0),
          "Mixup: the data set has no class names, so `classes` must say how many there are, got {}", options.classes);
    return std::make_shared<Mixed>(data, options.alpha, options.classes > 0 ? options.classes : named);
}

}  // namespace

Mixup::Mixup(const Dataset& data, const MixupOptions& options) : Dataset(make_mixed(data, options)) {}

}  // namespace heddle
