#include "train/loss.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "ops/elementwise.h"
#include "ops/loss.h"
#include "ops/mask.h"
#include "ops/reduce.h"
#include "train/detail/settings.h"

namespace heddle {

template <class Visit>
void each_setting(SparseCategoricalCrossentropyOptions& o, Visit& visit) {
    visit("from_logits", o.from_logits);
    visit("label_smoothing", o.label_smoothing);
    visit("ignore_class", o.ignore_class);
}

template <class Visit>
void each_setting(CategoricalCrossentropyOptions& o, Visit& visit) {
    visit("from_logits", o.from_logits);
    visit("label_smoothing", o.label_smoothing);
}

template <class Visit>
void each_setting(BinaryCrossentropyOptions& o, Visit& visit) {
    visit("from_logits", o.from_logits);
    visit("label_smoothing", o.label_smoothing);
}

template <class Visit>
void each_setting(HuberOptions& o, Visit& visit) {
    visit("delta", o.delta);
}

namespace {

using detail::read_settings;
using detail::settings_of;
using ops::Reduction;

/// Of a loss without settings.
std::optional<Config> plain(const char* name) { return settings_of(name, detail::NoSettings{}); }

/// `target` as the prediction's type and shape; [N] and [N, 1] are the same.
Tensor like_prediction(const char* loss, const Tensor& target, const Tensor& prediction) {
    Shape a = target.shape(), b = prediction.shape();
    Shape& longer = a.rank() > b.rank() ? a : b;
    if (a.rank() != b.rank() && longer.back() == 1) longer = longer.without(-1);
    check(a == b, "{}: the model gives {}, the targets are {}: they must have the same shape", loss,
          prediction.shape().to_string(), target.shape().to_string());
    const Tensor same_type = target.to(prediction.dtype());
    return target.shape() == prediction.shape() ? same_type : same_type.reshape(prediction.shape());
}

/// Something of the first dimensions with as many more of extent 1 as make `rank` of them.
Tensor reaching(const Tensor& some, int rank) {
    Shape shape = some.shape();
    while (shape.rank() < rank) shape.push_back(1);
    return some.reshape(shape);
}

/// The mean of values [batch, time, ...]: each times its weight, over the steps that count. The boolean mask and the
/// weights are of the values' first dimensions, or undefined.
Tensor weighted_mean(const Tensor& values, const Tensor& mask, const Tensor& weight) {
    const auto fits = [&](const Tensor& some) {
        return !some.defined() ||
               (some.rank() <= values.rank() && values.shape().range(0, some.rank()) == some.shape());
    };
    check(fits(mask), "the loss has values {}, and the mask is {}: it must be of their first dimensions",
          values.shape(), mask);
    check(fits(weight), "the loss has values {}, and the weights are {}: they must be of its first dimensions",
          values.shape(), weight);
    const Tensor weighted = weight.defined() ? values * reaching(weight.to(values.dtype()), values.rank()) : values;
    if (!mask.defined()) return ops::mean(weighted);
    const Tensor sum =
        ops::sum(ops::where(reaching(mask, values.rank()), weighted, Tensor::scalar(0, values.options())));
    const Tensor counted = ops::binary(ops::BinaryOp::maximum, ops::sum(mask.to(values.dtype())), 1.0);
    return sum / (counted * (static_cast<double>(values.elements()) / static_cast<double>(mask.elements())));
}

/// `values(reduction)` as one number, by the mask and the weights that the prediction carries.
template <class Values>
Tensor over_steps(const Tensor& prediction, const Values& values) {
    const Tensor mask = ops::mask_of(prediction), weight = ops::weight_of(prediction);
    if (!mask.defined() && !weight.defined()) return values(Reduction::mean);
    return weighted_mean(values(Reduction::none), mask, weight);
}

/// The same of values that are there.
Tensor mean_over_steps(const Tensor& prediction, const Tensor& values) {
    return over_steps(prediction, [&](Reduction r) { return r == Reduction::mean ? ops::mean(values) : values; });
}

Tensor sparse_crossentropy(const Tensor& prediction, const Tensor& target,
                           const SparseCategoricalCrossentropyOptions& options) {
    constexpr const char* name = "SparseCategoricalCrossentropy";
    check(prediction.rank() >= 1, "{}: the model gives a scalar; it must give [..., classes]", name);
    check(!is_floating(target.dtype()),
          "{}: labels must be integers, got {} {}; one-hot targets belong to CategoricalCrossentropy", name,
          to_string(target.dtype()), target.shape().to_string());
    const Shape expected = prediction.shape().without(-1);
    Tensor labels = target;
    if (target.rank() == prediction.rank() && target.rank() > 0 && target.shape().back() == 1)
        labels = target.reshape(target.shape().without(-1));
    check(labels.shape() == expected, "{}: the model gives {}, so labels must be {}, got {}", name,
          prediction.shape().to_string(), expected.to_string(), target.shape().to_string());
    ops::CrossEntropyOptions settings;
    settings.label_smoothing = options.label_smoothing;
    settings.from_logits = options.from_logits;
    Tensor mask = ops::mask_of(prediction);
    const Tensor weight = ops::weight_of(prediction);
    if (options.ignore_class) {
        const Tensor others = ops::binary(ops::BinaryOp::not_equal, labels, static_cast<double>(*options.ignore_class));
        mask = mask.defined() ? ops::binary(ops::BinaryOp::logical_and, reaching(mask, labels.rank()), others) : others;
    }
    if (!mask.defined() && !weight.defined()) return ops::cross_entropy(prediction, labels, settings);
    // What stands for a label where there is no step is not looked at.
    if (mask.defined()) labels = ops::where(reaching(mask, labels.rank()), labels, Tensor::scalar(0, labels.options()));
    settings.reduction = Reduction::none;
    return weighted_mean(ops::cross_entropy(prediction, labels, settings), mask, weight);
}

Tensor categorical_crossentropy(const Tensor& prediction, const Tensor& target,
                                const CategoricalCrossentropyOptions& options) {
    constexpr const char* name = "CategoricalCrossentropy";
    check(prediction.rank() >= 1, "{}: the model gives a scalar; it must give [..., classes]", name);
    // Labels: a rank less, or an extent of 1 in place of the classes.
    const Shape rows = prediction.shape().without(-1);
    const bool labels = !is_floating(target.dtype()) && target.shape() != prediction.shape() &&
                        (target.shape() == rows || (target.rank() == prediction.rank() && target.shape().back() == 1 &&
                                                    target.shape().without(-1) == rows));
    check(labels || target.shape() == prediction.shape(),
          "{}: the model gives {}, the targets are {} {}: they must be distributions of the same shape, or integer "
          "labels {}",
          name, prediction.shape().to_string(), to_string(target.dtype()), target.shape().to_string(),
          rows.to_string());
    if (labels)
        return sparse_crossentropy(prediction, target,
                                   {.from_logits = options.from_logits, .label_smoothing = options.label_smoothing});
    ops::CrossEntropyOptions settings;
    settings.label_smoothing = options.label_smoothing;
    settings.from_logits = options.from_logits;
    return over_steps(prediction, [&](Reduction reduction) {
        settings.reduction = reduction;
        return ops::cross_entropy(prediction, target.to(prediction.dtype()), settings);
    });
}

Tensor binary_crossentropy(const Tensor& prediction, const Tensor& target, const BinaryCrossentropyOptions& options) {
    Tensor wanted = like_prediction("BinaryCrossentropy", target, prediction);
    const double smoothing = options.label_smoothing;
    if (smoothing != 0) wanted = wanted * (1 - smoothing) + 0.5 * smoothing;
    return over_steps(prediction, [&](Reduction reduction) {
        return ops::binary_cross_entropy(prediction, wanted, options.from_logits, reduction);
    });
}

/// Keras' epsilon, which keeps logarithms finite.
constexpr double smallest = 1e-7;

Tensor kl_divergence(const Tensor& prediction, const Tensor& target) {
    const Tensor t = ops::clip(like_prediction("KLDivergence", target, prediction), smallest, 1);
    const Tensor p = ops::clip(prediction, smallest, 1);
    return mean_over_steps(prediction, ops::sum(t * (ops::log(t) - ops::log(p)), {-1}));
}

Tensor cosine_similarity(const Tensor& prediction, const Tensor& target) {
    const auto unit = [](const Tensor& x) {
        const Tensor squares = ops::sum(ops::square(x), {-1}, true);
        return x / ops::sqrt(ops::binary(ops::BinaryOp::maximum, squares, 1e-12));
    };
    const Tensor wanted = like_prediction("CosineSimilarity", target, prediction);
    return -mean_over_steps(prediction, ops::sum(unit(prediction) * unit(wanted), {-1}));
}

/// max(1 - t p, 0), element by element.
Tensor hinge(const char* name, const Tensor& prediction, const Tensor& target) {
    const Tensor t = like_prediction(name, target, prediction);
    const Tensor sign =
        ops::where(ops::binary(ops::BinaryOp::equal, t, 0.0), Tensor::full(Shape{}, -1, t.options()), t);
    return ops::relu(1.0 - sign * prediction);
}

struct Named {
    const char* name;
    Loss (*make)();
};

const auto& known_losses() {
    static const std::array list{
        Named{"sparse_categorical_crossentropy", [] { return Loss(SparseCategoricalCrossentropy()); }},
        Named{"categorical_crossentropy", [] { return Loss(CategoricalCrossentropy()); }},
        Named{"binary_crossentropy", [] { return Loss(BinaryCrossentropy()); }},
        Named{"mean_squared_error", [] { return Loss(MeanSquaredError()); }},
        Named{"mse", [] { return Loss(MeanSquaredError()); }},
        Named{"mean_absolute_error", [] { return Loss(MeanAbsoluteError()); }},
        Named{"mae", [] { return Loss(MeanAbsoluteError()); }},
        Named{"huber", [] { return Loss(Huber()); }},
        Named{"kl_divergence", [] { return Loss(KLDivergence()); }},
        Named{"poisson", [] { return Loss(Poisson()); }},
        Named{"cosine_similarity", [] { return Loss(CosineSimilarity()); }},
        Named{"hinge", [] { return Loss(Hinge()); }},
        Named{"squared_hinge", [] { return Loss(SquaredHinge()); }},
    };
    return list;
}

}  // namespace

Loss::Loss(const std::string& name) {
    std::vector<std::string> names;
    for (const Named& known : known_losses()) {
        if (name == known.name) {
            *this = known.make();
            return;
        }
        names.emplace_back(known.name);
    }
    fail(fmt::format("no loss is called \"{}\"; there are: {}", name, fmt::join(names, ", ")));
}

Loss Loss::from_config(const Config& config) {
    const std::string& name = config.at(detail::class_key).string();
    if (name == "sparse_categorical_crossentropy")
        return SparseCategoricalCrossentropy(read_settings<SparseCategoricalCrossentropyOptions>(config));
    if (name == "categorical_crossentropy")
        return CategoricalCrossentropy(read_settings<CategoricalCrossentropyOptions>(config));
    if (name == "binary_crossentropy") return BinaryCrossentropy(read_settings<BinaryCrossentropyOptions>(config));
    if (name == "huber") return Huber(read_settings<HuberOptions>(config));
    read_settings<detail::NoSettings>(config);
    return name;
}

Tensor Loss::operator()(const Tensor& prediction, const Tensor& target) const {
    check(static_cast<bool>(function_), "no loss was given");
    const Tensor value = function_(prediction, target);
    const Tensor weight = ops::weight_of(prediction);
    if (value.defined() && value.elements() == 1 && (targets_ != Targets::any || !weight.defined())) return value;
    const Shape batch = prediction.shape().range(0, std::min(prediction.rank(), 1));
    check(value.defined() && value.rank() >= 1 && value.shape().range(0, batch.rank()) == batch,
          "loss \"{}\" gives {}: expected {}a value for each example, {} or more dimensions", name_,
          value.defined() ? value.shape().to_string() : "nothing",
          weight.defined() ? "(as there are weights) " : "one number, or ", batch);
    return weighted_mean(value, ops::mask_of(prediction), weight);
}

SparseCategoricalCrossentropy::SparseCategoricalCrossentropy(const SparseCategoricalCrossentropyOptions& options)
    : Loss("sparse_categorical_crossentropy", Targets::classes, settings_of("sparse_categorical_crossentropy", options),
           [options](const Tensor& p, const Tensor& t) { return sparse_crossentropy(p, t, options); }) {}

CategoricalCrossentropy::CategoricalCrossentropy(const CategoricalCrossentropyOptions& options)
    : Loss("categorical_crossentropy", Targets::classes, settings_of("categorical_crossentropy", options),
           [options](const Tensor& p, const Tensor& t) { return categorical_crossentropy(p, t, options); }) {}

BinaryCrossentropy::BinaryCrossentropy(const BinaryCrossentropyOptions& options)
    : Loss("binary_crossentropy", Targets::binary, settings_of("binary_crossentropy", options),
           [options](const Tensor& p, const Tensor& t) { return binary_crossentropy(p, t, options); }) {}

MeanSquaredError::MeanSquaredError()
    : Loss("mean_squared_error", Targets::numbers, plain("mean_squared_error"), [](const Tensor& p, const Tensor& t) {
          const Tensor wanted = like_prediction("MeanSquaredError", t, p);
          return over_steps(p, [&](Reduction r) { return ops::mean_squared_error(p, wanted, r); });
      }) {}

MeanAbsoluteError::MeanAbsoluteError()
    : Loss("mean_absolute_error", Targets::numbers, plain("mean_absolute_error"), [](const Tensor& p, const Tensor& t) {
          const Tensor wanted = like_prediction("MeanAbsoluteError", t, p);
          return over_steps(p, [&](Reduction r) { return ops::mean_absolute_error(p, wanted, r); });
      }) {}

Huber::Huber(const HuberOptions& options)
    : Loss("huber", Targets::numbers, settings_of("huber", options), [options](const Tensor& p, const Tensor& t) {
          const Tensor wanted = like_prediction("Huber", t, p);
          return over_steps(p, [&](Reduction r) { return ops::huber(p, wanted, options.delta, r); });
      }) {}

KLDivergence::KLDivergence() : Loss("kl_divergence", Targets::classes, plain("kl_divergence"), kl_divergence) {}

Poisson::Poisson()
    : Loss("poisson", Targets::numbers, plain("poisson"), [](const Tensor& p, const Tensor& t) {
          return mean_over_steps(p, p - like_prediction("Poisson", t, p) * ops::log(p + smallest));
      }) {}

CosineSimilarity::CosineSimilarity()
    : Loss("cosine_similarity", Targets::numbers, plain("cosine_similarity"), cosine_similarity) {}

Hinge::Hinge()
    : Loss("hinge", Targets::binary, plain("hinge"),
           [](const Tensor& p, const Tensor& t) { return mean_over_steps(p, hinge("Hinge", p, t)); }) {}

SquaredHinge::SquaredHinge()
    : Loss("squared_hinge", Targets::binary, plain("squared_hinge"), [](const Tensor& p, const Tensor& t) {
          return mean_over_steps(p, ops::square(hinge("SquaredHinge", p, t)));
      }) {}

}  // namespace heddle
