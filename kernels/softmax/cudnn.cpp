#include "kernels/softmax/softmax.h"

#include "kernels/cudnn/handles.h"
#include "kernels/cudnn/library.h"
#include "kernels/cudnn/plans.h"
#include "kernels/cudnn/register.h"

// Softmax by the functions of cuDNN that are made for it: no graph, no plan, and so nothing that could be checked
// without a GPU. Both allow results in place.
namespace heddle::cudnn {
namespace {

using namespace kernels;

/// A tensor of rows x classes as cuDNN sees it: softmax over everything but the first dimension.
class RowsDescriptor {
  public:
    explicit RowsDescriptor(const View& x) {
        const int classes = static_cast<int>(x.shape.back()), rows = static_cast<int>(x.elements() / x.shape.back());
        const cudnnDataType_t type = x.dtype == DType::f32   ? CUDNN_DATA_FLOAT
                                     : x.dtype == DType::f16 ? CUDNN_DATA_HALF
                                                             : CUDNN_DATA_BFLOAT16;
        library().check(library().create_tensor_descriptor(&descriptor_), "cudnnCreateTensorDescriptor");
        library().check(library().set_tensor4d_descriptor(descriptor_, CUDNN_TENSOR_NCHW, type, rows, classes, 1, 1),
                        "cudnnSetTensor4dDescriptor");
    }
    ~RowsDescriptor() { library().destroy_tensor_descriptor(descriptor_); }
    RowsDescriptor(const RowsDescriptor&) = delete;
    RowsDescriptor& operator=(const RowsDescriptor&) = delete;

    cudnnTensorDescriptor_t get() const { return descriptor_; }

  private:
    cudnnTensorDescriptor_t descriptor_ = nullptr;
};

cudnnSoftmaxAlgorithm_t algorithm(bool log) { return log ? CUDNN_SOFTMAX_LOG : CUDNN_SOFTMAX_ACCURATE; }

Support supports(std::initializer_list<View> operands) {
    if (Support support = usable({operands.begin(), operands.size()}); !support) return support;
    const View& first = *operands.begin();
    if (first.elements() > INT32_MAX) return Support::no("more than 2^31 elements");
    return library().file ? Support::yes() : Support::no(library().file.why());
}

constexpr float one = 1, zero = 0;

void run_forward(const SoftmaxForward& args, KernelContext& context) {
    const RowsDescriptor rows(args.x);
    const StreamHandle handle(context);
    library().check(library().softmax_forward(handle.get(), algorithm(args.log), CUDNN_SOFTMAX_MODE_INSTANCE, &one,
                                              rows.get(), args.x.data, &zero, rows.get(), args.y.data),
                    context.operation);
}

void run_backward(const SoftmaxBackward& args, KernelContext& context) {
    const RowsDescriptor rows(args.y);
    const StreamHandle handle(context);
    library().check(
        library().softmax_backward(handle.get(), algorithm(args.log), CUDNN_SOFTMAX_MODE_INSTANCE, &one, rows.get(),
                                   args.y.data, rows.get(), args.dy.data, &zero, rows.get(), args.dx.data),
        context.operation);
}

}  // namespace

void register_softmax() {
    softmax_forward().add({.name = "cudnn",
                           .device = DeviceKind::cuda,
                           .priority = priority::fast,
                           .supports =
                               [](const SoftmaxForward& args) {
                                   return supports({args.x, args.y});
                               },
                           .run = run_forward});
    softmax_backward().add({.name = "cudnn",
                            .device = DeviceKind::cuda,
                            .priority = priority::fast,
                            .supports =
                                [](const SoftmaxBackward& args) {
                                    return supports({args.y, args.dy, args.dx});
                                },
                            .run = run_backward});
}

}  // namespace heddle::cudnn
