#include "kernels/cudnn/graph.h"

#include <cudnn_frontend.h>
#include <dlfcn.h>

#include "core/check.h"
#include "kernels/cudnn/library.h"
#include "kernels/cudnn/resample_backward.h"

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;  // where cudnn_frontend looks cuDNN's functions up
}

// The only file that includes cudnn_frontend: it takes a compiler 10 s and most of a gigabyte.
namespace heddle::cudnn {
namespace {

namespace fe = cudnn_frontend;
using fe::graph::Pointwise_attributes;
using fe::graph::Tensor_attributes;

using Extents = std::vector<std::int64_t>;

fe::DataType_t type_of(DType dtype) {
    switch (dtype) {
        case DType::f32:
            return fe::DataType_t::FLOAT;
        case DType::f16:
            return fe::DataType_t::HALF;
        case DType::bf16:
            return fe::DataType_t::BFLOAT16;
        default:
            return fe::DataType_t::NOT_SET;
    }
}

/// N, C, H, W of [..., C]: what lies between N and C is taken as H, or H and W.
std::array<std::int64_t, 4> extents_of(const Shape& shape) {
    const int rank = shape.rank();
    const std::int64_t n = rank > 1 ? shape[0] : 1;
    const std::int64_t w = rank > 3 ? shape[rank - 2] : 1;
    return {n, shape.back(), shape.elements() / (n * w * shape.back()), w};
}

Extents list(const std::array<std::int64_t, 4>& extents) { return {extents.begin(), extents.end()}; }

Extents channels_last(const std::array<std::int64_t, 4>& extents) {
    const auto [n, c, h, w] = extents;
    return {h * w * c, 1, w * c, c};
}

/// Padding before and after, by height and width.
Extents before(const std::array<std::int64_t, 4>& padding) { return {padding[0], padding[2]}; }
Extents after(const std::array<std::int64_t, 4>& padding) { return {padding[1], padding[3]}; }
Extents pair(const std::array<std::int64_t, 2>& values) { return {values[0], values[1]}; }

template <class Attributes>
Attributes conv_attributes(const kernels::Conv2dParams& params) {
    return Attributes()
        .set_pre_padding(before(params.padding))
        .set_post_padding(after(params.padding))
        .set_stride(pair(params.stride))
        .set_dilation(pair(params.dilation));
}

Pointwise_attributes pointwise(fe::PointwiseMode_t mode) { return Pointwise_attributes().set_mode(mode); }

/// What is worth telling of cuDNN's message: the first of the conditions that it names, else its first line.
std::string reason_in(const std::string& message) {
    constexpr std::string_view mark = "Reason: ";
    const std::size_t condition = message.find(mark);
    if (condition == std::string::npos) return "cuDNN: " + message.substr(0, message.find('\n'));
    const std::size_t begin = condition + mark.size();
    return "cuDNN has no engine for this case: " + message.substr(begin, message.find('\n', begin) - begin);
}

/// Throws where cuDNN cannot be used.
void look_up_functions() {
    check(static_cast<bool>(library().file), "{}", library().file.why());
    static const bool done = [] {
        fe::cudnn_dlhandle = dlopen(library().file.status().file.c_str(), RTLD_NOW | RTLD_NOLOAD);
        return true;
    }();
    static_cast<void>(done);
}

}  // namespace

DescribedDevice describe_device(const std::string& json) {
    look_up_functions();
    const auto properties = std::make_shared<fe::DeviceProperties>();
    auto status = properties->deserialize({json.begin(), json.end()});
    check(status.is_good(), "cuDNN refuses the device properties: {}", status.get_message());
    return properties;
}

std::string device_properties(int ordinal) {
    look_up_functions();
    fe::DeviceProperties device;
    std::vector<std::uint8_t> bytes;
    auto status = device.set_device_id(ordinal).build();
    if (status.is_good()) status = device.serialize(bytes);
    check(status.is_good(), "cuDNN does not tell the device's properties: {}", status.get_message());
    std::string text(bytes.begin(), bytes.end());
    return text.substr(0, text.find('\0'));
}

Plan::Plan(std::unique_ptr<fe::graph::Graph> graph, std::size_t workspace_bytes, unsigned outputs, int count)
    : graph_(std::move(graph)), workspace_bytes_(workspace_bytes), outputs_(outputs), operands_(count) {}

Plan::~Plan() = default;

std::string Plan::engine() const {
    std::string name;
    return graph_->get_plan_name(name).is_good() ? name : "";
}

std::vector<std::string> Plan::notes() const { return static_cast<const GraphWithPooling&>(*graph_).notes(); }

void Plan::run(cudnnHandle_t handle, std::span<void*> pointers, void* workspace, const char* operation) const {
    const std::lock_guard lock(running_);
    auto status = graph_->execute(handle, pointers.data(), static_cast<int>(pointers.size()), workspace);
    check(status.is_good(), "{}: cuDNN: {}", operation, status.get_message());
}

Graph::Graph(DType dtype) : dtype_(dtype), graph_(std::make_unique<GraphWithPooling>()) {
    graph_->set_io_data_type(type_of(dtype))
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
}

Graph::~Graph() = default;

Graph::Tensor Graph::operand(std::array<std::int64_t, 4> extents, DType dtype) {
    return graph_->tensor(Tensor_attributes()
                              .set_dim(list(extents))
                              .set_stride(channels_last(extents))
                              .set_data_type(type_of(dtype))
                              .set_uid(++operands_));
}

Graph::Tensor Graph::image(const Shape& shape) { return operand(extents_of(shape), dtype_); }
Graph::Tensor Graph::filters(const Shape& shape) { return image(shape); }
Graph::Tensor Graph::vector(std::int64_t channels, DType dtype) { return operand({1, channels, 1, 1}, dtype); }

Graph::Tensor Graph::constant(float value) {
    Tensor_attributes attributes(value);
    return graph_->tensor(attributes.set_dim({1, 1, 1, 1}).set_stride({1, 1, 1, 1}));
}

Graph::Tensor Graph::conv(const Tensor& x, const Tensor& w, const kernels::Conv2dParams& params, const Shape& y) {
    has_products_ = true;
    const Tensor result = graph_->conv_fprop(x, w, conv_attributes<fe::graph::Conv_fprop_attributes>(params));
    result->set_dim(list(extents_of(y))).set_stride(channels_last(extents_of(y)));
    return result;
}

Graph::Tensor Graph::conv_backward_data(const Tensor& dy, const Tensor& w, const kernels::Conv2dParams& params,
                                        const Shape& x) {
    has_products_ = true;
    const Tensor result = graph_->conv_dgrad(dy, w, conv_attributes<fe::graph::Conv_dgrad_attributes>(params));
    result->set_dim(list(extents_of(x))).set_stride(channels_last(extents_of(x)));
    return result;
}

Graph::Tensor Graph::conv_backward_weights(const Tensor& dy, const Tensor& x, const kernels::Conv2dParams& params,
                                           const Shape& w) {
    has_products_ = true;
    const Tensor result = graph_->conv_wgrad(dy, x, conv_attributes<fe::graph::Conv_wgrad_attributes>(params));
    result->set_dim(list(extents_of(w))).set_stride(channels_last(extents_of(w)));
    return result;
}

Graph::Tensor Graph::add(const Tensor& a, const Tensor& b) {
    return graph_->pointwise(a, b, pointwise(fe::PointwiseMode_t::ADD));
}

Graph::Tensor Graph::subtract(const Tensor& a, const Tensor& b) {
    return graph_->pointwise(a, b, pointwise(fe::PointwiseMode_t::SUB));
}

Graph::Tensor Graph::multiply(const Tensor& a, const Tensor& b) {
    return graph_->pointwise(a, b, pointwise(fe::PointwiseMode_t::MUL));
}

Graph::Tensor Graph::inverse_root(const Tensor& x) {
    return graph_->pointwise(x, pointwise(fe::PointwiseMode_t::RSQRT));
}

Graph::Tensor Graph::relu(const Tensor& x) { return graph_->pointwise(x, pointwise(fe::PointwiseMode_t::RELU_FWD)); }

Graph::Tensor Graph::relu_backward(const Tensor& dy, const Tensor& y) {
    // The one form that cuDNN fuses into batch normalisation's gradient; the result is rounded to the dtype in between.
    const Tensor passes = graph_->pointwise(y, constant(0), pointwise(fe::PointwiseMode_t::CMP_GT));
    passes->set_data_type(fe::DataType_t::BOOLEAN);
    const Tensor result = graph_->pointwise(dy, passes, pointwise(fe::PointwiseMode_t::MUL));
    result->set_data_type(type_of(dtype_));
    return result;
}

namespace {

fe::graph::Resample_attributes pool_attributes(const kernels::Pool2dParams& params, fe::ResampleMode_t mode,
                                               fe::PaddingMode_t padding) {
    return fe::graph::Resample_attributes()
        .set_resampling_mode(mode)
        .set_padding_mode(padding)
        .set_window(pair(params.kernel))
        .set_stride(pair(params.stride))
        .set_pre_padding(before(params.padding))
        .set_post_padding(after(params.padding))
        .set_generate_index(false);
}

fe::ResampleMode_t average_mode(bool count_padding) {
    return count_padding ? fe::ResampleMode_t::AVGPOOL_INCLUDE_PADDING : fe::ResampleMode_t::AVGPOOL_EXCLUDE_PADDING;
}

}  // namespace

Graph::Tensor Graph::max_pool(const Tensor& x, const kernels::Pool2dParams& params, const Shape& y) {
    const Tensor result =
        graph_->resample(x, pool_attributes(params, fe::ResampleMode_t::MAXPOOL, fe::PaddingMode_t::NEG_INF_PAD))[0];
    result->set_dim(list(extents_of(y))).set_stride(channels_last(extents_of(y)));
    return result;
}

Graph::Tensor Graph::average_pool(const Tensor& x, const kernels::Pool2dParams& params, bool count_padding,
                                  const Shape& y) {
    const Tensor result =
        graph_->resample(x, pool_attributes(params, average_mode(count_padding), fe::PaddingMode_t::ZERO_PAD))[0];
    result->set_dim(list(extents_of(y))).set_stride(channels_last(extents_of(y)));
    return result;
}

Graph::Tensor Graph::average_pool_backward(const Tensor& dy, const kernels::Pool2dParams& params, bool count_padding,
                                           const Shape& x) {
    const auto fractions = [](std::int64_t first, std::int64_t second) {
        return std::array<cudnnFraction_t, 2>{cudnnFraction_t{first, 1}, {second, 1}};
    };
    const auto result = std::make_shared<Tensor_attributes>();
    result->set_dim(list(extents_of(x))).set_stride(channels_last(extents_of(x)));
    ResampleBackwardNode::Attributes attributes;
    attributes.inputs[ResampleBackwardNode::Attributes::Input::dy] = dy;
    attributes.outputs[ResampleBackwardNode::Attributes::Output::dx] = result;
    attributes.mode = count_padding ? CUDNN_RESAMPLE_AVGPOOL_INCLUDE_PADDING : CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING;
    attributes.window = fractions(params.kernel[0], params.kernel[1]);
    attributes.stride = fractions(params.stride[0], params.stride[1]);
    attributes.before = fractions(params.padding[0], params.padding[2]);
    attributes.after = fractions(params.padding[1], params.padding[3]);
    static_cast<GraphWithPooling&>(*graph_).add(std::move(attributes));
    return result;
}

std::array<Graph::Tensor, 5> Graph::batch_norm(const Tensor& x, const Tensor& scale, const Tensor& offset,
                                               float epsilon, const Running& running) {
    Tensor small = constant(epsilon);
    auto attributes = fe::graph::Batchnorm_attributes().set_epsilon(small);
    if (running.mean) {
        Tensor mean = running.mean, variance = running.variance, momentum = running.momentum;
        attributes.set_previous_running_stats(mean, variance, momentum);
    }
    return graph_->batchnorm(x, scale, offset, attributes);
}

std::array<Graph::Tensor, 3> Graph::batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& scale,
                                                        const Tensor& mean, const Tensor& inverse_deviation) {
    return graph_->batchnorm_backward(
        dy, x, scale,
        fe::graph::Batchnorm_backward_attributes().set_saved_mean_and_inv_variance(mean, inverse_deviation));
}

std::array<Graph::Tensor, 2> Graph::channel_sums(const Tensor& x) {
    return graph_->genstats(x, fe::graph::Genstats_attributes());
}

void Graph::output(const Tensor& tensor, DType dtype) {
    outputs_ |= 1u << operands_;
    tensor->set_output(true).set_data_type(type_of(dtype)).set_uid(++operands_);
}

std::unique_ptr<Plan> Graph::plan(const Target& target, std::string& why) {
    look_up_functions();
    const auto built = [&](fe::error_t status) {
        if (status.is_bad()) why = reason_in(status.get_message());
        return status.is_good();
    };
    graph_->set_sm_version(target.compute_capability)
        .set_cuda_graph_retention(fe::CudaGraphRetention_t::NONE);  // plans are never destroyed
    if (target.described)
        graph_->set_device_properties(std::static_pointer_cast<const fe::DeviceProperties>(target.described));
    try {
        if (!built(graph_->validate())) return nullptr;
        if (!built(target.handle ? graph_->build_operation_graph(target.handle) : graph_->build_operation_graph()))
            return nullptr;
        if (!built(graph_->create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}))) return nullptr;
        using Note = fe::NumericalNote_t;
        graph_->deselect_numeric_notes({Note::NONDETERMINISTIC, Note::DOWN_CONVERT_INPUTS,
                                        Note::REDUCED_PRECISION_REDUCTION, Note::FFT, Note::WINOGRAD});
        // For products of f32, tensor cores mean TF32.
        if (has_products_ && dtype_ == DType::f32) graph_->deselect_numeric_notes({Note::TENSOR_CORE});
        if (!built(graph_->check_support())) return nullptr;
        if (!built(graph_->build_plans())) return nullptr;
    } catch (const std::exception& error) {  // of cudnn_frontend, which mixes both ways
        why = reason_in(error.what());
        return nullptr;
    }
    std::int64_t bytes = 0;
    if (!built(graph_->get_workspace_size(bytes)) || !built(graph_->prepare_variant_pack_template())) return nullptr;
    const std::vector<std::int64_t> operands = graph_->get_variant_pack_uids_sorted();
    check(static_cast<int>(operands.size()) == operands_ && operands.back() == operands_,
          "cuDNN's plan has {} operands, the graph {}", operands.size(), operands_);
    return std::make_unique<Plan>(std::move(graph_), static_cast<std::size_t>(bytes), outputs_, operands_);
}

}  // namespace heddle::cudnn
