#pragma once

#include "kernels/conv/conv.h"

namespace heddle::kernels {

/// The numbers of a convolution by name: pictures of height x width x channels, filters of kernel_height x kernel_width
/// x group_channels, results of out_height x out_width x outputs.
struct ConvExtents {
    std::int64_t pictures, height, width, channels;
    std::int64_t out_height, out_width, outputs;
    std::int64_t kernel_height, kernel_width;
    std::int64_t groups, group_channels, group_outputs;

    ConvExtents(const Shape& x, const Shape& w, const Shape& y, const Conv2dParams& params)
        : pictures(x[0]),
          height(x[1]),
          width(x[2]),
          channels(x[3]),
          out_height(y[1]),
          out_width(y[2]),
          outputs(w[0]),
          kernel_height(w[1]),
          kernel_width(w[2]),
          groups(params.groups),
          group_channels(w[3]),
          group_outputs(w[0] / params.groups) {}
    explicit ConvExtents(const Conv2dForward& args)
        : ConvExtents(args.x.shape, args.w.shape, args.y.shape, args.params) {}
    explicit ConvExtents(const Conv2dBackwardData& args)
        : ConvExtents(args.dx.shape, args.w.shape, args.dy.shape, args.params) {}
    explicit ConvExtents(const Conv2dBackwardWeights& args)
        : ConvExtents(args.x.shape, args.dw.shape, args.dy.shape, args.params) {}

    std::int64_t taps() const { return kernel_height * kernel_width; }
    std::int64_t pixels() const { return pictures * height * width; }
    std::int64_t out_pixels() const { return pictures * out_height * out_width; }
    bool depthwise() const { return group_channels == 1 && groups > 1; }

    /// Whether pixels, and the products behind a result, are few enough (2^30) to be counted in 32 bits.
    bool fits_int() const {
        constexpr std::int64_t limit = 1 << 30;  // with padding or a tile beyond, still an int
        return pixels() <= limit && out_pixels() <= limit && taps() * group_channels <= limit &&
               taps() * group_outputs <= limit && channels <= limit && outputs <= limit;
    }
};

}  // namespace heddle::kernels
