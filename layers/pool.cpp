#include "layers/pool.h"

#include "core/check.h"
#include "layers/detail/pool_impl.h"
#include "layers/detail/registry.h"
#include "ops/detail/scope.h"

namespace heddle {

Pooling2DImpl::Pooling2DImpl(Size2 size, const Pooling2DOptions& options)
    : LayerImpl(options.name), pool(size), strides(options.strides.value_or(size)), padding(options.padding) {
    check(pool.height >= 1 && pool.width >= 1 && strides.height >= 1 && strides.width >= 1,
          "pooling: pool size and strides must be at least 1");
}

ops::Pool2dParams Pooling2DImpl::params(std::int64_t height, std::int64_t width) const {
    return {.kernel = {pool.height, pool.width},
            .stride = {strides.height, strides.width},
            .padding = padding.resolve(height, width, pool, strides, 1)};
}

Shape Pooling2DImpl::output_shape(const Shape& input) const {
    ops::require(input.rank() == 3, class_name(), "expected pictures [height, width, channels], got {}", input);
    return params(input[0], input[1]).output_shape(Shape{1, input[0], input[1], input[2]}).range(1, 4);
}

Config Pooling2DImpl::config() const {
    return Config()
        .set("pool_size", to_config(pool))
        .set("strides", to_config(strides))
        .set("padding", padding.to_config());
}

Tensor MaxPooling2DImpl::with(const Tensor& x, ops::FusedActivation activation) {
    ops::require(x.rank() == 4, class_name(), "expected pictures [batch, height, width, channels], got {}", x);
    return ops::max_pool2d(x, params(x.size(1), x.size(2)), activation);
}

namespace {

struct AveragePooling2DImpl final : Pooling2DImpl {
    using Pooling2DImpl::Pooling2DImpl;
    const char* class_name() const override { return "AveragePooling2D"; }
    Tensor forward(const Tensor& x, bool) override {
        ops::require(x.rank() == 4, class_name(), "expected pictures [batch, height, width, channels], got {}", x);
        return ops::avg_pool2d(x, params(x.size(1), x.size(2)));
    }
};

struct GlobalPoolingImpl : LayerImpl {
    using LayerImpl::LayerImpl;
    Shape output_shape(const Shape& input) const override {
        ops::require(input.rank() == 3, class_name(), "expected pictures [height, width, channels], got {}", input);
        return Shape{input[2]};
    }
    Config config() const override { return Config(); }
};

struct GlobalAverageImpl final : GlobalPoolingImpl {
    using GlobalPoolingImpl::GlobalPoolingImpl;
    const char* class_name() const override { return "GlobalAveragePooling2D"; }
    Tensor forward(const Tensor& x, bool) override { return ops::global_average_pool2d(x); }
};

struct GlobalMaxImpl final : GlobalPoolingImpl {
    using GlobalPoolingImpl::GlobalPoolingImpl;
    const char* class_name() const override { return "GlobalMaxPooling2D"; }
    Tensor forward(const Tensor& x, bool) override { return ops::global_max_pool2d(x); }
};

template <class Pooling>
Layer pooling_from(const Config& c) {
    return Pooling(size_from_config(c.at("pool_size")),
                   {.strides = size_from_config(c.at("strides")), .padding = Padding::from_config(c.at("padding"))});
}

}  // namespace

MaxPooling2D::MaxPooling2D(Size2 pool_size, const Pooling2DOptions& options)
    : Layer(std::make_shared<MaxPooling2DImpl>(pool_size, options)) {}
AveragePooling2D::AveragePooling2D(Size2 pool_size, const Pooling2DOptions& options)
    : Layer(std::make_shared<AveragePooling2DImpl>(pool_size, options)) {}
GlobalAveragePooling2D::GlobalAveragePooling2D(const std::string& name)
    : Layer(std::make_shared<GlobalAverageImpl>(name)) {}
GlobalMaxPooling2D::GlobalMaxPooling2D(const std::string& name) : Layer(std::make_shared<GlobalMaxImpl>(name)) {}

void add_pool_layers(LayerMakers& makers) {
    makers["MaxPooling2D"] = pooling_from<MaxPooling2D>;
    makers["AveragePooling2D"] = pooling_from<AveragePooling2D>;
    makers["GlobalAveragePooling2D"] = [](const Config&) { return GlobalAveragePooling2D(); };
    makers["GlobalMaxPooling2D"] = [](const Config&) { return GlobalMaxPooling2D(); };
}

}  // namespace heddle
