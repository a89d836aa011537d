#include "layers/masking.h"

#include "layers/detail/registry.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"
#include "ops/mask.h"
#include "ops/reduce.h"

namespace heddle {
namespace {

struct MaskingImpl final : LayerImpl {
    double mask_value;
    MaskingImpl(double value, const std::string& name) : LayerImpl(name), mask_value(value) {}
    const char* class_name() const override { return "Masking"; }

    Tensor forward(const Tensor& x, bool) override {
        output_shape(x.shape().range(1, x.rank()));
        const std::int64_t batch = x.size(0), time = x.size(1);
        const Tensor differs = ops::binary(ops::BinaryOp::not_equal, x, mask_value).to(DType::f32);
        const std::int64_t features = x.shape().elements(2, x.rank());
        const Tensor most = ops::max(differs.reshape(Shape{batch, time, features}), {2});
        const Tensor mask = ops::binary(ops::BinaryOp::greater, most, 0.0);
        Shape steps{batch, time};
        while (steps.rank() < x.rank()) steps.push_back(1);
        const Tensor y = ops::where(mask.reshape(steps), x, Tensor::scalar(0, x.options()));
        ops::set_mask(y, mask);
        return y;
    }
    Shape output_shape(const Shape& input) const override {
        ops::require(input.rank() >= 2, "Masking", "expected sequences [time, features], got {}", input);
        return input;
    }
    Config config() const override { return Config().set("mask_value", mask_value); }
};

}  // namespace

Masking::Masking(double mask_value, const std::string& name) : Layer(std::make_shared<MaskingImpl>(mask_value, name)) {}

void add_masking_layers(LayerMakers& makers) {
    makers["Masking"] = [](const Config& c) { return Masking(c.at("mask_value").number()); };
}

}  // namespace heddle
