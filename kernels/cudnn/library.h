#pragma once

#include <cudnn.h>

#include "core/driver/cuda/vendor_library.h"

namespace heddle::cudnn {

/// The functions of cuDNN that Heddle calls itself, all null unless `file` can be used. (cudnn_frontend looks up its
/// own.)
struct Library {
    explicit Library(cuda::VendorLibrary opened);

    cuda::VendorLibrary file;
    decltype(&::cudnnGetErrorString) error_string = nullptr;
    decltype(&::cudnnCreate) create = nullptr;
    decltype(&::cudnnSetStream) set_stream = nullptr;
    decltype(&::cudnnCreateTensorDescriptor) create_tensor_descriptor = nullptr;
    decltype(&::cudnnSetTensor4dDescriptor) set_tensor4d_descriptor = nullptr;
    decltype(&::cudnnDestroyTensorDescriptor) destroy_tensor_descriptor = nullptr;
    decltype(&::cudnnSoftmaxForward) softmax_forward = nullptr;
    decltype(&::cudnnSoftmaxBackward) softmax_backward = nullptr;

    /// Throws `Error` with what was called and what cuDNN says, unless `status` is success.
    void check(cudnnStatus_t status, const char* call) const;
};

/// The process's, opened at the first call, which is when a case is offered to cuDNN's implementations.
const Library& library();

/// Which versions serve, and where they are looked for.
cuda::VendorLibraryName library_name();

/// Why a cuDNN that was built for version `runtime` of CUDA's runtime (13000 for 13.0) cannot serve a build with
/// version `compiled`; empty where it can.
std::string why_other_runtime(std::size_t compiled, std::size_t runtime);

}  // namespace heddle::cudnn
