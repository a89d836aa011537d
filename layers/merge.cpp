#include "layers/merge.h"

#include <array>

#include "core/check.h"
#include "layers/detail/registry.h"
#include "ops/copy.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/mask.h"
#include "ops/reduce.h"

namespace heddle {
namespace {

/// The mask of an elementwise result: a step counts if it counts in at least one input, as in Keras; undefined if an
/// input has no mask.
Tensor mask_of_any(const std::vector<Tensor>& inputs) {
    Tensor mask = ops::mask_of(inputs[0]);
    for (const Tensor& input : inputs) {
        const Tensor other = ops::mask_of(input);
        if (!mask.defined() || !other.defined()) return {};
        if (!other.is_same(mask)) mask = ops::binary(ops::BinaryOp::logical_or, mask, other);
    }
    return mask;
}

/// The mask of inputs concatenated along `axis`, where inputs without a mask count everywhere: the concatenated masks
/// if `axis` is that of the steps, else the steps that count in all inputs.
Tensor mask_along(const std::vector<Tensor>& inputs, int axis) {
    std::vector<Tensor> masks;
    int rank = 0;
    for (const Tensor& input : inputs) {
        masks.push_back(ops::mask_of(input));
        if (masks.back().defined()) rank = masks.back().rank();
    }
    if (rank == 0) return {};
    for (std::size_t i = 0; i < masks.size(); ++i)
        if (!masks[i].defined())
            masks[i] = Tensor::full(inputs[i].shape().range(0, rank), 1, {DType::boolean, inputs[i].device()});
    if (axis < rank) return ops::concat(masks, axis);
    Tensor all = masks[0];
    for (std::size_t i = 1; i < masks.size(); ++i) all = ops::binary(ops::BinaryOp::logical_and, all, masks[i]);
    return all;
}

/// Layers that take inputs of one shape, element by element.
struct PointwiseImpl final : LayerImpl {
    enum Kind { add, subtract, multiply, average, maximum, minimum };
    static constexpr const char* names[] = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"};
    Kind kind;
    PointwiseImpl(Kind k, const std::string& name) : LayerImpl(name), kind(k) {}
    const char* class_name() const override { return names[kind]; }

    std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool) override {
        check_count(inputs.size());
        Tensor result = inputs[0];
        for (std::size_t i = 1; i < inputs.size(); ++i) {
            ops::require(inputs[i].shape() == result.shape(), class_name(), "shapes {} and {} differ", result.shape(),
                         inputs[i].shape());
            result = combined(result, inputs[i]);
        }
        if (kind == average) result = result * (1.0 / static_cast<double>(inputs.size()));
        ops::set_mask(result, mask_of_any(inputs));
        return {result};
    }
    std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override {
        check_count(inputs.size());
        for (const Shape& shape : inputs)
            ops::require(shape == inputs[0], class_name(), "shapes {} and {} differ", inputs[0], shape);
        return {inputs[0]};
    }
    Config config() const override { return Config(); }

  private:
    void check_count(std::size_t inputs) const {
        ops::require(inputs >= 2, class_name(), "expected at least two inputs, got {}", inputs);
        ops::require(kind != subtract || inputs == 2, class_name(), "expected two inputs, got {}", inputs);
    }
    Tensor combined(const Tensor& a, const Tensor& b) const {
        switch (kind) {
            case subtract:
                return a - b;
            case multiply:
                return a * b;
            case maximum:
                return ops::maximum(a, b);
            case minimum:
                return ops::minimum(a, b);
            default:
                return a + b;
        }
    }
};

/// Sums over one axis of each input, a vector [batch, n] or a matrix [batch, a, b]; the remaining axes of the matrices
/// give the shape of the result.
struct DotImpl final : LayerImpl {
    std::array<int, 2> axes;
    bool normalize;
    DotImpl(std::array<int, 2> a, const DotOptions& options)
        : LayerImpl(options.name), axes(a), normalize(options.normalize) {}
    const char* class_name() const override { return "Dot"; }

    /// The index of the axis in a shape that includes the batch.
    int place(std::size_t input, int rank) const {
        ops::require(rank == 2 || rank == 3, "Dot", "expected inputs of 2 or 3 dimensions, got {}", rank);
        const int axis = normalize_axis(axes[input], rank, "Dot");
        ops::require(axis != 0, "Dot", "axis 0 is the batch dimension");
        return axis;
    }
    std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool) override {
        ops::require(inputs.size() == 2, "Dot", "expected two inputs, got {}", inputs.size());
        std::vector<Shape> samples;
        Tensor operands[2];
        bool last[2];  // whether the summed axis is the last one of the operand, a matrix
        for (std::size_t i = 0; i < 2; ++i) {
            Tensor x = inputs[i];
            samples.push_back(x.shape().range(1, x.rank()));
            const int axis = place(i, x.rank());
            if (normalize) {
                const Tensor squares = ops::sum(ops::square(x), {axis}, true);
                x = x / ops::sqrt(ops::binary(ops::BinaryOp::maximum, squares, 1e-12));
            }
            last[i] = axis == x.rank() - 1;
            operands[i] = x.rank() == 2 ? x.reshape(Shape{x.size(0), 1, x.size(1)}) : x;
        }
        const Shape sample = output_shapes(samples)[0];
        Shape shape{inputs[0].size(0)};
        for (const std::int64_t extent : sample) shape.push_back(extent);
        return {
            ops::matmul(operands[0], operands[1], {.transpose_a = !last[0], .transpose_b = last[1]}).reshape(shape)};
    }
    std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override {
        ops::require(inputs.size() == 2, "Dot", "expected two inputs, got {}", inputs.size());
        Shape left;
        std::int64_t summed[2];
        for (std::size_t i = 0; i < 2; ++i) {
            const int axis = place(i, inputs[i].rank() + 1) - 1;
            summed[i] = inputs[i][axis];
            for (const std::int64_t extent : inputs[i].without(axis)) left.push_back(extent);
        }
        ops::require(summed[0] == summed[1], "Dot", "the axes have {} and {} elements (shapes {} and {})", summed[0],
                     summed[1], inputs[0], inputs[1]);
        return {left.rank() == 0 ? Shape{1} : left};
    }
    Config config() const override {
        return Config().set("axes", std::vector<std::int64_t>{axes[0], axes[1]}).set("normalize", normalize);
    }
};

struct ConcatenateImpl final : LayerImpl {
    int axis;
    ConcatenateImpl(int a, const std::string& name) : LayerImpl(name), axis(a) {
        check(axis != 0, "Concatenate: axis 0 is the batch dimension");
    }
    const char* class_name() const override { return "Concatenate"; }
    std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool) override {
        const Tensor y = ops::concat(inputs, axis);
        ops::set_mask(y, mask_along(inputs, normalize_axis(axis, y.rank(), "Concatenate")));
        return {y};
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

Add::Add(const std::string& name) : Layer(std::make_shared<PointwiseImpl>(PointwiseImpl::add, name)) {}
Subtract::Subtract(const std::string& name) : Layer(std::make_shared<PointwiseImpl>(PointwiseImpl::subtract, name)) {}
Multiply::Multiply(const std::string& name) : Layer(std::make_shared<PointwiseImpl>(PointwiseImpl::multiply, name)) {}
Average::Average(const std::string& name) : Layer(std::make_shared<PointwiseImpl>(PointwiseImpl::average, name)) {}
Maximum::Maximum(const std::string& name) : Layer(std::make_shared<PointwiseImpl>(PointwiseImpl::maximum, name)) {}
Minimum::Minimum(const std::string& name) : Layer(std::make_shared<PointwiseImpl>(PointwiseImpl::minimum, name)) {}
Dot::Dot(int first_axis, int second_axis, const DotOptions& options)
    : Layer(std::make_shared<DotImpl>(std::array{first_axis, second_axis}, options)) {}
Concatenate::Concatenate(int axis, const std::string& name) : Layer(std::make_shared<ConcatenateImpl>(axis, name)) {}

void add_merge_layers(LayerMakers& makers) {
    makers["Add"] = [](const Config&) { return Add(); };
    makers["Subtract"] = [](const Config&) { return Subtract(); };
    makers["Multiply"] = [](const Config&) { return Multiply(); };
    makers["Average"] = [](const Config&) { return Average(); };
    makers["Maximum"] = [](const Config&) { return Maximum(); };
    makers["Minimum"] = [](const Config&) { return Minimum(); };
    makers["Dot"] = [](const Config& c) {
        const std::vector<std::int64_t> axes = c.at("axes").integers();
        check(axes.size() == 2, "Dot: expected two axes, got {}", axes.size());
        return Dot(static_cast<int>(axes[0]), static_cast<int>(axes[1]), {.normalize = c.at("normalize").boolean()});
    };
    makers["Concatenate"] = [](const Config& c) { return Concatenate(static_cast<int>(c.at("axis").integer())); };
}

}  // namespace heddle
