#pragma once

#include "layers/pool.h"
#include "ops/pool.h"

// Private to layers/: what both windowed poolings share, and the form that a convolution fuses with.
namespace heddle {

struct Pooling2DImpl : LayerImpl {
    Size2 pool;
    Size2 strides;
    Padding padding;

    Pooling2DImpl(Size2 size, const Pooling2DOptions& options);
    ops::Pool2dParams params(std::int64_t height, std::int64_t width) const;
    Shape output_shape(const Shape& input) const override;
    Config config() const override;
};

struct MaxPooling2DImpl final : Pooling2DImpl {
    using Pooling2DImpl::Pooling2DImpl;
    const char* class_name() const override { return "MaxPooling2D"; }
    Tensor forward(const Tensor& x, bool) override { return with(x, ops::FusedActivation::none); }
    Tensor with(const Tensor& x, ops::FusedActivation activation);
};

}  // namespace heddle
