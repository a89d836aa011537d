#include <algorithm>
#include <span>
#include <stdexcept>

#include "ops/attention.h"
#include "ops/conv.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/rnn.h"
#include "ops/softmax.h"
#include "tests/ops/vectors.h"

// The functions of ops/ against PyTorch (vectors.h).
namespace {

using namespace heddle;
using namespace heddle::ops;
using vectors::Function;
using vectors::json;
using Inputs = std::vector<Tensor>;

template <class T, std::size_t n>
std::array<T, n> numbers(const json& option) {
    return option.get<std::array<T, n>>();
}

FusedActivation activation(const json& o) {
    return o.value("relu", false) ? FusedActivation::relu : FusedActivation::none;
}

/// Calls a function of an initializer_list with the elements of an array of up to four.
template <class T, class F>
auto spread(const std::vector<T>& list, F function) {
    switch (list.size()) {
        case 1:
            return function({list[0]});
        case 2:
            return function({list[0], list[1]});
        case 3:
            return function({list[0], list[1], list[2]});
        default:
            return function({list.at(0), list.at(1), list.at(2), list.at(3)});
    }
}

/// The operation of this name.
template <class Op>
Op named(const json& o, std::span<const char* const> names) {
    const auto place = std::find(names.begin(), names.end(), o.at("name").get<std::string>());
    if (place == names.end()) throw std::out_of_range("no operation for " + o.dump());
    return static_cast<Op>(place - names.begin());
}

BinaryOp binary_op(const json& o) { return named<BinaryOp>(o, binary_op_names()); }
UnaryOp unary_op(const json& o) { return named<UnaryOp>(o, unary_op_names()); }

Tensor convolution(const Inputs& in, const json& o) {
    const auto input = [&](std::size_t i) { return i < in.size() ? in[i] : Tensor(); };
    return conv2d(in[0], in[1], input(2),
                  {.stride = numbers<std::int64_t, 2>(o.at("stride")),
                   .dilation = numbers<std::int64_t, 2>(o.at("dilation")),
                   .padding = numbers<std::int64_t, 4>(o.at("padding")),
                   .groups = o.at("groups")},
                  activation(o), input(3));
}

Pool2dParams window(const json& o) {
    return {.kernel = numbers<std::int64_t, 2>(o.at("kernel")),
            .stride = numbers<std::int64_t, 2>(o.at("stride")),
            .padding = numbers<std::int64_t, 4>(o.at("padding"))};
}

BatchNormOptions norm_options(const json& o) {
    return {.epsilon = o.at("epsilon"),
            .momentum = o.at("momentum"),
            .unbiased_running_variance = o.at("unbiased"),
            .activation = activation(o)};
}

Inputs normalise_and_pool(const Inputs& in, const json& o) {
    const Tensor mean = in[3].clone(), variance = in[4].clone();
    return {batch_norm_max_pool2d(in[0], in[1], in[2], mean, variance, norm_options(o), window(o)), mean, variance};
}

Inputs normalise(const Inputs& in, const json& o) {
    const auto input = [&](std::size_t i) { return i < in.size() ? in[i] : Tensor(); };
    const auto copy = [](const Tensor& t) { return t.defined() ? t.clone() : t; };
    const bool training = o.at("training");
    const Tensor mean = copy(input(3)), variance = copy(input(4));
    const Tensor y = batch_norm(in[0], input(1), input(2), mean, variance, training, norm_options(o), input(5));
    if (!training || !mean.defined()) return {y};
    return {y, mean, variance};
}

Inputs recurrent(const Inputs& in, const json& o) {
    static const std::map<std::string, RnnCell> cells{
        {"relu", RnnCell::relu}, {"tanh", RnnCell::tanh}, {"lstm", RnnCell::lstm}, {"gru", RnnCell::gru}};
    const auto input = [&](std::size_t i) { return i < in.size() ? in[i] : Tensor(); };
    const auto lengths = o.at("lengths").get<std::vector<std::int32_t>>();
    RnnOptions options{.reverse = o.at("reverse")};
    if (!lengths.empty()) options.lengths = Tensor::from(lengths, Shape{in[0].size(0)});
    const RnnCell cell = cells.at(o.at("cell").get<std::string>());
    const RnnResult result = rnn(cell, in[0], {in[1], in[2], input(3), input(4)}, {input(5), input(6)}, options);
    if (cell == RnnCell::lstm) return {result.y, result.state.hidden, result.state.cell};
    return {result.y, result.state.hidden};
}

Tensor classify(const Inputs& in, const json& o) {
    return cross_entropy(in[0], in[1],
                         {.label_smoothing = o.value("label_smoothing", 0.0f),
                          .from_logits = o.value("from_logits", true),
                          .ignore_index = o.value("ignore_index", INT64_MIN)});
}

Tensor reduction(const Inputs& in, const json& o) {
    const std::string name = o.at("name");
    const bool keep = o.at("keep");
    return spread(o.at("axes").get<std::vector<int>>(), [&](std::initializer_list<int> axes) {
        return name == "sum"    ? sum(in[0], axes, keep)
               : name == "mean" ? mean(in[0], axes, keep)
               : name == "max"  ? ops::max(in[0], axes, keep)
                                : ops::min(in[0], axes, keep);
    });
}

Tensor padded(const Inputs& in, const json& o) {
    static const std::map<std::string, PadMode> modes{
        {"constant", PadMode::constant}, {"reflect", PadMode::reflect}, {"edge", PadMode::edge}};
    const auto widths = o.at("widths").get<std::vector<std::array<std::int64_t, 2>>>();
    return pad(in[0], widths, modes.at(o.at("mode").get<std::string>()), o.at("value"));
}

Tensor sliced(const Inputs& in, const json& o) {
    std::vector<Range> ranges;
    for (const json& range : o.at("ranges")) ranges.push_back({range.at(0), range.at(1), range.at(2)});
    return spread(ranges, [&](std::initializer_list<Range> list) { return ops::slice(in[0], list); });
}

Function one(Tensor (*function)(const Inputs&, const json&)) {
    return [function](const Inputs& in, const json& o) { return Inputs{function(in, o)}; };
}

/// With its weights, or by its own kernels, which keep none.
Function attend(bool weights) {
    return [weights](const Inputs& in, const json& o) {
        Tensor mask;
        std::vector<std::uint8_t> flags;
        for (const json& row : o.at("mask"))
            for (const json& flag : row) flags.push_back(flag.get<std::uint8_t>());
        if (!flags.empty()) mask = Tensor::from(flags, Shape{in[1].size(0), in[1].size(1)}).to(DType::boolean);
        return Inputs{
            attention(in[0], in[1], in[2], {.causal = o.at("causal"), .mask = mask, .weights = weights}).output};
    };
}

const std::map<std::string, Function>& functions() {
    static const std::map<std::string, Function> table{
        {"conv2d", one(convolution)},
        {"max_pool2d",
         one([](const Inputs& in, const json& o) { return max_pool2d(in[0], window(o), activation(o)); })},
        {"avg_pool2d",
         one([](const Inputs& in, const json& o) { return avg_pool2d(in[0], window(o), o.at("count_padding")); })},
        {"batch_norm", normalise},
        {"batch_norm_max_pool2d", normalise_and_pool},
        {"attention", attend(true)},
        {"rnn", recurrent},
        {"layer_norm", one([](const Inputs& in, const json& o) {
             const auto input = [&](std::size_t i) { return i < in.size() ? in[i] : Tensor(); };
             return layer_norm(in[0], input(1), input(2), o.at("epsilon"));
         })},
        {"linear", one([](const Inputs& in, const json& o) {
             return linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), activation(o));
         })},
        {"matmul", one([](const Inputs& in, const json& o) {
             return matmul(in[0], in[1], {.transpose_a = o.at("transpose_a"), .transpose_b = o.at("transpose_b")});
         })},
        {"softmax", one([](const Inputs& in, const json&) { return softmax(in[0]); })},
        {"log_softmax", one([](const Inputs& in, const json&) { return log_softmax(in[0]); })},
        {"cross_entropy", one(classify)},
        {"mean_squared_error", one([](const Inputs& in, const json&) { return mean_squared_error(in[0], in[1]); })},
        {"mean_absolute_error", one([](const Inputs& in, const json&) { return mean_absolute_error(in[0], in[1]); })},
        {"huber", one([](const Inputs& in, const json& o) { return huber(in[0], in[1], o.at("delta")); })},
        {"binary_cross_entropy",
         one([](const Inputs& in, const json& o) { return binary_cross_entropy(in[0], in[1], o.at("from_logits")); })},
        {"unary",
         one([](const Inputs& in, const json& o) { return unary(unary_op(o), in[0], o.value("alpha", 0.0f)); })},
        {"binary", one([](const Inputs& in, const json& o) { return binary(binary_op(o), in[0], in[1]); })},
        {"scalar", one([](const Inputs& in, const json& o) {
             return binary(binary_op(o), in[0], o.at("scalar").get<double>(), o.value("first", false));
         })},
        {"where", one([](const Inputs& in, const json&) { return where(in[0], in[1], in[2]); })},
        {"clip", one([](const Inputs& in, const json& o) { return clip(in[0], o.at("low"), o.at("high")); })},
        {"to", one([](const Inputs& in, const json& o) {
             return in[0].to(o.at("dtype") == "i32" ? DType::i32 : DType::boolean);
         })},
        {"full", one([](const Inputs& in, const json& o) {
             return Tensor::full(in[0].shape(), o.at("value"), in[0].options());
         })},
        {"accumulate", one([](const Inputs& in, const json&) { return in[0] * in[0] + ops::exp(in[0]) - in[0]; })},
        {"reduce", one(reduction)},
        {"argmax", one([](const Inputs& in, const json& o) { return argmax(in[0], o.at("axis")); })},
        {"argmin", one([](const Inputs& in, const json& o) { return argmin(in[0], o.at("axis")); })},
        {"topk",
         [](const Inputs& in, const json& o) {
             const auto [values, indices] = topk(in[0], o.at("k"));
             return Inputs{values, indices};
         }},
        {"permute", one([](const Inputs& in, const json& o) {
             return spread(o.at("axes").get<std::vector<int>>(),
                           [&](std::initializer_list<int> axes) { return permute(in[0], axes); });
         })},
        {"concat", one([](const Inputs& in, const json& o) { return concat(in, o.at("axis")); })},
        {"split",
         [](const Inputs& in, const json& o) {
             return split(in[0], o.at("extents").get<std::vector<std::int64_t>>(), o.at("axis"));
         }},
        {"stack", one([](const Inputs& in, const json&) { return stack(in); })},
        {"broadcast_to", one([](const Inputs& in, const json& o) {
             return broadcast_to(in[0], Shape(o.at("shape").get<std::vector<std::int64_t>>()));
         })},
        {"pad", one(padded)},
        {"slice", one(sliced)},
        {"flip", one([](const Inputs& in, const json& o) { return flip(in[0], o.at("axis")); })},
        {"gather", one([](const Inputs& in, const json& o) { return gather(in[0], in[1], o.at("axis")); })},
        {"take_along", one([](const Inputs& in, const json&) { return take_along(in[0], in[1]); })},
        {"one_hot", one([](const Inputs& in, const json& o) { return one_hot(in[0], o.at("classes"), DType::i64); })},
    };
    return table;
}

TEST(PyTorch, Conv2d) { vectors::check_file("conv2d", functions()); }
TEST(PyTorch, Conv2dWithResidual) { vectors::check_file("conv2d_residual", functions()); }
TEST(PyTorch, Pool) { vectors::check_file("pool", functions()); }
TEST(PyTorch, Attention) { vectors::check_file("attention", functions()); }
// Of one key the gradients of query and key are 0, in kernels the difference of two sums in different orders, which no
// relative tolerance fits (Attention.BothWaysAgree has such rows).
TEST(PyTorch, AttentionByItsKernels) { vectors::check_file("attention", {{"attention", attend(false)}}, {"one"}); }
TEST(PyTorch, Recurrent) { vectors::check_file("rnn", functions()); }
TEST(PyTorch, LayerNorm) { vectors::check_file("layer_norm", functions()); }
TEST(PyTorch, BatchNorm) { vectors::check_file("batch_norm", functions()); }
TEST(PyTorch, BatchNormWithMaxPooling) { vectors::check_file("batch_norm_pool", functions()); }
TEST(PyTorch, Linear) { vectors::check_file("linear", functions()); }
TEST(PyTorch, Softmax) { vectors::check_file("softmax", functions()); }
TEST(PyTorch, Loss) { vectors::check_file("loss", functions()); }
TEST(PyTorch, Elementwise) { vectors::check_file("elementwise", functions()); }
TEST(PyTorch, Reduce) { vectors::check_file("reduce", functions()); }
TEST(PyTorch, Copy) { vectors::check_file("copy", functions()); }

}  // namespace
