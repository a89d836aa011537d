#include "tests/cases/sample.h"

#include <algorithm>
#include <array>

#include "core/parallel.h"
#include "core/random.h"

namespace heddle::cases {
namespace {

using namespace kernels;

/// As many places as can be computed in about half a second, within bounds.
std::int64_t affordable(std::int64_t products_each) {
    return std::clamp<std::int64_t>(std::int64_t{200'000'000} / std::max<std::int64_t>(products_each, 1), 200, 4000);
}

/// output[i] = value(i) at some places.
template <class Value>
void fill(Problem& want, const View& output, std::int64_t products_each, const Value& value) {
    const std::vector<std::int64_t> places = sample_places(output.shape, affordable(products_each));
    parallel_for(static_cast<std::int64_t>(places.size()), 16, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t j = first; j < last; ++j) {
            const std::int64_t i = places[static_cast<std::size_t>(j)];
            output.as<double>()[i] = value(i);
        }
    });
    want.only(output, places);
}

double relu(double value) { return value < 0 ? 0 : value; }

/// The index along the last four axes of a flat one.
std::array<std::int64_t, 4> unflatten(std::int64_t i, const Shape& s) {
    return {i / (s[1] * s[2] * s[3]), i / (s[2] * s[3]) % s[1], i / s[3] % s[2], i % s[3]};
}

/// The row or column of x that tap `tap` of output `out` reads, along spatial axis 0 or 1.
std::int64_t source(const Conv2dParams& p, std::size_t axis, std::int64_t out, std::int64_t tap) {
    return out * p.stride[axis] + tap * p.dilation[axis] - p.padding[2 * axis];
}

/// The output that reads place `in` of x with tap `tap`; -1 if there is none.
std::int64_t reader(const Conv2dParams& p, std::size_t axis, std::int64_t in, std::int64_t tap, std::int64_t extent) {
    const std::int64_t place = in + p.padding[2 * axis] - tap * p.dilation[axis];
    if (place < 0 || place % p.stride[axis] != 0 || place / p.stride[axis] >= extent) return -1;
    return place / p.stride[axis];
}

}  // namespace

std::vector<std::int64_t> sample_places(const Shape& shape, std::int64_t count) {
    std::vector<std::int64_t> places{0};
    for (int axis = 0; axis < shape.rank(); ++axis) {
        const std::int64_t extent = shape[axis];
        std::vector<std::int64_t> longer;
        for (const std::int64_t place : places)
            for (const std::int64_t along : {std::int64_t{0}, std::int64_t{1}, extent / 2, extent - 2, extent - 1})
                if (along >= 0 && along < extent) longer.push_back(place * extent + along);
        places = std::move(longer);
    }
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    if (places.empty()) return places;
    // Too many edges: an evenly spaced subset of them, and the last.
    if (const std::int64_t edges = count / 2; static_cast<std::int64_t>(places.size()) > edges) {
        std::vector<std::int64_t> fewer;
        const std::size_t step = places.size() / static_cast<std::size_t>(edges) + 1;
        for (std::size_t i = 0; i < places.size(); i += step) fewer.push_back(places[i]);
        fewer.push_back(places.back());
        places = std::move(fewer);
    }
    const auto elements = static_cast<std::uint64_t>(shape.elements());
    for (std::int64_t i = static_cast<std::int64_t>(places.size()); i < count; ++i) {
        const Philox::Block block = Philox::block(20261126, 0, static_cast<std::uint64_t>(i));
        places.push_back(static_cast<std::int64_t>(((std::uint64_t{block.word[0]} << 32) | block.word[1]) % elements));
    }
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    return places;
}

void sample(Problem& want, const Conv2dForward& a) {
    const Shape &x = a.x.shape, &w = a.w.shape, &y = a.y.shape;
    fill(want, a.y, w.elements(1, 4), [&](std::int64_t i) {
        const auto [n, oh, ow, o] = unflatten(i, y);
        const std::int64_t first = o / (w[0] / a.params.groups) * w[3];
        double sum = a.bias ? a.bias.as<double>()[o] : 0;
        for (std::int64_t r = 0; r < w[1]; ++r)
            for (std::int64_t s = 0; s < w[2]; ++s) {
                const std::int64_t h = source(a.params, 0, oh, r), v = source(a.params, 1, ow, s);
                if (h < 0 || h >= x[1] || v < 0 || v >= x[2]) continue;
                const double* pixel = a.x.as<double>() + ((n * x[1] + h) * x[2] + v) * x[3] + first;
                const double* tap = a.w.as<double>() + ((o * w[1] + r) * w[2] + s) * w[3];
                for (std::int64_t c = 0; c < w[3]; ++c) sum += pixel[c] * tap[c];
            }
        if (a.residual) sum += a.residual.as<double>()[i];
        return a.activation == FusedActivation::relu ? relu(sum) : sum;
    });
}

void sample(Problem& want, const Conv2dBackwardData& a) {
    const Shape &x = a.dx.shape, &w = a.w.shape, &y = a.dy.shape;
    const std::int64_t outputs = w[0] / a.params.groups;
    fill(want, a.dx, w[1] * w[2] * outputs, [&](std::int64_t i) {
        const auto [n, h, v, channel] = unflatten(i, x);
        const std::int64_t group = channel / w[3], c = channel % w[3];
        double sum = 0;
        for (std::int64_t r = 0; r < w[1]; ++r)
            for (std::int64_t s = 0; s < w[2]; ++s) {
                const std::int64_t oh = reader(a.params, 0, h, r, y[1]), ow = reader(a.params, 1, v, s, y[2]);
                if (oh < 0 || ow < 0) continue;
                for (std::int64_t o = group * outputs; o < (group + 1) * outputs; ++o)
                    sum += a.dy.as<double>()[((n * y[1] + oh) * y[2] + ow) * y[3] + o] *
                           a.w.as<double>()[((o * w[1] + r) * w[2] + s) * w[3] + c];
            }
        return sum;
    });
}

void sample(Problem& want, const Conv2dBackwardWeights& a) {
    const Shape &x = a.x.shape, &w = a.dw.shape, &y = a.dy.shape;
    fill(want, a.dw, y.elements(0, 3), [&](std::int64_t i) {
        const auto [o, r, s, c] = unflatten(i, w);
        const std::int64_t channel = o / (w[0] / a.params.groups) * w[3] + c;
        double sum = 0;
        for (std::int64_t n = 0; n < y[0]; ++n)
            for (std::int64_t oh = 0; oh < y[1]; ++oh) {
                const std::int64_t h = source(a.params, 0, oh, r);
                if (h < 0 || h >= x[1]) continue;
                for (std::int64_t ow = 0; ow < y[2]; ++ow) {
                    const std::int64_t v = source(a.params, 1, ow, s);
                    if (v < 0 || v >= x[2]) continue;
                    sum += a.x.as<double>()[((n * x[1] + h) * x[2] + v) * x[3] + channel] *
                           a.dy.as<double>()[((n * y[1] + oh) * y[2] + ow) * y[3] + o];
                }
            }
        return sum;
    });
    if (!a.dbias) return;
    for (std::int64_t o = 0; o < y[3]; ++o) a.dbias.as<double>()[o] = 0;
    for (std::int64_t i = 0; i < a.dy.elements(); ++i) a.dbias.as<double>()[i % y[3]] += a.dy.as<double>()[i];
}

void sample(Problem& want, const Matmul& a) {
    const int rank = a.c.shape.rank();
    const std::int64_t m = a.c.shape[rank - 2], n = a.c.shape[rank - 1], k = a.a.shape.at(a.transpose_a ? -2 : -1);
    const std::int64_t a_step = a.a.shape.rank() > 2 ? m * k : 0, b_step = a.b.shape.rank() > 2 ? k * n : 0;
    fill(want, a.c, k, [&](std::int64_t place) {
        const std::int64_t p = place / (m * n), i = place / n % m, j = place % n;
        const double *left = a.a.as<double>() + p * a_step, *right = a.b.as<double>() + p * b_step;
        double sum = 0;
        for (std::int64_t l = 0; l < k; ++l)
            sum += (a.transpose_a ? left[l * m + i] : left[i * k + l]) *
                   (a.transpose_b ? right[j * k + l] : right[l * n + j]);
        double value = static_cast<double>(a.alpha) * sum;
        if (a.bias) value += a.bias.as<double>()[j];
        if (a.accumulate) value += a.c.as<double>()[place];
        return a.activation == FusedActivation::relu ? relu(value) : value;
    });
}

}  // namespace heddle::cases
