#pragma once

#include "core/check.h"
#include "kernels/pool/pool.h"
#include "tests/cases/families.h"

// Windows over pictures as numbers: square ones, equal on all sides.
namespace heddle::cases {

inline std::vector<Dim> window_dims() {
    std::vector<Dim> list = picture_dims();
    list.push_back({.name = "kernel", .fallback = 2});
    list.push_back({.name = "stride", .same_as = "kernel"});
    list.push_back({.name = "pad", .fallback = 0, .low = 0});
    return list;
}

inline kernels::Pool2dParams window_of(const Dims& d) {
    const std::int64_t kernel = d.at("kernel"), stride = d.at("stride"), pad = d.at("pad");
    check(pad < kernel, "pooling: pad = {} is not below kernel = {}", pad, kernel);
    const kernels::Pool2dParams params{
        .kernel = {kernel, kernel}, .stride = {stride, stride}, .padding = {pad, pad, pad, pad}};
    check(params.output_shape(picture_shape(d)).elements() > 0,
          "pooling: a window of {} x {} does not fit a picture of {} x {}", kernel, kernel, d.at("h"), d.at("w"));
    return params;
}

/// False for windows that these numbers do not describe.
inline bool set_window(Dims& d, const Shape& x, const kernels::Pool2dParams& p) {
    const std::array<std::int64_t, 4> even{p.padding[0], p.padding[0], p.padding[0], p.padding[0]};
    if (!set_picture(d, x) || p.kernel[0] != p.kernel[1] || p.stride[0] != p.stride[1] || p.padding != even)
        return false;
    d.set("kernel", p.kernel[0]);
    d.set("stride", p.stride[0]);
    d.set("pad", p.padding[0]);
    return true;
}

/// For each output a random position i * kernel[1] + j of its window that lies in the picture x.
std::vector<double> random_positions(const Shape& x, const kernels::Pool2dParams& params);

}  // namespace heddle::cases
