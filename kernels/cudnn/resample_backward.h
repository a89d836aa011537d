#pragma once

#include <cudnn_frontend.h>

namespace heddle::cudnn {

/// Average pooling's gradient as a node of a graph: cudnn_frontend wraps cuDNN's forward operation alone. dy and dx
/// come with extents, strides and types.
class ResampleBackwardNode final : public cudnn_frontend::graph::NodeCRTP<ResampleBackwardNode> {
  public:
    using Tensor = std::shared_ptr<cudnn_frontend::graph::Tensor_attributes>;

    /// `inputs` and `outputs` are the names that NodeCRTP looks for.
    class Attributes : public cudnn_frontend::graph::Attributes<Attributes> {
        friend class cudnn_frontend::graph::Attributes<Attributes>;
        friend class ResampleBackwardNode;

      public:
        enum class Input { dy };
        enum class Output { dx };
        std::unordered_map<Input, Tensor> inputs = {};
        std::unordered_map<Output, Tensor> outputs = {};
        cudnnResampleMode_t mode = CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING;
        std::array<cudnnFraction_t, 2> window{}, stride{}, before{}, after{};  ///< by height and width
    };
    Attributes attributes;

    ResampleBackwardNode(Attributes given, const cudnn_frontend::detail::Context& context_of_graph)
        : NodeCRTP(context_of_graph), attributes(std::move(given)) {}

    Type getType() override { return Type::RESAMPLE; }

    cudnn_frontend::error_t infer_properties_node() override {
        attributes.fill_from_context(context);
        return {cudnn_frontend::error_code_t::OK, ""};
    }

    cudnn_frontend::error_t create_cudnn_operations(
        std::unordered_set<std::int64_t>& operands, std::vector<std::shared_ptr<cudnn_frontend::Operation>>&,
        cudnn_frontend::graph::managed_backend_descriptor_t& operations,
        std::unordered_map<std::int64_t, std::shared_ptr<cudnn_frontend::Tensor>>& tensors) const override {
        const auto pool = cudnn_frontend::make_shared_backend_pointer(CUDNN_BACKEND_RESAMPLE_DESCRIPTOR);
        const cudnnDataType_t type = CUDNN_DATA_FLOAT;
        const cudnnNanPropagation_t nan = CUDNN_PROPAGATE_NAN;
        const cudnnPaddingMode_t padding = CUDNN_ZERO_PAD;
        const std::int64_t dimensions = 2;
        cudnnStatus_t status =
            Setter{pool->get_backend_descriptor()}
                .set(CUDNN_ATTR_RESAMPLE_MODE, CUDNN_TYPE_RESAMPLE_MODE, 1, &attributes.mode)
                .set(CUDNN_ATTR_RESAMPLE_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type)
                .set(CUDNN_ATTR_RESAMPLE_NAN_PROPAGATION, CUDNN_TYPE_NAN_PROPOGATION, 1, &nan)
                .set(CUDNN_ATTR_RESAMPLE_PADDING_MODE, CUDNN_TYPE_PADDING_MODE, 1, &padding)
                .set(CUDNN_ATTR_RESAMPLE_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &dimensions)
                .set(CUDNN_ATTR_RESAMPLE_WINDOW_DIMS, CUDNN_TYPE_FRACTION, 2, attributes.window.data())
                .set(CUDNN_ATTR_RESAMPLE_STRIDES, CUDNN_TYPE_FRACTION, 2, attributes.stride.data())
                .set(CUDNN_ATTR_RESAMPLE_PRE_PADDINGS, CUDNN_TYPE_FRACTION, 2, attributes.before.data())
                .set(CUDNN_ATTR_RESAMPLE_POST_PADDINGS, CUDNN_TYPE_FRACTION, 2, attributes.after.data())
                .finalize();

        const auto operation =
            cudnn_frontend::make_shared_backend_pointer(CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR);
        const cudnnBackendDescriptor_t
            dy = tensors.at(attributes.inputs.at(Attributes::Input::dy)->get_uid())->get_raw_desc(),
            dx = tensors.at(attributes.outputs.at(Attributes::Output::dx)->get_uid())->get_raw_desc(),
            description = pool->get_backend_descriptor();
        const double one = 1, zero = 0;
        if (status == CUDNN_STATUS_SUCCESS)
            status = Setter{operation->get_backend_descriptor()}
                         .set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DYDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &dy)
                         .set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DXDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &dx)
                         .set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_ALPHA, CUDNN_TYPE_DOUBLE, 1, &one)
                         .set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_BETA, CUDNN_TYPE_DOUBLE, 1, &zero)
                         .set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &description)
                         .finalize();
        if (status != CUDNN_STATUS_SUCCESS)
            return {cudnn_frontend::error_code_t::CUDNN_BACKEND_API_FAILED,
                    "average pooling's gradient: " + cudnn_frontend::to_string(status)};
        operations.push_back(operation);
        const auto own = attributes.get_non_virtual_uids();
        operands.insert(own.begin(), own.end());
        return {cudnn_frontend::error_code_t::OK, ""};
    }

  private:
    /// Sets the attributes of one of cuDNN's descriptors; the first failure stays.
    struct Setter {
        cudnnBackendDescriptor_t descriptor;
        cudnnStatus_t status = CUDNN_STATUS_SUCCESS;

        Setter& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                    const void* values) {
            if (status == CUDNN_STATUS_SUCCESS)
                status = cudnn_frontend::detail::set_attribute(descriptor, name, type, count, values);
            return *this;
        }
        cudnnStatus_t finalize() {
            return status == CUDNN_STATUS_SUCCESS ? cudnn_frontend::detail::finalize(descriptor) : status;
        }
    };
};

/// A graph that takes such a node, and tells of its plan what cudnn_frontend keeps to itself.
class GraphWithPooling : public cudnn_frontend::graph::Graph {
  public:
    /// The numerical notes of the engine in use.
    std::vector<std::string> notes() const {
        std::vector<std::string> names;
        for (const auto note : plans.numeric_notes.at(static_cast<std::size_t>(plans.candidate))) {
            cudnnBackendNumericalNote_t value{};
            if (cudnn_frontend::detail::convert_to_cudnn_type(note, value) == CUDNN_STATUS_SUCCESS)
                names.push_back(cudnn_frontend::to_string(value));
        }
        return names;
    }
    void add(ResampleBackwardNode::Attributes attributes) {
        sub_nodes.emplace_back(std::make_unique<ResampleBackwardNode>(std::move(attributes), context));
    }
};

}  // namespace heddle::cudnn
