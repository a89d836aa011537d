#pragma once

#include <string>
#include <vector>

#include "kernels/conv/conv.h"
#include "tests/cases/case.h"

// Private to the cases of convolution: what tells one of them from another.
namespace heddle::cases {

struct ConvGeometry {
    std::string name = {};
    Shape x = {}, w = {};
    kernels::Conv2dParams params = {};
    bool bias = false, relu = false;
    Fill fill = Fill::normal;
    bool benchmark = false;
    bool residual = false, in_place = false;  ///< in place: y is the residual
    double margin = 1;                        ///< a further factor on `tolerance()`; no listed geometry needs one

    Shape y() const { return params.output_shape(x, w); }
    double flops() const { return 2.0 * static_cast<double>(y().elements() * w.elements(1, 4)); }

    /// Winograd's transforms add and subtract up to 36 values of a tile, weighted by up to 25/4, so its rounding errors
    /// are 2 to 5 times those of a direct convolution (Lavin and Gray, 2015); an outlier's error spreads over its whole
    /// tile, to outputs that do not depend on it. A case cannot know which implementation runs, so every shape that
    /// Winograd takes is granted its margin.
    double tolerance() const;

    /// Where the stride is larger than the kernel, some elements of dx lie in no window and are zero. They lower the
    /// root mean square that errors are measured against; this factor makes up for it.
    double gaps() const;
};

/// Each is a case of the forward pass and of both gradients.
std::vector<ConvGeometry> conv_geometries();
/// Forward cases with a residual, alone and beside bias and ReLU.
std::vector<ConvGeometry> residual_conv_geometries();

}  // namespace heddle::cases
