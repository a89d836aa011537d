#include "layers/merge.h"

#include "core/check.h"
#include "layers/detail/registry.h"
#include "ops/copy.h"
#include "ops/detail/scope.h"

namespace heddle {
namespace {

struct PointwiseImpl final : LayerImpl {
    bool product;
    PointwiseImpl(bool p, const std::string& name) : LayerImpl(name), product(p) {}
    const char* class_name() const override { return product ? "Multiply" : "Add"; }
    std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool) override {
        ops::require(inputs.size() >= 2, class_name(), "expected at least two inputs, got {}", inputs.size());
        Tensor result = inputs[0];
        for (std::size_t i = 1; i < inputs.size(); ++i) {
            ops::require(inputs[i].shape() == result.shape(), class_name(), "shapes {} and {} differ", result.shape(),
                         inputs[i].shape());
            result = product ? result * inputs[i] : result + inputs[i];
        }
        return {result};
    }
    std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override {
        ops::require(inputs.size() >= 2, class_name(), "expected at least two inputs, got {}", inputs.size());
        for (const Shape& shape : inputs)
            ops::require(shape == inputs[0], class_name(), "shapes {} and {} differ", inputs[0], shape);
        return {inputs[0]};
    }
    Config config() const override { return Config(); }
};

struct ConcatenateImpl final : LayerImpl {
    int axis;
    ConcatenateImpl(int a, const std::string& name) : LayerImpl(name), axis(a) {
        check(axis != 0, "Concatenate: axis 0 is the batch dimension");
    }
    const char* class_name() const override { return "Concatenate"; }
    std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool) override {
        return {ops::concat(inputs, axis)};
    }
    std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override {
        ops::require(!inputs.empty(), "Concatenate", "no inputs");
        const int at = normalize_axis(axis < 0 ? axis : axis - 1, inputs[0].rank(), "Concatenate");
        std::int64_t total = 0;
        for (const Shape& shape : inputs) {
            ops::require(shape.rank() == inputs[0].rank() && shape.with(at, 0) == inputs[0].with(at, 0), "Concatenate",
                         "{} does not go with {}", shape, inputs[0]);
            total += shape[at];
        }
        return {inputs[0].with(at, total)};
    }
    Config config() const override { return Config().set("axis", axis); }
};

}  // namespace

Add::Add(const std::string& name) : Layer(std::make_shared<PointwiseImpl>(false, name)) {}
Multiply::Multiply(const std::string& name) : Layer(std::make_shared<PointwiseImpl>(true, name)) {}
Concatenate::Concatenate(int axis, const std::string& name) : Layer(std::make_shared<ConcatenateImpl>(axis, name)) {}

void add_merge_layers(LayerMakers& makers) {
    makers["Add"] = [](const Config&) { return Add(); };
    makers["Multiply"] = [](const Config&) { return Multiply(); };
    makers["Concatenate"] = [](const Config& c) { return Concatenate(static_cast<int>(c.at("axis").integer())); };
}

}  // namespace heddle
