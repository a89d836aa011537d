#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/dispatch.h"
#include "kernels/loss/implementations.h"
#include "kernels/loss/labels.h"

namespace heddle::kernels {
namespace {

/// q_c of a row: the label after smoothing.
template <class T, class Args>
double target(const Args& args, std::int64_t row, std::int64_t c, std::int64_t classes) {
    const double label = is_floating(args.labels.dtype) ? double(args.labels.template as<T>()[row * classes + c])
                                                        : double(label_at(args.labels, row) == c);
    return (1 - double(args.label_smoothing)) * label + double(args.label_smoothing) / double(classes);
}

template <class Args>
bool ignored(const Args& args, std::int64_t row) {
    return !is_floating(args.labels.dtype) && label_at(args.labels, row) == args.ignore_index;
}

/// NaN where the row's label is no class, else 1: a factor of its loss and gradient.
template <class Args>
double validity(const Args& args, std::int64_t row, std::int64_t classes) {
    const bool outside =
        !is_floating(args.labels.dtype) && is_outside(label_at(args.labels, row), classes, args.ignore_index);
    return outside ? std::numeric_limits<double>::quiet_NaN() : 1;
}

template <class T>
void forward(const CrossEntropyForward& args) {
    const std::int64_t classes = args.logits.shape.back(), rows = args.log_sum.elements();
    for (std::int64_t row = 0; row < rows; ++row) {
        const T* x = args.logits.as<T>() + row * classes;
        const double largest = *std::max_element(x, x + classes);
        double sum = 0;
        for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(double(x[c]) - largest);
        double loss = 0;
        for (std::int64_t c = 0; c < classes && !ignored(args, row); ++c) {
            const double q = target<T>(args, row, c, classes);
            if (q != 0) loss += q * (std::log(sum) - (double(x[c]) - largest));
        }
        args.log_sum.as<T>()[row] = static_cast<T>(std::log(sum));
        args.loss.as<T>()[row] = static_cast<T>(loss * validity(args, row, classes));
    }
}

template <class T>
void backward(const CrossEntropyBackward& args) {
    const std::int64_t classes = args.logits.shape.back(), rows = args.log_sum.elements();
    for (std::int64_t row = 0; row < rows; ++row) {
        const T* x = args.logits.as<T>() + row * classes;
        T* dx = args.dlogits.as<T>() + row * classes;
        const double largest = *std::max_element(x, x + classes);
        const double dloss = double(args.dloss.as<T>()[args.dloss.elements() == 1 ? 0 : row]) * double(args.scale);
        double total = 0;
        for (std::int64_t c = 0; c < classes; ++c) total += target<T>(args, row, c, classes);
        for (std::int64_t c = 0; c < classes; ++c) {
            const double probability = std::exp(double(x[c]) - largest - double(args.log_sum.as<T>()[row]));
            const double gradient = (probability * total - target<T>(args, row, c, classes)) * dloss;
            dx[c] = static_cast<T>(ignored(args, row) ? 0 : gradient * validity(args, row, classes));
        }
    }
}

void find_bad_label(const LabelRange& args, KernelContext&) {
    std::int64_t& result = *args.result.as<std::int64_t>();
    result = -1;
    for (std::int64_t row = args.labels.elements() - 1; row >= 0; --row) {
        if (is_outside(label_at(args.labels, row), args.classes, args.ignore_index)) result = row;
    }
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double clip_probability(double p) { return std::clamp(p, double(probability_margin), double(1 - probability_margin)); }

double point_loss(PointLoss kind, double delta, double p, double t) {
    const double d = p - t;
    switch (kind) {
        case PointLoss::mse:
            return d * d;
        case PointLoss::mae:
            return std::abs(d);
        case PointLoss::huber:
            return std::abs(d) <= delta ? d * d / 2 : delta * (std::abs(d) - delta / 2);
        case PointLoss::bce_with_logits:
            return std::max(p, 0.0) - p * t + std::log1p(std::exp(-std::abs(p)));
        case PointLoss::bce: {
            const double clipped = clip_probability(p);
            return -(t * std::log(clipped) + (1 - t) * std::log1p(-clipped));
        }
    }
    return 0;
}

double point_gradient(PointLoss kind, double delta, double p, double t) {
    const double d = p - t;
    switch (kind) {
        case PointLoss::mse:
            return 2 * d;
        case PointLoss::mae:
            return d > 0 ? 1 : (d < 0 ? -1 : d);
        case PointLoss::huber:
            return std::clamp(d, -delta, delta);
        case PointLoss::bce_with_logits:
            return sigmoid(p) - t;
        case PointLoss::bce:
            return p == clip_probability(p) ? d / (p * (1 - p)) : 0;
    }
    return 0;
}

template <class T>
void forward(const PointLossForward& args) {
    for (std::int64_t i = 0; i < args.loss.elements(); ++i)
        args.loss.as<T>()[i] = static_cast<T>(point_loss(
            args.kind, double(args.delta), double(args.prediction.as<T>()[i]), double(args.target.as<T>()[i])));
}

template <class T>
void backward(const PointLossBackward& args) {
    for (std::int64_t i = 0; i < args.dprediction.elements(); ++i) {
        const double gradient = point_gradient(args.kind, double(args.delta), double(args.prediction.as<T>()[i]),
                                               double(args.target.as<T>()[i]));
        const double dloss = double(args.dloss.as<T>()[args.dloss.elements() == 1 ? 0 : i]) * double(args.scale);
        args.dprediction.as<T>()[i] = static_cast<T>(gradient * dloss);
    }
}

}  // namespace

void add_reference(KernelTable<CrossEntropyForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const CrossEntropyForward& args) { return float_or_double(args.logits.dtype); },
               .run =
                   [](const CrossEntropyForward& args, KernelContext&) {
                       with_float_type(args.logits.dtype, [&](auto zero) { forward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<CrossEntropyBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const CrossEntropyBackward& args) { return float_or_double(args.logits.dtype); },
               .run =
                   [](const CrossEntropyBackward& args, KernelContext&) {
                       with_float_type(args.logits.dtype, [&](auto zero) { backward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<LabelRange>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const LabelRange&) { return Support::yes(); },
               .run = find_bad_label});
}

void add_reference(KernelTable<PointLossForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const PointLossForward& args) { return float_or_double(args.loss.dtype); },
               .run =
                   [](const PointLossForward& args, KernelContext&) {
                       with_float_type(args.loss.dtype, [&](auto zero) { forward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<PointLossBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const PointLossBackward& args) { return float_or_double(args.dprediction.dtype); },
               .run =
                   [](const PointLossBackward& args, KernelContext&) {
                       with_float_type(args.dprediction.dtype, [&](auto zero) { backward<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
