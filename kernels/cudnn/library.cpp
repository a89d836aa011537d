#include "kernels/cudnn/library.h"

#include <cuda_runtime_api.h>

#include <utility>

#include "core/check.h"

namespace heddle::cudnn {
namespace {

/// cuDNN is a thin library that loads others, which may be of another installation.
cuda::VendorLibrary open_library() {
    cuda::VendorLibrary file(library_name());
    decltype(&::cudnnGetCudartVersion) runtime = nullptr;
    decltype(&::cudnnGetErrorString) error_string = nullptr;
    decltype(&::cudnnGraphVersionCheck) check_graph = nullptr;
    decltype(&::cudnnOpsVersionCheck) check_ops = nullptr;
    file.find(runtime, "cudnnGetCudartVersion");
    file.find(error_string, "cudnnGetErrorString");
    file.find(check_graph, "cudnnGraphVersionCheck");
    file.find(check_ops, "cudnnOpsVersionCheck");
    if (!file) return file;
    if (const std::string why = why_other_runtime(CUDART_VERSION, runtime()); !why.empty()) file.reject(why);
    for (const auto check : {check_graph, check_ops})
        if (const cudnnStatus_t status = check(); file && status != CUDNN_STATUS_SUCCESS)
            file.reject(fmt::format("it does not fit the libraries that it loads: {}", error_string(status)));
    return file;
}

}  // namespace

cuda::VendorLibraryName library_name() {
    const std::string file = fmt::format("libcudnn.so.{}", CUDNN_MAJOR);
    return {.name = "cuDNN",
            .files = {file, HEDDLE_CUDNN_FOLDER "/" + file},
            .version_function = "cudnnGetVersion",
            .compiled = CUDNN_VERSION,
            .remedy = fmt::format("install cuDNN {}, or add its folder to LD_LIBRARY_PATH", CUDNN_MAJOR)};
}

Library::Library(cuda::VendorLibrary opened) : file(std::move(opened)) {
    file.find(error_string, "cudnnGetErrorString");
    file.find(create, "cudnnCreate");
    file.find(set_stream, "cudnnSetStream");
    file.find(create_tensor_descriptor, "cudnnCreateTensorDescriptor");
    file.find(set_tensor4d_descriptor, "cudnnSetTensor4dDescriptor");
    file.find(destroy_tensor_descriptor, "cudnnDestroyTensorDescriptor");
    file.find(softmax_forward, "cudnnSoftmaxForward");
    file.find(softmax_backward, "cudnnSoftmaxBackward");
}

void Library::check(cudnnStatus_t status, const char* call) const {
    heddle::check(status == CUDNN_STATUS_SUCCESS, "{}: {}", call, error_string(status));
}

const Library& library() {
    static const Library& result = *new Library(open_library());  // never closed: plans live as long as the process
    return result;
}

std::string why_other_runtime(std::size_t compiled, std::size_t runtime) {
    if (runtime / 1000 == compiled / 1000) return "";
    return fmt::format("it is built for CUDA {}, this build of Heddle needs one for CUDA {}", runtime / 1000,
                       compiled / 1000);
}

}  // namespace heddle::cudnn
